"""What a selection exposes, by patch and bit: flip for flip against the selection made by hand, and by counting."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch

from radhard.analysis.anatomy import anatomy
from radhard.campaign.model_under_test import exposed_bits
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Faults, Faulty, Flips, Where, exposed, exposures, patches_of, trace
from radhard.machine import Clean, Cost, CostStep, Site
from radhard.program import run
from radhard.words import Int, Words
from tests.reference.patches import Grid
from tests.reference.selections import Flip, flip_at, keeps, steps_of, units_of
from tests.support.flips import flips_of, rows_of
from tests.support.models import images, tiny_program

IDS = np.array([4, 0, 9])
KINDS = frozenset({"mul", "add", "load"})
G4, G2, G12, G33 = (4, 4), (2, 2), (1, 2), (3, 3)

WHERES = {
    "patch": Where(patches=("1,2",), grid=G4),
    "row of patches": Where(patches=("0,*",), grid=G2),
    "no patch": Where(patches=("none",), grid=G4),
    "the first patch alone": Where(patches=("0,0",), grid=G2),
    "the last patch spared": ~Where(patches=("1,1",), grid=G2),
    "no patch spared": ~Where(patches=("none",), grid=G12),
    "a grid that cuts tokens": Where(patches=("1,1", "none"), grid=G33),
    "bits": Where(bits=("mul:*:15", "add:int32:3?")),
    "bits spared": ~Where(bits=("*:float32:*", "load:int8:7")),
    "bits in patches": Where(patches=("0,1", "none"), grid=G2, bits=("*:1?",)),
    "all but bits in patches": ~Where(patches=("0,1", "none"), grid=G2, bits=("*:1?",)),
    "patches of a layer": Where(layers=("blocks.1",), patches=("1,*",), grid=G2),
    "patches of a module spared": ~Where(modules=("MHA-LF",), patches=("1,*",), grid=G2),
    "an operator's bits": Where(operators=("softmax", "layer_norm"), bits=("add:float32:31",)),
    "two spared": Where(layers=("blocks.?",))
    .protecting(Where(patches=("0,0",), grid=G2))
    .protecting(Where(bits=("mul:*",))),
    "spared of the spared": ~Where(modules=("FF-LF", "MHA-LF"))
    .protecting(Where(patches=("0,*",), grid=G2))
    .protecting(Where(bits=("add:*",))),
    "three deep": EVERYWHERE.protecting(
        Where(patches=("*,0",), grid=G2).protecting(Where(layers=("blocks.0",)).protecting(Where(bits=("*:int*",))))
    ),
    "a site's patch in a patch": Where(sites=("*.fc1",), patches=("0,0", "0,1"), grid=G2).protecting(
        Where(patches=("0,1",), grid=G2)
    ),
}


@cache
def everywhere(recipe: str) -> Flips:
    return trace(tiny_program(recipe), Faults(ber=2e-3, kinds=KINDS), IDS)


def decoded(flips: Flips, *, recipe: str, grid: Grid) -> list[Flip]:
    sites = {site.name: site for site in tiny_program(recipe).sites}
    return [
        flip_at(sites[name], kind, index, bit, recipe=recipe, grid=grid) for _, name, kind, index, bit in rows_of(flips)
    ]


@pytest.mark.parametrize("recipe", ["int8", "float"])
@pytest.mark.parametrize("name", WHERES)
def test_the_flips_that_are_drawn_are_those_that_are_selected(name: str, recipe: str) -> None:
    where = WHERES[name]
    if recipe == "float" and "int" in str(where):
        pytest.skip("a float program has no such words")
    (grid,) = where.grids or {(1, 1)}
    every = everywhere(recipe)
    rows, flips = rows_of(every), decoded(every, recipe=recipe, grid=grid)
    wanted = [row for row, flip in zip(rows, flips, strict=True) if keeps(where, flip)]
    assert 20 < len(wanted) < len(rows)
    faults = Faults(ber=2e-3, kinds=KINDS, where=where)
    program = tiny_program(recipe)
    assert rows_of(trace(program, faults, IDS)) == wanted
    mask = exposed(every, program.costs, faults, patches=patches_of(program, where))
    assert rows_of(every.take(mask)) == wanted


SMALL = ("patch_embed.load", "blocks.0.norm1", "blocks.1.attn.softmax", "head.load", "head")


@cache
def enumerated(recipe: str, grid: Grid) -> dict[tuple[str, str], Counter[tuple[Flip, ...]]]:
    """Of each small site and kind, every operation, one after the other: the flips of its word."""
    found = {}
    for site in tiny_program(recipe).sites:
        for kind in KINDS if site.name in SMALL else ():
            width = {"load": 8, "mul": 16 if site.name == "head" else 32, "add": 32}[kind] if recipe == "int8" else 32
            operations = range(sum(steps_of(site, kind)) * units_of(site))
            found[site.name, kind] = Counter(
                tuple(flip_at(site, kind, index, bit, recipe=recipe, grid=grid) for bit in range(width))
                for index in operations
            )
    return found


@pytest.mark.parametrize("recipe", ["int8", "float"])
@pytest.mark.parametrize("name", WHERES)
def test_bits_are_counted_as_by_one_after_the_other(name: str, recipe: str) -> None:
    """Each bit of each operation of small sites, of every kind of operator."""
    where = WHERES[name]
    if recipe == "float" and "int" in str(where):
        pytest.skip("a float program has no such words")
    (grid,) = where.grids or {G12}
    program = tiny_program(recipe)
    found = exposures(program.costs, Faults(ber=0.0, kinds=KINDS, where=where), patches=patches_of(program, where))
    got = {(site.name, kind): (e.operations, e.bits) for (site, kind), e in found.items()}
    for place, words in enumerated(recipe, grid).items():
        left = {word: sum(keeps(where, flip) for flip in word) for word in words}
        operations = sum(number for word, number in words.items() if left[word])
        bits = sum(number * left[word] for word, number in words.items())
        assert got.get(place, (0, 0)) == (operations, bits), place


def test_a_rate_of_one_flips_exactly_what_is_exposed() -> None:
    program = tiny_program("int8")
    for where in (WHERES["patch"], WHERES["bits in patches"], WHERES["patches of a layer"]):
        narrow = where.protecting(Where(operators=("linear", "conv2d", "matmul")))
        faults = Faults(ber=1.0, where=narrow)
        flips = trace(program, faults, np.array([3]))
        assert len(flips) == exposed_bits(program, faults)
        assert len(set(rows_of(flips))) == len(flips)


def test_what_a_selection_and_another_inside_it_share() -> None:
    program, faults = tiny_program("int8"), Faults(ber=0.0, where=~Where(layers=("blocks.0",)))
    patches = program.patches(G4)
    inside = Where(patches=("0,0",), grid=G4, bits=("mul:int16:*",))
    found = exposures(program.costs, faults, patches=patches, inside=inside)
    bits = Counter({site.name: exposure.bits for (site, kind), exposure in found.items() if kind == "mul"})
    assert bits["blocks.0.attn.qkv"] == 0
    assert bits["blocks.1.attn.qkv"] == 48 * 16 * 16  # of one token: outputs, products, bits
    assert bits["blocks.1.attn.matmul"] == 2 * 17 * 8 * 16
    assert bits["patch_embed"] == 16 * 4 * 16
    assert bits["head"] == 0
    assert sum(exposure.bits for (_, kind), exposure in found.items() if kind != "mul") == 0


def test_words_that_are_exposed_in_part() -> None:
    """Their name has brackets, which are a pattern of its own: they are matched by a class of their own."""
    program, words = tiny_program("int8"), Words(accumulator=Int(32, 24))
    faults = Faults(ber=1e-2, where=Where(bits=("add:int32[[]0:24]:23",)), words=words)
    flips = trace(program, faults, IDS)
    assert set(flips.bit.tolist()) == {23}
    chains = sum(cost.operations("add") for site, cost in program.costs.items() if site.operator in (
        "linear", "conv2d", "matmul"))  # fmt: skip
    assert exposed_bits(program, faults) == chains
    with pytest.raises(InputError, match="near ones: add:int32"):
        trace(program, Faults(ber=1e-2, where=Where(bits=("add:int32:24",)), words=words), IDS)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (Where(bits=("mul:int16:16",)), r"bit pattern 'mul:int16:16' matches none of .* bits; near ones: mul"),
        (Where(bits=("load:int8:7",)), "leaves no bit that can flip"),  # of a kind that is not exposed
        (~Where(bits=("mul:int8:0",)), "'mul:int8:0' matches none"),
        (~Where(layers=("head",)).protecting(Where(bits=("div:*",))), r"'div:\*' matches none"),
        (Where(layers=("head",), patches=("0,0",), grid=G2, modules=("Head",)), "leaves no bit that can flip"),
        (Where(patches=("0,0",), grid=G2).protecting(Where(patches=("0,*",), grid=G2)), "leaves no bit that can flip"),
        (Where(bits=("mul:*",)).protecting(Where(bits=("*:int16:*", "*:float32:*"))), "leaves no bit that can flip"),
    ],
)  # fmt: skip
def test_a_selection_of_no_bit(where: Where, message: str) -> None:
    with pytest.raises(InputError, match=message):
        trace(tiny_program("int8"), Faults(ber=1e-4, where=where), IDS)
    with pytest.raises(InputError, match=message):
        exposed_bits(tiny_program("int8"), Faults(ber=0.0, where=where))


def test_selections_of_several_grids() -> None:
    program = tiny_program("int8")
    faults = Faults(ber=0.0, where=Where(patches=("0,0",), grid=G2))
    with pytest.raises(InputError, match=r"several grids, \[\(2, 2\), \(4, 4\)\]"):
        exposures(program.costs, faults, patches=program.patches(G2), inside=Where(patches=("0,0",), grid=G4))


# --- on machines ---


def test_a_machine_knows_bits_but_no_patches() -> None:
    """A machine is given what sites cost; which unit stands for which patch is the program's to say."""
    program, batch, ids = tiny_program("int8"), images(3), torch.tensor([4, 0, 9])
    for where in (Where(patches=("0,0",), grid=G2), ~Where(patches=("0,0",), grid=G2)):
        with pytest.raises(InputError, match=r"the program's to say: trace\(program, faults, ids\)"):
            run(program, batch, Faulty(Clean(), Faults(ber=1e-5, where=where)), ids=ids)
        flips = trace(program, Faults(ber=1e-5, where=where), ids)
        machine = Faulty(Clean(), flips)
        logits = run(program, batch, machine, ids=ids).logits
        assert machine.flips is not None
        assert rows_of(machine.flips) == rows_of(flips)
        assert not torch.equal(logits, run(program, batch).logits)
    faults = Faults(ber=1e-4, where=Where(bits=("mul:int16:1?",)))
    machine = Faulty(Clean(), faults)
    logits = run(program, batch, machine, ids=ids).logits
    assert machine.flips is not None
    assert set(machine.flips.bit.tolist()) == set(range(10, 16))
    by_table = run(program, batch, Faulty(Clean(), trace(program, faults, ids)), ids=ids).logits
    assert torch.equal(logits, by_table)


