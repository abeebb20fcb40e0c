"""Attributes each unit of each operator to a patch of the image, by tracing positions through the program.

Every pixel is given its place in the image, and the program is run on places instead of words: moves carry them along
as they carry words, and an operator's unit stands for what it reads. So a token of a transformer keeps its patch
through every block, whatever windows it is put into, and so does a position of a convolutional map. Of a matrix product
of activations a unit stands for what its row reads (the query of QK^T) or, where no row stands for anything (the class
token's alone), its column; of a convolution for the middle of its window.
What stands for half the height or width of the image or more, such as a mean over it, or for no pixel at all, such as
a class token, stands for no patch.

Places travel as one batch of four images: the highest y, 1 - the lowest y, the highest x, 1 - the lowest x of what an
element stands for. So the largest of each is right wherever places meet, be it here or in a move such as max-pooling,
and 0, of padding and of weights, stands for nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radhard.errors import InputError
from radhard.machine import Cost, Elementwise, Gemm, Machine, Operator, Rows, Site, Units
from radhard.operators import Conv2d, Quantized

HALF = 0.5
"""Of height or width: what covers so much, from middle to middle of its pixels, stands for no patch."""

_EDGE = 1e-4  # of a patch: what stands on the edge of two belongs to the later one, whatever rounding says

_SIGNS = frozenset({"aten.neg.default", "aten.abs.default", "aten.sign.default"})

Places = Mapping[Site, NDArray[np.float32]]

_CHUNK = 1 << 24  # elements of unit inputs that are looked at at a time


class ReceptiveFields(Machine):
    """Carries places through a program: of each site, for each unit of one image, `places` [4, units] float32."""

    def __init__(self) -> None:
        self.places: dict[Site, NDArray[np.float32]] = {}

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Start afresh."""
        del costs, ids
        self.places = {}

    @property
    def non_finite(self) -> Tensor:
        """None: nothing is computed."""
        return torch.zeros(4, dtype=torch.int64)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The places of the output, from those of the first input that has any; elementwise, of the largest such."""
        placed = [i for i, x in enumerate(inputs) if x is not None and bool((x > 0).any())] or [0]
        inner = operator.inner if isinstance(operator, Quantized) else operator
        first = max(placed, key=lambda i: _numel(inputs[i])) if isinstance(inner, Elementwise) else placed[0]
        x = inputs[first]
        assert x is not None
        if isinstance(operator, Conv2d):
            out, units = _convolved(operator, x, inputs)
        elif isinstance(operator, Gemm):
            rows = x.amax(-1, keepdim=True) if first == 0 else x.amax(-2, keepdim=True)
            out = units = rows.expand(operator.empty(inputs).shape).contiguous()
        else:
            found = operator.units(inputs)
            units = _hull(found, first).view(found.grid)
            out = x
            if (shape := operator.empty(inputs).shape) != x.shape:
                out = torch.zeros(shape)
                width = out.numel() // units.numel()
                flat = units.flatten()
                found.scatter(out, torch.arange(len(flat)), flat if width == 1 else flat[:, None].expand(-1, width))
        if site.batch_axis is None:
            self.places[site] = np.zeros((4, units.numel()), np.float32)
        else:
            slot, unit = np.divmod(np.arange(units.numel()), units.numel() // 4)
            at = site.flat(tuple(units.shape), slot, unit)
            self.places[site] = units.flatten().numpy()[at].reshape(4, -1)
        return out


def pixels(shape: tuple[int, ...]) -> Tensor:
    """The places of the pixels of an image [c, h, w]: [4, c, h, w] float32."""
    channels, height, width = shape
    y = ((torch.arange(height) + 0.5) / height)[:, None].expand(height, width)
    x = ((torch.arange(width) + 0.5) / width).expand(height, width)
    return torch.stack([y, 1 - y, x, 1 - x])[:, None].expand(4, channels, height, width).contiguous()


def without_places(constant: Any) -> Any:
    """A constant as it is where places are: weights stand for no pixel, indices and masks stay."""
    is_index = not isinstance(constant, Tensor) or constant.dtype in (torch.bool, torch.int32, torch.int64)
    return constant if is_index else torch.zeros(constant.shape)


def unsigned(step: Any) -> Any:
    """A step that keeps the places that a change of sign would lose (rotary embeddings negate half of a token)."""
    return replace(step, function=_same) if getattr(step, "name", "") in _SIGNS else step


def _same(x: Tensor) -> Tensor:
    return x


def patch_of(places: NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.int16]:
    """Places [4, units] -> the patch [units] of a grid (rows, columns) in which their middle lies; -1: in none.

    Raises InputError for a grid of more patches than int16 can number.
    """
    if grid[0] * grid[1] > np.iinfo(np.int16).max:
        raise InputError(f"a grid of {grid[0]} x {grid[1]} patches has more than {np.iinfo(np.int16).max}: take fewer")
    found = np.zeros(places.shape[1], np.int64)
    for high, low, count in zip(places[::2], 1 - places[1::2], grid, strict=True):
        cell = np.clip(np.floor((high + low) / 2 * count + _EDGE), 0, count - 1).astype(np.int64)
        none = (high < low - 1e-6) | (high - low > HALF - 1e-6)
        found = np.where(none | (found < 0), -1, found * count + cell)
    return found.astype(np.int16)


def _hull(units: Units, first: int) -> Tensor:
    """The largest place that each unit reads of one input: [units.count]."""
    found = torch.empty(units.count)
    one = units.gather(torch.zeros(1, dtype=torch.int64))[first]
    shared = one.matrix.amax(1).to(torch.float32) if isinstance(one, Rows) and len(one.matrix) > 1 else None
    width = 1 if shared is not None else _numel(one.matrix if isinstance(one, Rows) else one)
    step = max(1, _CHUNK // width)
    for start in range(0, units.count, step):
        index = torch.arange(start, min(start + step, units.count))
        read = units.gather(index)[first]
        if isinstance(read, Rows):
            places = read.matrix.amax(1).to(torch.float32) if shared is None else shared
            found[index] = places[read.index]
        else:
            assert read is not None
            found[index] = read.reshape(len(index), -1).amax(1).to(torch.float32)
    return found


def _numel(x: Tensor | None) -> int:
    return 0 if x is None else x.numel()


def _convolved(operator: Conv2d, x: Tensor, inputs: Sequence[Tensor | None]) -> tuple[Tensor, Tensor]:
    """Places [4, c, h, w] -> those of the output [4, n, h', w'], and of the units [4, groups, h' w', n / groups]."""
    weight = inputs[1]
    assert weight is not None
    top, left, bottom, right = operator.padding
    plane = functional.pad(x.amax(1, keepdim=True), (left, right, top, bottom))
    for axis, size, dilation, stride in zip((2, 3), weight.shape[2:], operator.dilation, operator.stride, strict=True):
        steps = (plane.shape[axis] - dilation * (size - 1) - 1) // stride + 1
        middle = {(size - 1) // 2, size // 2}  # one row of an odd window, two of an even one
        taps = [plane.narrow(axis, dilation * tap, stride * (steps - 1) + 1) for tap in middle]
        index = torch.arange(0, stride * (steps - 1) + 1, stride)
        plane = torch.stack([tap.index_select(axis, index) for tap in taps]).amax(0)
    n, h, w = weight.shape[0], *plane.shape[2:]
    units = plane.reshape(len(x), 1, h * w, 1).expand(len(x), operator.groups, h * w, n // operator.groups)
    return plane.expand(len(x), n, h, w), units.contiguous()
