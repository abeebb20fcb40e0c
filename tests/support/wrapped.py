"""Every float operator of the table between words of 8 bits, signed and unsigned, with zero points and without."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from radhard.machine import UNSIGNED, Grid
from radhard.operators import Affine, AvgPool2d, Conv2d, Gemm, Linear, Load, Quantized
from tests.support.operators import BARE, Case

ZEROS = {
    "": (Grid(), Grid()),
    ", zero points": (Grid(zero=-13), Grid(zero=20, low=-100, high=100)),
    ", unsigned": (UNSIGNED, UNSIGNED),
    ", unsigned, zero points": (
        Grid(zero=113, low=0, high=255, dtype=torch.uint8),
        Grid(zero=131, low=3, high=250, dtype=torch.uint8),
    ),
}
PRODUCTS = Linear | Conv2d | Gemm


def _spread(x: Tensor) -> float:
    return float(x.abs().max()) / 97.3  # so that few values lie half-way between two words


def _words(x: Tensor, affine: Affine) -> Tensor:
    """Numbers [...] -> the words that stand for them."""
    grid = affine.grid
    return (x / affine.scale).round().add(grid.zero).clamp(grid.low, grid.high).to(grid.dtype)


def _numbers(x: Tensor, affine: Affine) -> Tensor:
    return (x.float() - affine.grid.zero) * affine.scale


def _read_in_one_image(case: Case, place: int) -> int:
    """The elements of an input that the units of one image read, each as often as it is read."""
    if isinstance(case.operator, AvgPool2d):
        return case.count["add"] + case.count["mul"]  # a running sum of n words, times 1 / n
    x = case.part(0, 1)[place]
    assert x is not None
    return x.numel()


def _written_in_one_image(case: Case) -> int:
    return case.torch(*case.part(0, 1)).numel()


def _wrapped(case: Case, *, reads: Grid | None, writes: Grid | None) -> Case:
    """`case` with the images' inputs as words on `reads`, its output as words on `writes`; None leaves floats."""
    carried = {place: x for place, x in enumerate(case.inputs) if place in case.of_images and x is not None}
    read = {place: Affine(scale=_spread(x), grid=reads) for place, x in carried.items()} if reads else {}
    inputs = tuple(_words(x, read[i]) if i in read and x is not None else x for i, x in enumerate(case.inputs))

    def numbers(*words: Tensor | None) -> Tensor:
        return case.torch(*(_numbers(x, read[i]) if i in read and x is not None else x for i, x in enumerate(words)))

    written = None if writes is None else Affine(scale=_spread(numbers(*inputs)), grid=writes)

    def wanted(*words: Tensor | None) -> Tensor:
        return numbers(*words) if written is None else _words(numbers(*words), written)

    scales = sum(_read_in_one_image(case, place) for place in read)
    scales += _written_in_one_image(case) if written is not None else 0
    return replace(
        case,
        operator=Quantized(
            inner=case.operator, reads=tuple(read.get(place) for place in range(len(inputs))), writes=written
        ),
        inputs=inputs,
        torch=wanted,
        count={**case.count, "scale": scales},
        step=0.0 if written is None else 1.0,
        exact=False,
    )


def _is_float(case: Case) -> bool:
    """Whether the operator computes in floats, and is none that words stand for themselves in."""
    first = case.inputs[0]
    assert first is not None
    return first.is_floating_point() and not isinstance(case.operator, Quantized | Load | PRODUCTS)


WRAPPERS: dict[str, Callable[[Grid, Grid], dict[str, Grid | None]]] = {
    "words in": lambda read, _: {"reads": read, "writes": None},
    "words out": lambda _, write: {"reads": None, "writes": write},
    "words in and out": lambda read, write: {"reads": read, "writes": write},
}

_FLOATS = [name for name, case in BARE.items() if _is_float(case)]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a wrapped case stands in the cross of operators, wrappers and grids."""

    operator: int
    wrapper: int
    grid: int

    @property
    def covers(self) -> bool:
        """Whether it is one of the third of the cross that has every pair of two of the three factors.

        Every operator stands in four of these cases: once on each grid, and at least once in each wrapper.
        """
        return self.wrapper == (self.operator + self.grid) % len(WRAPPERS)

    def covers_with(self, choice: int, choices: int) -> bool:
        """The same of a fourth factor: every operator, wrapper and grid meets each of at most four choices."""
        return self.covers and choice == (self.grid + self.operator // len(WRAPPERS)) % max(choices, 1)


PLACES = {
    f"{name}: {wrapper}{points}": Place(operator=operator, wrapper=way, grid=grid)
    for operator, name in enumerate(_FLOATS)
    for way, wrapper in enumerate(WRAPPERS)
    for grid, points in enumerate(ZEROS)
}

WRAPPED: dict[str, Case] = {
    f"{name}: {wrapper}{points}": _wrapped(BARE[name], **grids(*pair))
    for name in _FLOATS
    for wrapper, grids in WRAPPERS.items()
    for points, pair in ZEROS.items()
}


def every(cases: Mapping[str, Case]) -> list[Any]:
    """Cases by name -> parameters of a test: those alone, and a third of the wrapped; the others are slow."""
    return [
        pytest.param(case, id=name, marks=() if name not in PLACES or PLACES[name].covers else pytest.mark.slow)
        for name, case in cases.items()
    ]


def every_with(cases: Mapping[str, Case], choices: Mapping[str, object]) -> list[Any]:
    """Cases by name, each with each choice: cases alone with all, wrapped ones as they cover pairs; others are slow."""
    return [
        pytest.param(
            *(case, value),
            id=f"{choice}-{name}",
            marks=() if name not in PLACES or PLACES[name].covers_with(k, len(choices)) else pytest.mark.slow,
        )
        for name, case in cases.items()
        for k, (choice, value) in enumerate(choices.items())
    ]
