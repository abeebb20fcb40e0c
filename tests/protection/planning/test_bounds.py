"""Ranges of non-linear sites: the limits against a run by hand, the bounds made of them, and what they leave alone."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.machine import Clean, Operator, Site
from radhard.operators import Quantized
from radhard.program import run
from radhard.protection import Method, Protectable, Protected, Ranges, observed_limits, products_of, ranges_of
from radhard.words import Words
from tests.support.models import images, tiny_program

BATCHES = [images(5, seed=4), images(3, seed=5)]
RECIPES = ("int8", "int8-float", "float")


class Watching(Clean):
    """Keeps the float values that sites yield: an operator between words is taken apart with torch's own means."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, list[Tensor]] = {}

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        out = super().apply(operator, inputs, site)
        value = out
        if isinstance(operator, Quantized):
            read = [
                x if by is None or x is None else by.scale * (x.float() - by.grid.zero)
                for x, by in zip(inputs, operator.reads, strict=True)
            ]
            value = operator.inner.kernel(read, lambda _: None)
        self.values.setdefault(site.name, []).append(value.double().flatten())
        return out


def watched(recipe: str) -> dict[str, Tensor]:
    machine = Watching()
    for batch in BATCHES:
        run(tiny_program(recipe), batch, machine)
    return {name: torch.cat(values) for name, values in machine.values.items()}


NON_LINEAR = {
    "norm", *(f"blocks.{b}.{x}" for b in (0, 1) for x in ("norm1", "norm2", "attn.softmax", "mlp.act"))
}  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES)
def test_limits_are_the_least_and_largest_value_of_a_run(recipe: str) -> None:
    limits = observed_limits(tiny_program(recipe), BATCHES)
    assert set(limits) == NON_LINEAR
    values = watched(recipe)
    for name, (low, high) in limits.items():
        least, largest = float(values[name].min()), float(values[name].max())
        assert least - 2**-9 * abs(least) - 1e-6 <= low <= least + 1e-6, name
        assert largest - 1e-6 <= high <= largest + 2**-9 * abs(largest) + 1e-6, name
        for value in (low, high):  # ten significant bits: the same where float kernels differ in the last
            assert (math.frexp(value)[0] * 2**10).is_integer()


def limits_of(recipe: str = "int8") -> dict[str, tuple[float, float]]:
    return dict(observed_limits(tiny_program(recipe), BATCHES))


def test_bounds_by_each_method() -> None:
    program, limits = tiny_program("int8"), limits_of()
    name, softmax = "blocks.1.mlp.act", "blocks.0.attn.softmax"
    low, high = limits[name]
    assert low < 0 < high
    assert 0 < limits[softmax][0] < limits[softmax][1] < 1
    by = {
        bounds: ranges_of(program, limits, Method(ranges=bounds, margin=0.25, outside="clamp"))
        for bounds in ("observed", "paper")
    }
    for found in by.values():
        assert set(found) == NON_LINEAR
        assert found[softmax] == Ranges(low=0.0, high=1.0, outside="clamp")
        assert all(ranges.outside == "clamp" for ranges in found.values())
    assert by["observed"][name].low == pytest.approx(low - 0.25 * (high - low))
    assert by["observed"][name].high == pytest.approx(high + 0.25 * (high - low))
    assert by["paper"][name].low == pytest.approx(1.02 * low)
    assert by["paper"][name].high == pytest.approx(0.98 * high)
    assert ranges_of(program, limits, Method(ranges="none")) == {}


@pytest.mark.parametrize("bounds", [(3.0, 3.01), (float("nan"), 1.0), (0.0, float("inf"))])
def test_limits_of_which_no_range_can_be_made_name_their_site(bounds: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"blocks\.0\.mlp\.act"):
        ranges_of(tiny_program("int8"), {"blocks.0.mlp.act": bounds}, Method(ranges="paper"))


@pytest.mark.parametrize("margin", [0.0, 0.05])
@pytest.mark.parametrize("recipe", RECIPES)
def test_on_the_images_that_calibrate_observed_ranges_change_nothing(recipe: str, margin: float) -> None:
    program = tiny_program(recipe)
    plan = ranges_of(program, limits_of(recipe), Method(margin=margin))
    machine = Protected(Clean(), plan)
    for batch in BATCHES:
        expected = run(program, batch).logits
        assert torch.equal(run(program, batch, machine).logits, expected)
        assert set(machine.accounts) == NON_LINEAR
        assert sum(account.alarms for account in machine.accounts.values()) == 0
        assert all(account.executed.cmp > 0 for account in machine.accounts.values())


def test_bounds_that_are_too_narrow_are_noticed() -> None:
    """So that the test above can fail: what is below 0 before GELU's end is cut off."""
    program = tiny_program("int8")
    plan = ranges_of(program, {"blocks.0.mlp.act": (0.0, 0.5)}, Method(margin=0.0))
    machine = Protected(Clean(), plan)
    found = run(program, BATCHES[0], machine).logits
    assert not torch.equal(found, run(program, BATCHES[0]).logits)
    values = Watching()
    run(program, BATCHES[0], values)
    (act,) = values.values["blocks.0.mlp.act"]
    outside = (act < 0) | (act > 0.5)
    account = machine.accounts["blocks.0.mlp.act"]
    images = int(outside.view(len(BATCHES[0]), -1).any(1).sum())  # an alarm is an image with a value outside
    assert (account.checks, account.alarms, account.repaired) == (act.numel(), images, int(outside.sum()))


def protectable(recipe: str = "int8") -> Protectable:
    program = tiny_program(recipe)
    return Protectable(program=program, products=products_of(program), limits=limits_of(recipe), words=Words())


def test_a_method_protects_the_sites_it_says() -> None:
    what = protectable()
    every = Method(scheme="standard-abft").protect(what, ber=1e-7)
    assert set(every.schemes) == NON_LINEAR | set(what.products.found)
    some = Method(scheme="standard-abft", ranges="none", checks="immune").protect(what, ber=1e-7, products=["head"])
    assert set(some.schemes) == {"head"}
    assert some.checks == "immune"
    assert set(Method(scheme="none").protect(what, ber=1e-7).schemes) == NON_LINEAR
    assert Method(scheme="none", ranges="none").protect(what, ber=1e-7).sites == ()
    machine = every.on(Clean())
    assert torch.equal(run(what.program, BATCHES[1], machine).logits, run(what.program, BATCHES[1]).logits)


def test_products_of_floats_cannot_be_protected_but_their_ranges_can() -> None:
    what = protectable("float")
    with pytest.raises(InputError, match=r"no product can be protected by row-abft: site .*torch\.float32"):
        Method().protect(what, ber=1e-7)
    assert set(Method(scheme="none").protect(what, ber=1e-7).schemes) == NON_LINEAR
    lacking = replace(what, products=replace(what.products, refused={}))
    with pytest.raises(InputError, match="it has no matrix product"):
        Method().schemes_of(lacking, ber=1e-7)
