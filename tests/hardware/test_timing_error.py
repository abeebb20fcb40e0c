"""Timing errors of sums, against an array that runs cycle by cycle and writes one bit too late."""

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware import FaultyArray, ImageProducts, SystolicArray, TimingError
from radhard.machine import Clean, Gemm
from radhard.operators import Linear
from tests.reference.systolic import ARRAYS, Late
from tests.support.protections import here, int8s, int32s

Dataflow = Literal["output", "weight"]
DATAFLOWS: tuple[Dataflow, ...] = ("output", "weight")


def reference(x: Tensor, w: Tensor, bias: Tensor | None, error: TimingError) -> list:
    """x [m, k] times w [n, k] on the array that runs cycle by cycle."""
    late = Late(row=error.row, column=error.column, term=error.term, bit=error.bit)
    words = (x.tolist(), w.T.tolist(), None if bias is None else bias.tolist())
    array, unsigned = error.array, x.dtype == torch.uint8
    return ARRAYS[array.dataflow](*words, rows=array.rows, columns=array.columns, late=late, unsigned=unsigned)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_every_sum_and_bit_of_a_small_product(dataflow: Dataflow) -> None:
    array = SystolicArray(rows=2, columns=2, dataflow=dataflow)
    x, w, bias = int8s(1, 2, 5, seed=1), int8s(3, 5, seed=2), int32s(3)
    clean, wrong = Clean().apply(Linear(), (x, w, bias), here()), []
    for place in range(2 * 3 * 5):
        row, column, term = place // 15, place // 5 % 3, place % 5
        for bit in range(32):
            error = TimingError(array=array, row=row, column=column, term=term, bit=bit)
            got = FaultyArray(Clean(), error).apply(Linear(), (x, w, bias), here())
            assert got[0].tolist() == reference(x[0], w, bias, error), error
            off = (got - clean).flatten().nonzero().flatten().tolist()
            assert off in ([], [row * 3 + column])
            wrong.append(bool(off))
    assert 0.1 < sum(wrong) / len(wrong) < 0.9  # of bits that an addition leaves as they are nothing is wrong


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_timing_error_is_that_of_the_array(data: st.DataObject) -> None:
    small = st.integers(1, 6)
    m, k, n, rows, columns = (data.draw(small) for _ in range(5))
    array = SystolicArray(rows=rows, columns=columns, dataflow=data.draw(st.sampled_from(DATAFLOWS)))

    def below(limit: int) -> int:
        return data.draw(st.integers(0, limit - 1))

    error = TimingError(array=array, row=below(m), column=below(n), term=below(k), bit=below(32))
    seed = below(1000)
    x, w = int8s(1, m, k, seed=seed), int8s(n, k, seed=seed + 1)
    x = x.view(torch.uint8) if data.draw(st.booleans()) else x
    bias = int32s(n) if data.draw(st.booleans()) else None
    got = FaultyArray(Clean(), error).apply(Linear(), (x, w, bias), here())
    assert got[0].tolist() == reference(x[0], w, bias, error)


def test_one_image_and_one_group_are_hit() -> None:
    a, b = int8s(4, 3, 3, 5, seed=5), int8s(4, 3, 5, 3, seed=6)
    clean, hit = Clean().apply(Gemm(), (a, b), here()), []
    for bit in range(32):
        error = TimingError(row=1, column=2, term=3, bit=bit, group=1, image=2)
        got = FaultyArray(Clean(), error).apply(Gemm(), (a, b), here())
        assert got[2, 1].tolist() == reference(a[2, 1], b[2, 1].T, None, error)
        hit += (got != clean).flatten(2).any(2).nonzero().tolist()
    assert hit
    assert all(place == [2, 1] for place in hit)


def test_sums_that_are_not_there_are_refused() -> None:
    product = ImageProducts(groups=1, m=4, k=5, n=6, terms=6)
    for name, value in (("row", 4), ("column", 6), ("term", 5), ("group", 1)):
        with pytest.raises(InputError, match=f"{name}={value}"):
            TimingError(**{"row": 0, "column": 0, "term": 0, "bit": 0, name: value}).effect(product)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="bit 32: a sum has 32 bits"):
        TimingError(row=0, column=0, term=0, bit=32)
