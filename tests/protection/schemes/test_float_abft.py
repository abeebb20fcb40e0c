"""Checks of float products: bounds against errors in exact arithmetic, flips seen and put right, and what is not."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.faults import Faulty, Flips
from radhard.machine import CHECK, Clean, Gemm, Recording
from radhard.operators import Conv2d, Linear
from radhard.protection import Account, FloatAbft, Protected, scheme_dict, scheme_from
from radhard.protection.abft.rounding import UNIT, VARIANCE, Rounding
from tests.support.flips import flips_at, flips_of
from tests.support.protections import floats, here, int8s

M, K, N = 6, 40, 24
INPUTS = (floats(3, M, K), floats(N, K, seed=1), floats(N, seed=2))
CLEAN = Clean().apply(Linear(), INPUTS, here())


def run(scheme: FloatAbft, flips: Flips, *, inputs: tuple = INPUTS) -> tuple[Tensor, Account]:
    machine = Protected(Faulty(Clean(), flips), {"here": scheme})
    out = machine.apply(Linear(), inputs, here())
    return out, machine.accounts["here"]


def events(account: Account) -> dict[str, int]:
    names = (
        "alarms",
        "flagged",
        "repaired",
        "recomputed",
        "excluded",
        "false_alarms",
        "inconsistent",
        "uncorrected",
        "corrupted",
    )
    return {name: getattr(account, name) for name in names if getattr(account, name)}


def last(image: int, i: int, j: int, bit: int) -> tuple[int, str, str, int, int]:
    """A flip of the sum with the bias: the output word itself."""
    return (image, "here", "add", (i * N + j) * K + K - 1, bit)


# --- the bound ---


def test_the_variance_of_a_sum_is_that_of_its_roundings() -> None:
    """Chains in float32 against fractions: the spread of their errors is within the model's, and not far below."""
    draw = np.random.default_rng(0)
    for terms, mean in ((8, 0.0), (64, 0.0), (64, 1.0), (300, 0.2)):
        ratios = []
        for _ in range(400):
            x = (draw.standard_normal(terms) + mean).astype(np.float32)
            total = np.float32(0.0)
            for value in x:
                total = np.float32(total + value)
            error = float(Fraction(float(total)) - sum(map(Fraction, map(float, x))))
            squares, whole = float((x.astype(float) ** 2).sum()), float(x.astype(float).sum())
            rounding = Rounding()
            variance = VARIANCE * (rounding.of_terms(terms) * squares + rounding.of_total(terms) * whole**2)
            ratios.append(error**2 / variance)
        assert 0.1 < np.mean(ratios) < 1.0, (terms, mean)
        assert max(ratios) < 6**2


def test_more_lanes_are_a_closer_bound() -> None:
    assert [Rounding(lanes=lanes).run(768) for lanes in (1, 16)] == [768, 64]
    assert Rounding(lanes=16).run(5) == 5
    assert torch.finfo(torch.float32).eps / 2 == UNIT
    assert Rounding().written(torch.bfloat16) == (torch.finfo(torch.bfloat16).eps / 2 / UNIT) ** 2


def bound_by_hand(image: int, i: int, *, deviations: float) -> float:
    """Of one row, in float64, from every product of it."""
    x, weight, bias = (t.double() for t in INPUTS)
    a = torch.cat([x[image, i], torch.ones(1, dtype=torch.float64)])
    b = torch.cat([weight, bias[:, None]], 1)
    terms, products = K + 1, a * b
    words, sums = products.sum(1), b.sum(0)
    chains = (terms / 2 + 1) * products.square().sum() + terms / 3 * words.square().sum()
    row = N / 2 * words.square().sum() + N / 3 * words.sum() ** 2
    dot = (terms / 2 + 1) * (a * sums).square().sum() + terms / 3 * words.sum() ** 2
    encoded = (a * sums).square().sum()
    return deviations * math.sqrt(VARIANCE * float(chains + row + dot + encoded))


