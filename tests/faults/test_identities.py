"""Images of one identity, of none, and identities that cannot be; tables of flips whose rows hit nothing."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.faults import Faults, Faulty, Flips, replay, trace
from radhard.hardware import FaultyArray, Misread
from radhard.machine import Clean, Counting, Machine, Recording, read_cost
from radhard.program import Program, rerun, run, run_and_keep
from radhard.protection import Protection
from radhard.words import Int, Words
from tests.support.flips import flips_at, flips_of
from tests.support.hardened import all_products
from tests.support.models import MultiheadViT, TinyViT, images, tiny_program

RECIPES = pytest.mark.parametrize("recipe", ["float", "int8", "int8-float"])


def bits(result) -> list[int]:
    return result.logits.view(torch.int32).tolist()


def machines(program: Program, ber: float, seed: int) -> dict[str, Callable[[], Machine]]:
    faults = Faults(ber=ber, seed=seed, kinds={"mul", "add", "load", "scale", "special"})
    plan = all_products(program) if program.recipe != "float" else Protection()
    table = trace(program, faults, np.array([5, 9]))
    return {
        "Faulty": lambda: Faulty(Clean(), faults),
        "a table": lambda: Faulty(Clean(), table),
        "Protected": lambda: plan.on(Faulty(Clean(), faults)),
        "Protected, of a table": lambda: plan.on(Faulty(Clean(), table)),
    }


@RECIPES
@pytest.mark.parametrize("kind", [TinyViT, MultiheadViT])
def test_an_image_given_twice_meets_its_faults_twice(recipe: str, kind) -> None:
    program, (x, y) = tiny_program(recipe, kind), images(2)
    batch = torch.stack([x, y, x, x])
    ids, other, hit = torch.tensor([5, 9, 5, 5]), torch.tensor([5, 7, 6, 8]), 0
    for seed in range(2):
        for name, machine in machines(program, 2e-5, seed).items():
            alone = [run(program, batch, machine(), ids=torch.where(ids == own, own, other)) for own in (5, 9)]
            one = [bits(run(program, i[None], machine(), ids=torch.tensor([n])))[0] for i, n in ((x, 5), (y, 9))]
            got = run(program, batch, machine(), ids=ids)
            rows = bits(got)
            if recipe != "float":  # whose last bits depend on the size of the batch
                assert rows == [one[0], one[1], one[0], one[0]], name
            assert rows[0] == bits(alone[0])[0], name
            assert rows[1] == bits(alone[1])[1], name
            assert rows[2] == rows[3], name
            assert got.non_finite[0] == got.non_finite[2] == got.non_finite[3]
            hit += rows[0] != bits(run(program, x[None]))[0]
    assert hit > 1


def test_what_is_counted_of_an_image_given_twice() -> None:
    program, ids = tiny_program("int8"), torch.tensor([5, 9, 5])
    machine = Faulty(Clean(), Faults(ber=2e-5))
    run(program, images(1).expand(3, -1, -1, -1), machine, ids=ids)
    flips = trace(program, Faults(ber=2e-5), ids)
    once = {image: int((trace(program, Faults(ber=2e-5), [image]).image == image).sum()) for image in (5, 9)}
    assert len(flips) == sum(once.values())
    for found in (machine.flips, flips):
        assert found is not None
        assert found.per_image(ids.numpy()).tolist() == [once[5], once[9], once[5]]


def test_rerun_of_an_image_given_twice() -> None:
    program, faults, ids = tiny_program("int8"), Faults(ber=2e-5), torch.tensor([5, 9, 5])
    x = images(2)[[0, 1, 0]]
    flips = trace(program, faults, ids)
    kept = run_and_keep(program, x, Faulty(Clean(), flips), ids=ids)
    left = flips.take(flips.bit < 12)
    gone = flips.take(flips.bit >= 12).by_site()
    touched = {site: torch.from_numpy(some.per_image(ids.numpy()) > 0) for site, some in gone.items()}
    again = rerun(kept, Faulty(Clean(), left), touched=touched)
    assert bits(again.result) == bits(run(program, x, Faulty(Clean(), left), ids=ids))


def test_damage_of_an_image_given_twice() -> None:
    program, x = tiny_program("int8"), images(1)
    damage = Misread(operand="b", index=2, term=3, mask=64, image=5)
    one = run(program, x, FaultyArray(Clean(), damage, sites=["head"]), ids=torch.tensor([5]))
    got = run(
        program, x.expand(3, -1, -1, -1), FaultyArray(Clean(), damage, sites=["head"]), ids=torch.tensor([5, 4, 5])
    )
    clean = run(program, x)
    assert bits(got) == [bits(one)[0], bits(clean)[0], bits(one)[0]]


@RECIPES
def test_no_images(recipe: str) -> None:
    program, none = tiny_program(recipe), images(1)[:0]
    plan = all_products(program) if recipe != "float" else Protection()
    faults = Faults(ber=1e-4)
    table = trace(program, faults, [0])
    machines = (
        *(None, Clean(), Counting(), Recording(Clean()), Faulty(Clean(), faults), Faulty(Clean(), table)),
        plan.on(Faulty(Clean(), faults)),
    )
    for machine in machines:
        for ids in (None, torch.zeros(0, dtype=torch.int64)):
            got = run(program, none, machine, ids=ids)
            assert got.logits.shape == (0, 5)
            assert got.logits.dtype == torch.float32
            assert got.non_finite.shape == (0,)
    kept = run_and_keep(program, none, Faulty(Clean(), faults), ids=torch.zeros(0, dtype=torch.int64))
    assert rerun(kept, Faulty(Clean(), faults), touched={}).result.logits.shape == (0, 5)
    assert len(trace(program, faults, [])) == 0
    assert replay(program, none, table.take(table.bit < 0)).logits.shape == (0, 5)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.tensor([-1, 0]), "ids: -1 is no identity of an image; give integers from 0 to"),
        (torch.tensor([0, 2**53]), "ids: 9007199254740992 is no identity"),
        (torch.tensor([0.0, 1.0]), r"ids have shape \[2\], torch.float32; one int64 for each of 2 images"),
        (torch.tensor([0, 1], dtype=torch.int32), "torch.int32; one int64"),
        (torch.tensor([True, False]), "torch.bool; one int64"),
        (torch.tensor([0]), r"ids have shape \[1\]"),
        (torch.tensor([[0, 1]]), r"ids have shape \[1, 2\]"),
        (torch.tensor([0, 1], device="meta"), "ids are on meta"),
        ([0, 1], "ids are list; give a tensor"),
        (np.array([0, 1]), "ids are ndarray; give a tensor"),
    ],
)
def test_identities_that_cannot_be(ids, message: str) -> None:
    program = tiny_program("int8")
    for machine in (None, Faulty(Clean(), Faults(ber=1e-4))):
        with pytest.raises(InputError, match=message) as error:
            run(program, images(2), machine, ids=ids)
        assert "\n" not in str(error.value)


def test_drawing_for_identities_that_cannot_be() -> None:
    for ids in ([0.5], torch.tensor([1.0]), np.array([True]), [[1, 2]], np.int64(3)):
        with pytest.raises(InputError, match=r"ids are .*; the identities of images are integers \[B\]"):
            trace(tiny_program("int8"), Faults(ber=1e-4), ids)
    with pytest.raises(InputError, match="images are list"):
        run(tiny_program("int8"), images(2).tolist())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="images are on meta, where they have no values"):
        run(tiny_program("int8"), images(2).to("meta"))
    with pytest.raises(InputError, match=r"images are inside a transform of torch\.func"):
        torch.func.vmap(lambda x: run(tiny_program("int8"), x).logits)(images(2)[:, None])
    with pytest.raises(InputError, match="Faulty of float: give Faults, or a table of Flips"):
        Faulty(Clean(), 1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [Words(product=Int(8)), Words(product=Int(40)), Words(accumulator=Int(16))])
def test_tables_in_words_that_lose_something(words: Words) -> None:
    with pytest.raises(InputError, match=r"words: (product|accumulator)="):
        Flips(sites=(), trial=0, words=words, **dict.fromkeys(COLUMNS, np.empty(0, np.int64)))


COLUMNS = ("image", "site", "kind", "index", "bit")


def test_columns_that_cannot_be() -> None:
    column = np.zeros(2, np.int64)
    for other in (np.zeros(3, np.int64), np.zeros(2), [0, 0], np.zeros((2, 1), np.int64)):
        with pytest.raises(InputError, match=r"flips: bit is .*; columns are numpy int64 \[F\]"):
            Flips(sites=("head",), **{**dict.fromkeys(COLUMNS, column), "bit": other})
    one = flips_of([(1, "head", "mul", 0, 0), (1, "head", "mul", 1, 0)])
    for name, value, message in (("kind", 9, "kind 9"), ("kind", -1, "kind -1"), ("site", 1, "site 1")):
        wrong = replace(one, **{name: np.array([0, value])})
        with pytest.raises(InputError, match=f"row 2: {message} is the place of none of"):
            run(tiny_program("int8"), images(2), Faulty(Clean(), wrong))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [(0, "head", "mul", 0, 0), (7, "head", "mul", 0, 0)],
            "row 2: image 7 is none of the 2 images .*1 rows would hit",
        ),
        (
            [(1, "head/check/x", "mul", 1, 1)],
            "row 1: site 'head/check/x' is a check of 'head', and nothing is protected",
        ),
        ([(1, "head", "mul", 3, 9)], "row 1: bit 9 at site 'head': .* is int16.0:8., bits 0 to 7"),
        ([(1, "head", "special", 0, 0)], "row 1: index 0 at site 'head': it has 0 operations of kind 'special'"),
        ([(1, "hed", "mul", 0, 0)], "row 1: site 'hed' is not one of the program's"),
        ([(1, "head", "mul", 3, 5)] * 2, "site 'head': one of its flips stands in the table twice"),
    ],
)
def test_rows_that_hit_nothing_are_refused(rows, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replay(tiny_program("int8"), images(2), flips_of(rows, words=Words(product=Int(16, 8))))


def test_rows_of_checks_count_where_they_hit() -> None:
    """An alarm at image 0 calls for the checks of its block; nothing calls for those of image 1."""
    program, plan = tiny_program("int8"), all_products(tiny_program("int8"))
    faults = Faults(ber=3e-5, seed=1)
    recorded = _Recording(Faulty(Clean(), faults))
    run(program, images(2), plan.on(recorded))
    site = next(name for name in recorded.sites if "/check/" in name)
    kind = recorded.kinds[site]
    rows = flips_of([(0, site, kind, 0, 0), (1, site, kind, 0, 0), (1, "head", "mul", 0, 0)])
    unprotected = Faulty(Clean(), rows)
    run(program, images(2), unprotected)
    assert unprotected.flips is not None
    assert unprotected.missed is not None
    assert unprotected.flips.per_image(np.arange(2)).tolist() == [0, 1]
    assert unprotected.missed.per_image(np.arange(2)).tolist() == [1, 1]
    protected = Faulty(Clean(), rows)
    run(program, images(2), plan.on(protected))
    assert protected.flips is not None
    assert protected.missed is not None
    assert len(protected.flips) + len(protected.missed) == 3
    assert len(protected.flips) >= 1


class _Recording(Recording):
    """Notes which sites are applied, and the kind of an operation that each has."""

    def __init__(self, inner: Machine) -> None:
        super().__init__(inner)
        self.sites: list[str] = []
        self.kinds: dict[str, str] = {}

    def apply(self, operator, inputs, site) -> Tensor:
        steps = read_cost(operator, tuple(inputs), site).steps
        if steps and steps[0].per_unit:
            self.sites.append(site.name)
            self.kinds[site.name] = steps[0].kind
        return self.inner.apply(operator, inputs, site)


def test_flips_in_nan_words_do_not_depend_on_the_nan() -> None:
    """A NaN of whatever sign and payload: its bits 30 and 22 flipped leave 2^-127 x 1, its bit 30 alone 1.5."""
    sources = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF, 0x7FABCDEF], np.uint32)
    x = torch.from_numpy(sources.view(np.float32).copy())
    for bit, expected in ((30, 1.5), (31, None), (0, None)):
        flips = flips_at("load", [("load", place, bit) for place in range(len(x))])
        got = Faulty(Clean(), flips).load(x)
        assert got.tolist() == [expected] * 5 if expected else bool(got.isnan().all())
        patterns = {int(pattern) for pattern in got.numpy().view(np.uint32)}
        assert patterns == {0x7FC00000 ^ (1 << bit)}
    two = flips_at("load", [("load", place, bit) for place in range(len(x)) for bit in (22, 30)])
    assert Faulty(Clean(), two).load(x).tolist() == [1.0] * 5
    for name, rows in (("sum", [("add", 0, 30)]), ("sum", [("add", 0, 22), ("add", 0, 30)])):
        for pattern in sources:  # inf - inf, whose sign is the processor's, and NaN as it comes
            nan = torch.from_numpy(np.array([pattern], np.uint32).view(np.float32).copy())
            for row in (torch.cat([nan, torch.ones(2)]), torch.tensor([torch.inf, -torch.inf, 1.0])):
                assert Faulty(Clean(), flips_at(name, rows)).sum(row).tolist() == [2.5 if len(rows) == 1 else 2.0]
    a, b = torch.tensor([[torch.inf, 2.0]]), torch.tensor([[0.0], [3.0]])
    assert Faulty(Clean(), flips_at("gemm", [("mul", 0, 30)])).gemm(a, b).tolist() == [[7.5]]
    assert Faulty(Clean(), flips_at("gemm", [("mul", 0, 30), ("mul", 0, 22)])).gemm(a, b).tolist() == [[7.0]]
    assert Faulty(Clean(), flips_at("gemm", [("add", 0, 30)])).gemm(a, b).tolist() == [[1.5]]
