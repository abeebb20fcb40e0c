"""Selections of flips: which sites they leave, what includes what, and what is refused."""

import json
from functools import reduce
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radhard.errors import InputError
from radhard.faults import EVERYWHERE, NOWHERE, Where, patch_names
from radhard.faults.where import check_patterns
from radhard.machine import Site
from tests.reference.selections import Flip, keeps
from tests.support.models import tiny_program

SITES = tiny_program("float").sites
GRID = (2, 2)


def names(where: Where) -> set[str]:
    return {site.name for site in where.select(SITES)}


def under(layer: str) -> set[str]:
    return {site.name for site in SITES if site.layer == layer}


EVERY = names(EVERYWHERE)
SOFTMAX = Where(operators=("softmax",))
BLOCK = Where(layers=("blocks.0",))


# --- sites ---


def test_what_is_spared_is_left_out() -> None:
    assert names(EVERYWHERE.protecting(BLOCK)) == EVERY - under("blocks.0") == names(~BLOCK)
    assert names(BLOCK.protecting(SOFTMAX)) == under("blocks.0") - {"blocks.0.attn.softmax"}
    twice = EVERYWHERE.protecting(BLOCK).protecting(Where(layers=("head",)))
    assert twice == Where(protected=(BLOCK, Where(layers=("head",))))
    assert names(twice) == under("stem") | under("blocks.1")
    assert names(BLOCK) == under("blocks.0")  # a value: nothing was changed in it


def test_what_is_spared_of_the_spared_is_left_in() -> None:
    """All but (block 0 but its softmax)."""
    nested = ~BLOCK.protecting(SOFTMAX)
    assert names(nested) == EVERY - under("blocks.0") | {"blocks.0.attn.softmax"}
    assert names(~nested) == under("blocks.0") - {"blocks.0.attn.softmax"}
    deeper = EVERYWHERE.protecting(BLOCK.protecting(Where(modules=("NLF",)).protecting(SOFTMAX)))
    assert names(deeper) == EVERY - under("blocks.0") | {
        "blocks.0.norm1", "blocks.0.norm2", "blocks.0.mlp.act",
    }  # fmt: skip


def test_all_but_all_but() -> None:
    fine = Where(patches=("0,0",), grid=GRID)
    for where in (EVERYWHERE, BLOCK, fine, BLOCK.protecting(SOFTMAX), Where(protected=(BLOCK, SOFTMAX))):
        assert ~~where == where
        assert ~where != where
    assert ~Where(protected=(BLOCK, SOFTMAX)) == Where(protected=(Where(protected=(BLOCK, SOFTMAX)),))


def test_a_site_that_is_spared_in_part_is_still_exposed() -> None:
    bit = Where(layers=("blocks.0",), bits=("*:31",))
    patch = Where(layers=("blocks.0",), patches=("0,0",), grid=GRID)
    for fine in (bit, patch):
        assert fine.fine
        assert (~fine).fine
        assert names(fine) == under("blocks.0")
        assert names(~fine) == EVERY
        assert names(BLOCK.protecting(fine)) == under("blocks.0")
        assert names(~BLOCK.protecting(fine)) == EVERY
    assert not BLOCK.protecting(SOFTMAX).fine


# --- what includes what ---

LAYERS, OPERATORS, BITS = ("a", "b"), ("linear", "add"), ("mul:int16:0", "mul:int16:15", "add:int32:15")
UNIVERSE = [
    Flip(site=Site(name=f"{layer}.{operator}", operator=operator, layer=layer, module="m"), patch=patch, bit=bit)
    for layer, operator, patch, bit in product(LAYERS, OPERATORS, (*patch_names(GRID), NOWHERE), BITS)
]


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sampled_from([(), (), *((value,) for value in values), values[:2]])


FLAT = st.builds(
    lambda layers, operators, patches, bits: Where(
        layers=layers, operators=operators, patches=patches, grid=GRID if patches else None, bits=bits
    ),
    some(LAYERS), some(OPERATORS), some(("0,*", "1,1", NOWHERE)), some(("*:15", "add:*")),
)  # fmt: skip
WHERES = st.recursive(
    FLAT,
    lambda inner: st.builds(
        lambda where, protected: reduce(Where.protecting, protected, where),
        FLAT,
        st.lists(inner, min_size=1, max_size=2),
    ),
    max_leaves=6,
)  # fmt: skip


def kept(where: Where) -> set[Flip]:
    return {flip for flip in UNIVERSE if keeps(where, flip)}


