"""Stuck-at faults of a cell: the closed formulae against an array that runs cycle by cycle."""

from itertools import product as every
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from radhard.errors import InputError
from radhard.hardware import FaultyArray, ImageProducts, StuckAt, SystolicArray
from radhard.hardware.stuck_at import CELL_PARTS, CellPart
from radhard.machine import Clean, Gemm
from radhard.operators import Conv2d, Linear
from radhard.protection.abft.products import matrices
from radhard.protection.abft.stages import Accumulated
from tests.reference.systolic import ARRAYS, Broken
from tests.support.protections import here, int8s, int32s

Dataflow = Literal["output", "weight"]
DATAFLOWS: tuple[Dataflow, ...] = ("output", "weight")
PARTS: tuple[CellPart, ...] = ("sum", "product", "a", "b")


def reference(x: Tensor, w: Tensor, bias: Tensor | None, fault: StuckAt) -> list:
    """x [m, k] times w [n, k] on the array that runs cycle by cycle."""
    names = ("part", "row", "column", "mask", "level")
    broken = Broken(**{name: getattr(fault, name) for name in names})
    words = (x.tolist(), w.T.tolist(), None if bias is None else bias.tolist())
    array, unsigned = fault.array, x.dtype == torch.uint8
    return ARRAYS[array.dataflow](*words, rows=array.rows, columns=array.columns, broken=broken, unsigned=unsigned)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("shape", "cells"), [((3, 5, 3), (2, 2)), ((2, 7, 4), (3, 2)), ((5, 2, 1), (4, 3)), ((1, 1, 1), (1, 1))]
)
def test_every_cell_of_a_small_array_is_broken_as_that_of_the_array(
    dataflow: Dataflow, part: CellPart, shape: tuple[int, int, int], cells: tuple[int, int]
) -> None:
    """Every cell and bit at both levels; a bias or none, signed words or not; what is wrong is what is counted."""
    m, k, n = shape
    array = SystolicArray(rows=cells[0], columns=cells[1], dataflow=dataflow)
    x, w, bias = int8s(1, m, k, seed=1), int8s(n, k, seed=2), int32s(n)
    product = ImageProducts(groups=1, m=m, k=k, n=n, terms=k)
    places = every(range(cells[0]), range(cells[1]), range(CELL_PARTS[part]), (0, 1))
    wrong = 0
    for number, (row, column, bit, level) in enumerate(places):
        fault = StuckAt(array=array, part=part, row=row, column=column, mask=1 << bit, level=level)
        added, left = bias if number // 2 % 2 else None, x.view(torch.uint8) if number // 2 % 3 else x
        got = FaultyArray(Clean(), fault).apply(Linear(), (left, w, added), here())
        assert got[0].tolist() == reference(left[0], w, added, fault), fault
        differ = (got != Clean().apply(Linear(), (left, w, added), here())).flatten().nonzero().flatten().tolist()
        units = fault.effect(product).units.tolist()
        assert set(differ) <= set(units)
        assert fault.words(product) == len(units) == len(set(units))
        wrong += bool(differ)
    assert wrong > cells[0] * cells[1] / 4


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_broken_cell_is_that_of_the_array(data: st.DataObject) -> None:
    small = st.integers(1, 6)
    m, k, n, rows, columns = (data.draw(small) for _ in range(5))
    array = SystolicArray(rows=rows, columns=columns, dataflow=data.draw(st.sampled_from(DATAFLOWS)))
    part = data.draw(st.sampled_from(PARTS))

    def below(limit: int) -> int:
        return data.draw(st.integers(0, limit - 1))

    fault = StuckAt(
        array=array,
        part=part,
        row=below(rows),
        column=below(columns),
        mask=1 + below((1 << CELL_PARTS[part]) - 1),
        level=below(2),
    )
    seed = below(1000)
    x, w = int8s(1, m, k, seed=seed), int8s(n, k, seed=seed + 1)
    x = x.view(torch.uint8) if data.draw(st.booleans()) else x
    bias = int32s(n) if data.draw(st.booleans()) else None
    got = FaultyArray(Clean(), fault).apply(Linear(), (x, w, bias), here())
    assert got[0].tolist() == reference(x[0], w, bias, fault)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("part", PARTS)
