"""Upsets of an array's registers: the closed formulae against an array that runs cycle by cycle."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from radhard.errors import InputError
from radhard.hardware import FaultyArray, ImageProducts, RegisterUpset, SystolicArray
from radhard.machine import Clean, Gemm
from radhard.operators import Conv2d, Linear
from tests.reference.systolic import ARRAYS, Upset
from tests.support.protections import here, int8s, int32s

Dataflow = Literal["output", "weight"]
DATAFLOWS: tuple[Dataflow, ...] = ("output", "weight")


def reference(x: Tensor, w: Tensor, bias: Tensor | None, upset: RegisterUpset) -> list:
    """x [m, k] times w [n, k] on the array that runs cycle by cycle."""
    array, unsigned = upset.array, x.dtype == torch.uint8
    names = ("register", "row", "column", "cycle", "mask", "tile")
    given = Upset(**{name: getattr(upset, name) for name in names})
    run = ARRAYS[array.dataflow]
    words = (x.tolist(), w.T.tolist(), None if bias is None else bias.tolist())
    return run(*words, rows=array.rows, columns=array.columns, upset=given, unsigned=unsigned)


def places(array: SystolicArray, product: ImageProducts) -> Iterator[RegisterUpset]:
    """Bit 0 of every register of every cell, in every cycle of every tile."""
    down, across = array.tiles(product)
    for tile in ((p, q) for p in range(down) for q in range(across)):
        for cycle in range(array.cycles(product)):
            for row in range(array.rows):
                for column in range(array.columns):
                    for register in array.registers:
                        yield RegisterUpset(
                            array=array, register=register, row=row, column=column, cycle=cycle, mask=1, tile=tile
                        )


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize(
    ("shape", "cells"), [((3, 3, 3), (2, 2)), ((2, 5, 4), (3, 2)), ((5, 2, 1), (2, 3)), ((1, 1, 1), (1, 1))]
)
def test_every_upset_of_a_small_array_is_that_of_the_array(
    dataflow: Dataflow, shape: tuple[int, int, int], cells: tuple[int, int]
) -> None:
    """Every register, cell, cycle and tile, a bit of its own and the highest; bias or none, signed words or not."""
    m, k, n = shape
    array = SystolicArray(rows=cells[0], columns=cells[1], dataflow=dataflow)
    x, w, bias = int8s(1, m, k, seed=1), int8s(n, k, seed=2), int32s(n)
    product = ImageProducts(groups=1, m=m, k=k, n=n, terms=k + 1)
    spread = 0
    for number, place in enumerate(places(array, product)):
        bits = array.registers[place.register]
        for mask in (1 << number % bits, 1 << bits - 1):
            upset = replace(place, mask=mask)
            added, left = bias if number % 2 else None, x.view(torch.uint8) if number % 3 else x
            got = FaultyArray(Clean(), upset).apply(Linear(), (left, w, added), here())
            assert got[0].tolist() == reference(left[0], w, added, upset), upset
            spread = max(spread, len(upset.effect(product).units))
    assert spread == max(min(cells[1], n), min(cells[0], m) if dataflow == "output" else m)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("register", ["a", "b", "sum"])
def test_every_bit_of_a_register(dataflow: Dataflow, register: Literal["a", "b", "sum"]) -> None:
    """All bits, where the word is in use."""
    name = "weight" if (register, dataflow) == ("b", "weight") else register
    array = SystolicArray(rows=2, columns=2, dataflow=dataflow)
    x, w, bias = int8s(1, 3, 3, seed=3), int8s(3, 3, seed=4), int32s(3)
    clean = Clean().apply(Linear(), (x, w, bias), here())
    for bit in range(array.registers[name]):
        upset = RegisterUpset(array=array, register=name, row=1, column=0, cycle=3, mask=1 << bit)
        got = FaultyArray(Clean(), upset).apply(Linear(), (x, w, bias), here())
        assert got[0].tolist() == reference(x[0], w, bias, upset)
        assert not torch.equal(got, clean)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_upset_is_that_of_the_array(data: st.DataObject) -> None:
    small = st.integers(1, 5)
    m, k, n, rows, columns = (data.draw(small) for _ in range(5))
    array = SystolicArray(rows=rows, columns=columns, dataflow=data.draw(st.sampled_from(DATAFLOWS)))
    product = ImageProducts(groups=1, m=m, k=k, n=n, terms=k)
    down, across = array.tiles(product)
    register = data.draw(st.sampled_from(list(array.registers)))

    def below(limit: int) -> int:
        return data.draw(st.integers(0, limit - 1))

    upset = RegisterUpset(
        array=array,
        register=register,
        row=below(rows),
        column=below(columns),
        cycle=below(array.cycles(product)),
        mask=1 + below((1 << array.registers[register]) - 1),
        tile=(below(down), below(across)),
    )
    seed = below(1000)
    x, w = int8s(1, m, k, seed=seed), int8s(n, k, seed=seed + 1)
    x = x.view(torch.uint8) if data.draw(st.booleans()) else x
    bias = int32s(n) if data.draw(st.booleans()) else None
    got = FaultyArray(Clean(), upset).apply(Linear(), (x, w, bias), here())
    assert got[0].tolist() == reference(x[0], w, bias, upset)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_one_image_and_one_group_are_hit(dataflow: Dataflow) -> None:
    array = SystolicArray(rows=2, columns=2, dataflow=dataflow)
    upset = RegisterUpset(array=array, register="a", row=0, column=0, cycle=4, mask=64, group=1, image=2)
    a, b = int8s(4, 3, 3, 5, seed=5), int8s(4, 3, 5, 3, seed=6)
    got, clean = (machine.apply(Gemm(), (a, b), here()) for machine in (FaultyArray(Clean(), upset), Clean()))
    assert (got != clean).flatten(2).any(2).nonzero().tolist() == [[2, 1]]
    assert got[2, 1].tolist() == reference(a[2, 1], b[2, 1].T, None, upset)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_a_convolution_is_a_product_of_patches(dataflow: Dataflow) -> None:
    """Rows are positions and terms are (channel, row, column), as torch's unfold has them; depthwise has one column."""
    array = SystolicArray(rows=3, columns=3, dataflow=dataflow)
    x, whole, deep = int8s(1, 2, 4, 4, seed=7), int8s(4, 2, 3, 3, seed=8), int8s(2, 1, 3, 3, seed=9)
    for weight, groups in ((whole, 1), (deep, 2)):
        for register in array.registers:
            place = RegisterUpset(array=array, register=register, row=1, column=0, cycle=6, mask=1 << 5)
            upset = replace(place, group=groups - 1)
            got = FaultyArray(Clean(), upset).apply(Conv2d(groups=groups), (x, weight, None), here())
            part, seen = weight.chunk(groups)[-1], x.chunk(groups, 1)[-1]
            patches = functional.unfold(seen.float(), 3)[0].T.to(torch.int8)
            want = reference(patches, part.flatten(1), None, upset)
            assert got[0, -len(part) :].flatten(1).T.tolist() == want