def test_the_bound_of_a_row() -> None:
    """Errors a little above it are seen, those a little below are not."""
    for image, i in ((0, 0), (2, 5)):
        bound = bound_by_hand(image, i, deviations=6.0)
        keeping = Recording(Clean())
        Protected(keeping, {"here": FloatAbft()}).apply(Linear(), INPUTS, here())
        variance = next(out for site, out in keeping.outputs.items() if site.name == f"here{CHECK}rows/bound1")
        assert 6 * math.sqrt(VARIANCE * float(variance[image, i, 0])) == pytest.approx(bound, rel=1e-4)
        for j in range(0, N, 5):
            word = float(CLEAN[image, i, j])
            for bit in range(6, 20):
                size = 2.0 ** (math.frexp(word)[1] - 24 + bit)
                if not 0.8 < size / bound < 1.2:
                    account = run(FloatAbft(), flips_of([last(image, i, j, bit)]))[1]
                    assert account.alarms == (size > bound), (j, bit, size, bound)


# --- flips ---


@pytest.mark.parametrize("width", [None, 5])
@pytest.mark.parametrize("bit", [20, 23, 27, 30, 31])
def test_one_word_is_put_right(width: int | None, bit: int) -> None:
    for image, i, j in ((0, 0, 0), (2, M - 1, N - 1), (1, 3, 11)):
        faults = flips_of([last(image, i, j, bit)])
        out, account = run(FloatAbft(width=width), faults)
        assert events(account) == {"alarms": 1, "flagged": 1, "recomputed": 1}
        untouched = torch.ones_like(CLEAN, dtype=torch.bool)
        untouched[image, i, j] = False
        assert torch.equal(out[untouched], CLEAN[untouched])
        assert float(out[image, i, j]) == pytest.approx(float(CLEAN[image, i, j]), rel=1e-5, abs=1e-6)


def test_several_words_of_one_row_and_of_others() -> None:
    out, account = run(
        FloatAbft(), flips_of([last(1, 2, 3, 29), last(1, 2, 4, 31), last(1, 4, 0, 30), last(0, 2, 3, 28)])
    )
    assert events(account) == {"alarms": 2, "flagged": 3, "recomputed": 3}
    torch.testing.assert_close(out, CLEAN)


def test_a_flip_of_low_bits_is_not_seen_and_changes_little() -> None:
    out, account = run(FloatAbft(), flips_of([last(1, 2, 3, 0)]))
    assert events(account) == {}
    torch.testing.assert_close(out, CLEAN)


def test_a_check_that_is_hit_changes_nothing() -> None:
    for check, kind, index in (("wanted", "mul", 7), ("rows", "add", 5), ("rows/off", "add", 2), ("bound/a", "mul", 3)):
        out, account = run(FloatAbft(), flips_at(f"here{CHECK}{check}", [(kind, index, 30)]))
        assert torch.equal(out, CLEAN), check
        assert account.recomputed == account.uncorrected == account.corrupted == 0
        assert account.alarms == account.false_alarms


def test_a_repair_that_is_hit_is_done_again() -> None:
    name = f"here{CHECK}{N}/again"
    hit = [last(0, 1, 2, 30), (0, name, "add", (1 * N + 2) * K + 3, 30)]
    out, account = run(FloatAbft(), flips_of(hit))
    assert events(account) == {"alarms": 1, "flagged": 1, "recomputed": 1}
    torch.testing.assert_close(out, CLEAN)
    out = run(FloatAbft(retries=0), flips_of(hit))[0]
    assert not torch.allclose(out, CLEAN)


def test_what_is_not_finite_is_an_alarm() -> None:
    """A sum that overflows is put right; inputs that are not finite leave nothing to put right, and stay."""
    x = INPUTS[0].clone()
    x[1, 2, 3] = math.inf
    x[2, 0, 0] = math.nan
    inputs = (x, *INPUTS[1:])
    clean = Clean().apply(Linear(), inputs, here())
    out, account = run(FloatAbft(), flips_of([last(0, 0, 0, 30)]), inputs=inputs)
    assert events(account) == {"alarms": 3, "flagged": 3, "recomputed": 1, "false_alarms": 2}
    assert torch.equal(out[1:].nan_to_num(7.0), clean[1:].nan_to_num(7.0))
    torch.testing.assert_close(out[0], clean[0])