@settings(max_examples=400, deadline=None)
@given(WHERES, WHERES)
def test_within_means_that_every_flip_is_one_of_the_others(one: Where, other: Where) -> None:
    for a, b in (
        (one, other),
        (one.protecting(other), one),
        (one, one.protecting(other)),
        (one.protecting(other), other),
    ):
        if a.within(b):
            assert kept(a) <= kept(b)
    assert one.within(one)
    assert one.protecting(other).within(one)
    assert one.protecting(other).protecting(BLOCK).within(one.protecting(BLOCK))
    assert one.within(one.protecting(other)) == (other in one.protected)


@settings(max_examples=200, deadline=None)
@given(WHERES)
def test_a_site_is_selected_where_a_flip_is(where: Where) -> None:
    """A site that is not selected has no flip; one that is has some, if no patch and no bit is told apart."""
    sites = {flip.site for flip in kept(where)}
    every = {flip.site for flip in UNIVERSE}
    selected = {site for site in every if where.selects(site)}
    assert sites <= selected
    if not where.fine:
        assert sites == selected
    assert kept(~where) == set(UNIVERSE) - kept(where)


# --- what is refused ---


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (~BLOCK.protecting(Where(operators=("sofmax",))), "operator pattern 'sofmax' matches none .*: softmax"),
        (Where(protected=(BLOCK, Where(sites=("hea",)))), "site pattern 'hea' .*near ones: .*head"),
        (Where(patches=("2,0",), grid=GRID), r"patch pattern '2,0' matches none of the model's 5 patches; near ones: "),
        (~Where(patches=("0,0", "00"), grid=GRID), "patch pattern '00' matches none"),
        (BLOCK.protecting(BLOCK), r"layer blocks.0, but not \(layer blocks.0\) leaves none of the model's .* sites"),
        (Where(protected=(BLOCK, Where(layers=("[sh]*", "blocks.1")))), "leaves none"),
    ],
)
def test_a_pattern_that_matches_nothing(where: Where, message: str) -> None:
    with pytest.raises(InputError, match=message):
        where.select(SITES)


@pytest.mark.parametrize("pattern", [NOWHERE, "*", "?,?", "1,[01]"])
def test_patterns_of_patches(pattern: str) -> None:
    assert names(Where(patches=(pattern,), grid=GRID)) == EVERY


def test_bits_that_are_not_there() -> None:
    known = ("add:int32:0", "add:int32:1", "mul:int16:0")
    check_patterns(("add:*", "*:0"), known, what="bit")
    with pytest.raises(InputError, match=r"bit pattern 'add:int32:2' matches none of the model's 3 bits; near ones"):
        check_patterns(("add:*", "add:int32:2"), known, what="bit")


def test_patches_need_one_grid() -> None:
    with pytest.raises(InputError, match=r"patches 0,0, 1,1 of which grid\? .*grid=\(7, 7\)"):
        Where(patches=("0,0", "1,1"))
    for grid in ((0, 4), (4, 0), (-1, 4)):
        with pytest.raises(InputError, match="at least one row and one column"):
            Where(patches=("0,0",), grid=grid)
    one, other = Where(patches=("0,0",), grid=(2, 2)), Where(patches=("0,0",), grid=(2, 3))
    for both in (lambda: one.protecting(other), lambda: EVERYWHERE.protecting(one).protecting(BLOCK.protecting(other))):
        with pytest.raises(InputError, match=r"several grids, \[\(2, 2\), \(2, 3\)\]"):
            both()
    assert one.protecting(one).grids == {(2, 2)}
    assert (~(~one).protecting(BLOCK)).grids == {(2, 2)}
    assert BLOCK.grids == frozenset()


def test_as_json() -> None:
    where = Where(
        layers=("l",), modules=("m",), operators=("o",), sites=("s",), patches=("0,1",), grid=(2, 3), bits=("b",)
    )
    written = {
        "layers": ["l"], "modules": ["m"], "operators": ["o"], "sites": ["s"], "patches": ["0,1"], "grid": [2, 3],
        "bits": ["b"], "spared": [],
    }  # fmt: skip
    nothing = {**{key: [] for key in written}, "grid": None}
    assert json.loads(json.dumps(where.as_dict())) == written
    nested = {**nothing, "spared": [{**nothing, "layers": ["blocks.0"]}, {**nothing, "spared": [written]}]}
    assert json.loads(json.dumps((~BLOCK).protecting(~where).as_dict())) == nested


def test_names_of_patches() -> None:
    assert patch_names((2, 3)) == ("0,0", "0,1", "0,2", "1,0", "1,1", "1,2")
