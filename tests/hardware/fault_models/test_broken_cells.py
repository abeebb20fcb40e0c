"""The fault models of broken cells: their places, their addresses, and what an image under one has for an answer."""

from collections import Counter

import pytest
import torch

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import EVERY_PRODUCT, BrokenCell, BrokenCells, FaultModel, FaultyArray, StuckAt, UpsetMachine
from radhard.machine import Clean
from radhard.program import Resuming, rerun, run_and_keep
from radhard.protection import Protected, Tmr
from radhard.protection.schemes.dmr import Dmr
from tests.support.models import images, tiny_program

PARTS = ("sum", "product", "a", "b")
SMALL = {"array": (3, 4)}
MODELS: dict[str, FaultModel] = {
    f"{part}, {dataflow}": rh.StuckBits(of=part, dataflow=dataflow, **SMALL)  # type: ignore[arg-type]
    for part in PARTS
    for dataflow in ("output", "weight")
} | {"dead": rh.DeadMultipliers(**SMALL)}  # type: ignore[arg-type]


def places_in(program: rh.Program, model: FaultModel, **chosen: object) -> BrokenCells:
    found = model.places(program, **chosen)  # type: ignore[arg-type]
    assert isinstance(found, BrokenCells)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_an_image_has_the_answer_of_an_array_with_that_cell_in_every_product(name: str) -> None:
    """Against a machine in which every product of every image has that one fault, image by image."""
    program, batch = tiny_program("int8"), images(16)
    places = places_in(program, MODELS[name])
    machine = UpsetMachine(rh.Clean(), places, seed=3)
    got, clean = rh.run(program, batch, machine).logits, rh.run(program, batch).logits
    for image, (_, cell) in machine.upsets.items():
        assert isinstance(cell, BrokenCell)
        alike = StuckAt(
            array=cell.array, part=cell.part, row=cell.row, column=cell.column, mask=cell.mask, level=cell.level
        )
        alone = FaultyArray(rh.Clean(), alike)
        assert torch.equal(got[image], rh.run(program, batch[image : image + 1], alone).logits[0])
    assert (got != clean).any(1).sum() > 4


@pytest.mark.parametrize("name", MODELS)
def test_an_image_that_is_run_again_has_the_same_answer(name: str) -> None:
    """`touched` names all sites at which something is wrong."""
    program, batch, ids = tiny_program("int8"), images(12), torch.arange(12)
    places = places_in(program, MODELS[name])
    whole = rh.run(program, batch, UpsetMachine(rh.Clean(), places, seed=8), ids=ids).logits
    kept, resuming = run_and_keep(program, batch, Clean(), ids=ids), Resuming(Clean())
    machine = UpsetMachine(resuming, places, seed=8)
    again = rerun(kept, machine, touched=machine.touched(ids), resuming=resuming)
    assert torch.equal(again.result.logits, whole)
    assert not torch.equal(whole, kept.result.logits)


def test_every_place_is_as_likely_and_counted() -> None:
    program = tiny_program("int8")
    for model, count in ((rh.StuckBits(of="a", array=(2, 3)), 2 * 3 * 8 * 2), (rh.DeadMultipliers(array=(8, 9)), 72)):
        places = places_in(program, model)
        assert places.bits == count
        drawn = Counter(
            (cell.row, cell.column, cell.mask, cell.level)  # type: ignore[attr-defined]
            for _, cell in places.sample(range(100 * count), seed=4, trial=1).values()
        )
        assert len(drawn) == count
        assert 60 < min(drawn.values()) <= max(drawn.values()) < 145  # 100 in the mean, 4 deviations
    assert [places_in(program, rh.StuckBits(of=part)).bits for part in PARTS] == [  # type: ignore[arg-type]
        256 * bits * 2 for bits in (32, 16, 8, 8)
    ]


def test_the_cell_depends_on_seed_trial_and_image_alone() -> None:
    """Not on what is selected, the dataflow, the copies, or which other images there are."""
    program = tiny_program("int8")
    model = rh.StuckBits(**SMALL)  # type: ignore[arg-type]
    whole = places_in(program, model)

    def cells(places: BrokenCells, ids: range, **key: int) -> list[tuple[int, ...]]:
        drawn = places.sample(ids, **{"seed": 0, **key}).values()
        return [(one.row, one.column, one.mask, one.level) for _, one in drawn]  # type: ignore[attr-defined]

    known = cells(whole, range(40))
    assert len(set(known)) > 30
    assert cells(whole, range(20, 40)) == known[20:]
    one = places_in(program, model, sites=[next(iter(whole.products))])
    other = places_in(program, rh.StuckBits(dataflow="weight", copies="other", **SMALL))  # type: ignore[arg-type]
    assert cells(one, range(40)) == cells(other, range(40)) == known
    for key in ({"seed": 1}, {"trial": 1}):
        assert sum(a == b for a, b in zip(cells(whole, range(40), **key), known, strict=True)) < 5