def test_every_group_of_the_images_that_meet_it_is_hit(dataflow: Dataflow, part: CellPart) -> None:
    array = SystolicArray(rows=2, columns=2, dataflow=dataflow)
    a, b = int8s(4, 3, 3, 5, seed=5), int8s(4, 3, 5, 3, seed=6)
    clean = Clean().apply(Gemm(), (a, b), here())
    for image, hit in ((2, [2]), (None, [0, 1, 2, 3])):
        fault = StuckAt(array=array, part=part, row=0, column=0, mask=16, level=1, image=image)
        got = FaultyArray(Clean(), fault).apply(Gemm(), (a, b), here())
        for slot, head in every(range(4), range(3)):
            want = reference(a[slot, head], b[slot, head].T, None, fault) if slot in hit else clean[slot, head].tolist()
            assert got[slot, head].tolist() == want
        assert (got != clean).flatten(1).any(1).nonzero().flatten().tolist() == hit


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("part", PARTS)
def test_a_convolution_is_a_product_of_patches(dataflow: Dataflow, part: CellPart) -> None:
    """Rows are positions and terms are (channel, row, column), as torch's unfold has them; depthwise has one column."""
    array = SystolicArray(rows=4, columns=3, dataflow=dataflow)
    x, whole, deep = int8s(1, 2, 4, 4, seed=7), int8s(4, 2, 3, 3, seed=8), int8s(2, 1, 3, 3, seed=9)
    for weight, groups in ((whole, 1), (deep, 2)):
        fault = StuckAt(array=array, part=part, row=1, column=0, mask=1 << 5, level=1)
        bias = int32s(len(weight))
        got = FaultyArray(Clean(), fault).apply(Conv2d(groups=groups), (x, weight, bias), here())
        for group in range(groups):
            filters, seen, added = (y.chunk(groups, d)[group] for y, d in ((weight, 0), (x, 1), (bias, 0)))
            patches = functional.unfold(seen.float(), 3)[0].T.to(torch.int8)
            want = reference(patches, filters.flatten(1), added, fault)
            assert got.chunk(groups, 1)[group][0].flatten(1).T.tolist() == want


@pytest.mark.parametrize("part", PARTS)
def test_the_finished_sums_of_a_product_in_stages_are_those_of_the_array(part: CellPart) -> None:
    """What checks read: the sums after some terms; the last of them is what the array yields."""
    x, w, bias = int8s(1, 5, 7, seed=1), int8s(4, 7, seed=2), int32s(4)
    for dataflow in DATAFLOWS:
        array = SystolicArray(rows=3, columns=3, dataflow=dataflow)
        fault = StuckAt(array=array, part=part, row=2, column=1, mask=1 << 6, level=1)
        inputs, ends = (x, w, bias), (2, 6, 7)
        staged = Accumulated(whole=Linear(), products=matrices(Linear(), inputs, here()), ends=ends)
        got = FaultyArray(Clean(), fault).apply(staged, inputs, here())
        assert got[-1, 0].tolist() == reference(x[0], w, bias, fault)
        if (part, dataflow) != ("sum", "output"):  # where the sums in the array have no bias in them
            tiles = reference(x[0, :, :6], w[:, :6], None, fault)  # two whole tiles
            assert got[1, 0].tolist() == tiles


def test_a_dead_multiplier_leaves_its_terms_out() -> None:
    """By hand: 1 x 1 outputs of 4 ones; two rows of cells."""
    x, w = torch.ones(1, 1, 4, dtype=torch.int8), torch.ones(1, 4, dtype=torch.int8)
    for dataflow, left in (("output", 0), ("weight", 2)):
        array = SystolicArray(rows=2, columns=2, dataflow=dataflow)
        fault = StuckAt(array=array, part="product", row=0, column=0, mask=0xFFFF, level=0)
        assert FaultyArray(Clean(), fault).apply(Linear(), (x, w, None), here()).item() == left


def test_what_no_term_reaches_is_idle() -> None:
    """A row of cells below the last weight; sums pass through it, and a product stuck at 1 adds to them."""
    product = ImageProducts(groups=2, m=3, k=2, n=3, terms=2)
    array = SystolicArray(rows=4, columns=2, dataflow="weight")

    def words(part: CellPart, level: int) -> int:
        fault = StuckAt(array=array, part=part, row=3, column=1, mask=4, level=level)
        assert len(fault.effect(product).units) == fault.words(product)
        return fault.words(product)

    assert [words(part, 1) for part in PARTS] == [6, 6, 0, 0]
    assert [words(part, 0) for part in PARTS] == [6, 0, 0, 0]
    beside = StuckAt(array=SystolicArray(rows=4, columns=4), part="sum", row=3, column=3, mask=1, level=0)
    assert np.array_equal(beside.effect(product).units, [])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"part": "adder"}, "part='adder' is not known; choose from sum, product, a, b"),
        ({"row": 16}, r"cell \(16, 0\): the array has 16 x 16 cells"),
        ({"column": -1}, r"cell \(0, -1\)"),
        ({"level": 2}, "level=2: a bit is stuck at 0 or at 1"),
        ({"part": "a", "mask": 256}, "mask=0x100: .* a word of 8"),
        ({"part": "product", "mask": 1 << 16}, "a word of 16"),
        ({"mask": 1 << 32}, "a word of 32"),
    ],
)
def test_values_that_mean_nothing_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        StuckAt(**{"part": "sum", "row": 0, "column": 0, "mask": 1, "level": 1, **changed})  # type: ignore[arg-type]