def test_a_changed_weight_is_recognised() -> None:
    weight = INPUTS[1].clone()
    machine = Protected(Clean(), {"here": FloatAbft(width=10)})
    machine.apply(Linear(), (INPUTS[0], weight, INPUTS[2]), here())
    assert machine.accounts["here"].alarms == 0
    weight[13, 4] *= -64
    inputs = (INPUTS[0], weight, INPUTS[2])
    out = machine.apply(Linear(), inputs, here())
    assert torch.equal(out, Clean().apply(Linear(), inputs, here()))
    account = machine.accounts["here"]
    assert account.corrupted == 3  # one block of columns, met by three images
    assert account.false_alarms == account.flagged > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_false_alarm_over_drawn_products(dtype: torch.dtype) -> None:
    for seed in range(100):
        draw = torch.Generator().manual_seed(seed)
        m, k, n = (int(torch.randint(1, top, (1,), generator=draw)) for top in (40, 300, 300))
        x, weight, bias = (torch.randn(size, generator=draw).to(dtype) for size in ((2, m, k), (n, k), (n,)))
        inputs = (x, weight, bias if seed % 2 else None)
        machine = Protected(Clean(), {"here": FloatAbft()})
        assert torch.equal(machine.apply(Linear(), inputs, here()), Clean().apply(Linear(), inputs, here()))
        assert (machine.accounts["here"].checks, machine.accounts["here"].alarms) == (2, 0)


class Hit(Recording):
    """One word of the output is another."""

    def apply(self, operator, inputs, site):  # type: ignore[no-untyped-def]
        out = super().apply(operator, inputs, site)
        if site.name == "here":
            out.view(-1)[5] = 1000.0
        return out


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        (Linear(), (floats(2, 4, 30), floats(20, 30, seed=1), None)),
        (Gemm(), (floats(2, 3, 7, 30), floats(2, 3, 30, 20, seed=1))),
        (Conv2d(groups=2), (floats(2, 4, 9, 9), floats(6, 2, 3, 3, seed=1), floats(6, seed=2))),
    ],
    ids=["linear", "attention", "convolution"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_product_in_both_types(operator, inputs, dtype: torch.dtype) -> None:  # type: ignore[no-untyped-def]
    words = tuple(None if x is None else x.to(dtype) for x in inputs)
    clean = Clean().apply(operator, words, here())
    machine = Protected(Hit(Clean()), {"here": FloatAbft()})
    out = machine.apply(operator, words, here())
    assert out.dtype == dtype
    assert events(machine.accounts["here"]) == {"alarms": 1, "flagged": 1, "recomputed": 1}
    rest = torch.arange(out.numel()) != 5
    assert torch.equal(out.reshape(-1)[rest], clean.reshape(-1)[rest])
    torch.testing.assert_close(out, clean)


def test_what_is_wrong_is_told() -> None:
    for make, says in (
        ({"deviations": 0.0}, "deviations=0.0: give a number above 0"),
        ({"width": 0}, "width=0: give a whole number from 1 on"),
        ({"lanes": 0}, "lanes=0"),
        ({"retries": -1}, "retries=-1"),
    ):
        with pytest.raises(InputError, match=says):
            FloatAbft(**make)
    machine = Protected(Clean(), {"here": FloatAbft()})
    with pytest.raises(InputError, match=r"'here': linear computes in torch\.int8; .* by row-abft or lb-abft"):
        machine.apply(Linear(), (int8s(2, 3, 4), int8s(5, 4), None), here())
    with pytest.raises(InputError, match=r"computes in torch\.float64"):
        machine.apply(Linear(), (torch.zeros(2, 3, 4).double(), torch.zeros(5, 4).double(), None), here())


def test_it_has_a_name() -> None:
    scheme = FloatAbft(width=64, lanes=16)
    assert scheme_from(scheme_dict(scheme), place="here") == scheme
    assert scheme_dict(scheme)["scheme"] == "float-abft"