def test_it_is_in_the_products_that_are_selected() -> None:
    program, batch = tiny_program("int8"), images(6)
    model = rh.StuckBits(of="product", array=(1, 1))
    every = list(places_in(program, model).products)
    chosen = [every[0], every[3]]
    places = places_in(program, model, sites=chosen)
    drawn = places.sample(range(6), seed=0)
    assert {site for site, _ in drawn.values()} == {";".join(chosen)}
    assert {site for site, _ in places_in(program, model).sample(range(6), seed=0).values()} == {EVERY_PRODUCT}
    for site, cell in drawn.values():
        assert isinstance(cell, BrokenCell)
        assert places.sites(site, cell) == chosen
        assert places.words(site, cell) == sum(p.groups * p.m * p.n for p in places.products.values())
        assert places.words(f"{chosen[0]}; {chosen[0]}", cell) == places.words(chosen[0], cell)
    machine = UpsetMachine(rh.Clean(), places, seed=0)
    got = rh.run(program, batch, machine).logits
    for image, (_, cell) in drawn.items():
        alone = FaultyArray(rh.Clean(), cell, sites=chosen)  # type: ignore[arg-type]
        own = torch.tensor([image])
        assert torch.equal(got[image], rh.run(program, batch[image : image + 1], alone, ids=own).logits[0])
    assert set(machine.touched(torch.arange(6))) == set(chosen)


@pytest.mark.parametrize("name", ["sum, output", "b, weight", "dead"])
def test_copies_meet_the_broken_cell_or_do_not(name: str) -> None:
    """On one array three executions are wrong alike; of other arrays two are right."""
    program, batch = tiny_program("int8"), images(10)
    model = MODELS[name]
    names = [site.name for site in program.sites]
    clean = rh.run(program, batch).logits
    wrong = rh.run(program, batch, UpsetMachine(rh.Clean(), model.places(program), seed=2)).logits
    assert (wrong != clean).any(1).sum() > 3
    for scheme in (Tmr(), Tmr(vote="bitwise"), Dmr()):
        for copies, want in (("same", wrong), ("other", clean)):
            own = type(model)(**{**vars(model), "copies": copies})
            machine = Protected(UpsetMachine(rh.Clean(), own.places(program), seed=2), dict.fromkeys(names, scheme))
            assert torch.equal(rh.run(program, batch, machine).logits, want)
            alarms = sum(account.alarms for account in machine.accounts.values())
            assert alarms == 0 if copies == "same" else alarms > 3


def test_what_is_wrong_is_told_and_read_again() -> None:
    program = tiny_program("int8")
    for model in MODELS.values():
        places = places_in(program, model)
        for image, (site, cell) in places.sample(range(20), seed=1).items():
            assert isinstance(cell, BrokenCell)
            assert places.upset(site, cell.record(), image=image) == cell
            assert (places.told(site, cell) == "idle") == (places.words(site, cell) == 0)
    stuck, dead = places_in(program, rh.StuckBits(array=(3, 4))), places_in(program, rh.DeadMultipliers(array=(3, 4)))
    one = stuck.upset(EVERY_PRODUCT, {"row": "2", "column": "3", "bit": "12", "level": "1"}, image=0)
    count = len(stuck.sites(EVERY_PRODUCT, one))
    assert stuck.told(EVERY_PRODUCT, one) == f"bit 12 of sums of cell (2, 3) at 1, in {count} products"
    first = next(iter(dead.products))
    cell = dead.upset(first, {"row": 0, "column": 0}, image=0)
    assert dead.told(first, cell) == "products of cell (0, 0) at 0, in 1 product"
    assert list(cell.record()) == ["row", "column"]


@pytest.mark.parametrize(
    ("site", "changed", "message"),
    [
        ("there", {}, "site 'there' has no product on the array; those that have: "),
        (f"{EVERY_PRODUCT};there", {}, "site 'every product' has no product"),
        (EVERY_PRODUCT, {"bit": 32}, "bit 32: a word sum has 32 bits, counted from 0"),
        (EVERY_PRODUCT, {"level": 2}, "level=2: a bit is stuck at 0 or at 1"),
        (EVERY_PRODUCT, {"level": ""}, r"level \(nothing\) is not a whole number"),
        (EVERY_PRODUCT, {"row": 16}, r"cell \(16, 0\): the array has 16 x 16 cells"),
    ],
)
def test_a_place_that_is_none_is_refused(site: str, changed: dict[str, object], message: str) -> None:
    places = rh.StuckBits().places(tiny_program("int8"))
    with pytest.raises(InputError, match=message):
        places.upset(site, {"row": 0, "column": 0, "bit": 0, "level": 0, **changed}, image=0)


@pytest.mark.parametrize("kind", [rh.StuckBits, rh.DeadMultipliers])
def test_what_has_no_place_is_refused(kind: type[rh.StuckBits | rh.DeadMultipliers]) -> None:
    program = tiny_program("int8")
    with pytest.raises(InputError, match=r"computes in floats: quantise the program"):
        kind().places(tiny_program("float"))
    softmax = next(site.name for site in program.sites if site.operator == "softmax")
    with pytest.raises(InputError, match="none of the sites has a product of int8 words"):
        kind().places(program, sites=[softmax])
    for options, message in (
        ({"array": (0, 4)}, "rows=0"),
        ({"array": [4, 4]}, r"array=\[4, 4\]: give its rows and columns"),
        ({"dataflow": "row"}, "dataflow='row' is not known; choose from output, weight"),
        ({"copies": "both"}, "copies='both' is not known; choose from same, other"),
    ):
        with pytest.raises(InputError, match=message):
            kind(**options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="of='adder' is not known; choose from sum, product, a, b"):
        rh.StuckBits(of="adder")  # type: ignore[arg-type]