def test_bits_of_an_application_alone() -> None:
    x, faults = torch.ones(200), Faults(ber=0.5, where=Where(bits=("mul:float32:31",)))
    got = Faulty(Clean(), faults).mul(x, x)
    assert set(got.tolist()) == {-1.0, 1.0}
    with pytest.raises(InputError, match="'add:"):
        Faulty(Clean(), Faults(ber=0.5, where=Where(bits=("add:float32:31",)))).mul(x, x)


def test_an_operation_belongs_to_the_unit_of_its_own_step() -> None:
    """Three units of a mul (2 a unit), an add (3) and another mul (1): numbered step by step; two patches."""
    cost = Cost(
        grid=(1, 3),
        steps=tuple(
            CostStep(kind=kind, per_unit=size, dtype=torch.float32)
            for kind, size in (("mul", 2), ("add", 3), ("mul", 1))
        ),
    )
    site = Site(name="s", batch_axis=0)
    patches = {site: np.array([1, -1, 0], dtype=np.int16)}
    unit = {"mul": [0, 0, 1, 1, 2, 2, 0, 1, 2], "add": [0, 0, 0, 1, 1, 1, 2, 2, 2]}
    rows = [(0, "s", kind, index, index % 32) for kind, units in unit.items() for index in range(len(units))]
    flips = flips_of(rows)
    for name, wanted in (("0,1", 0), ("none", 1), ("0,0", 2)):
        faults = Faults(ber=0.1, where=Where(patches=(name,), grid=G12))
        mask = exposed(flips, {site: cost}, faults, patches=patches)
        assert [row for row, hit in zip(rows, mask, strict=True) if hit] == [
            row for row in rows if unit[row[2]][row[3]] == wanted
        ]
        found = exposures({site: cost}, faults, patches=patches)
        assert {kind: (e.operations, e.bits) for (_, kind), e in found.items()} == {"mul": (3, 96), "add": (3, 96)}
    by_bit = Faults(ber=0.1, where=Where(bits=("mul:float32:[0-2]",)))
    assert exposed(flips, {site: cost}, by_bit).tolist() == [index < 3 for index in range(9)] + [False] * 9


def test_the_anatomy_counts_what_is_selected_bit_by_bit() -> None:
    """One bit of each 16-bit product: as many as there are multiplications of integer matrix products."""
    program = tiny_program("int8")
    found = anatomy(
        program, kinds=frozenset({"mul", "add"}), where=Where(bits=("mul:int16:15",)), words=Words(), by="operator"
    )
    products = sum(
        c.operations("mul") for s, c in program.costs.items() if s.operator in ("linear", "conv2d", "matmul")
    )
    assert found.total.exposed_bits == products > 0
    assert {row.operator for row in found.rows if row.exposed_bits} <= {"linear", "conv2d", "matmul"}