PRODUCT = ImageProducts(groups=1, m=4, k=5, n=6, terms=5)


def at(**changed) -> RegisterUpset:  # type: ignore[no-untyped-def]
    return RegisterUpset(**{"register": "a", "row": 0, "column": 0, "cycle": 0, "mask": 1, **changed})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SystolicArray(rows=0), "rows=0"),
        (lambda: SystolicArray(columns=0), "columns=0"),
        (lambda: SystolicArray(dataflow="row"), "dataflow='row' is not known; choose from output, weight"),  # type: ignore[arg-type]
        (lambda: at(register="weight"), "register='weight': a cell .* dataflow='output' has a, b, sum"),
        (lambda: at(register="b", array=SystolicArray(dataflow="weight")), "register='b'.* has a, weight, sum"),
        (lambda: at(row=16), r"cell \(16, 0\): the array has 16 x 16 cells"),
        (lambda: at(column=-1), r"cell \(0, -1\)"),
        (lambda: at(mask=256), "mask=0x100: .* a word of 8"),
        (lambda: at(cycle=51).effect(PRODUCT), "cycle=51: a tile of the product takes 51 cycles"),
        (lambda: at(cycle=-1).effect(PRODUCT), "cycle=-1"),
        (lambda: at(tile=(1, 0)).effect(PRODUCT), r"tile \(1, 0\): the product has 1 x 1 tiles"),
        (lambda: at(group=1).effect(PRODUCT), "group=1"),
    ],
)
def test_places_that_are_not_there_are_refused(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        make()
