"""The primitives of an operator's definition (`gemm`, `mul`, `add`, `sum` ...), and their plain implementation.

A definition reads a stack of units: every tensor is [u, ...], one row a unit. What an implementation does at a
primitive gives the definition its meaning: `Plain` computes, `CostInterpreter` counts, `BitFlipInterpreter` (in
`faults`) computes with flips. Multiplications, additions, special functions and scale multiplications are operations
that yield a word; `largest` (comparisons) and `quantize` (rounding and saturation) are not exposed.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radhard.kernels.grid import Grid
from radhard.kernels.octets import OCTETS
from radhard.kernels.write import saturate

Kind = Literal["mul", "add", "load", "special", "scale"]
KINDS: tuple[Kind, ...] = ("mul", "add", "load", "special", "scale")
Special = Literal["exp", "expm1", "log", "log1p", "sin", "cos", "erf", "tanh", "sqrt", "rsqrt", "reciprocal"]
SPECIALS: tuple[Special, ...] = get_args(Special)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows `index` [u] int64 of `matrix` [r, k]: what u units read of it, without a copy."""

    matrix: Tensor
    index: Tensor

    def dense(self) -> Tensor:
        """-> [u, k]."""
        return self.matrix[self.index]

    @property
    def arrays(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Matrix and index, for compiled loops of the host."""
        return self.matrix.contiguous().numpy(), self.index.contiguous().numpy()


class Arithmetic(Protocol):
    """What a definition may do to a stack of u units."""

    def gemm(self, a: Rows, b: Rows, bias: Tensor | None, ends: tuple[int, ...] = ()) -> Tensor:
        """Rows of u x k, columns of u x k, bias [u] -> dot products [u], summed in the order t = 0, 1, 2 ...

        Words of 8 bits, those of b int8, give int32 (two's complement wraps) and take an int32 bias. With `ends`,
        ascending to k, they give the running sums [u, e] after so many products, the last one with the bias: the same
        operations.
        """
        ...

    def mul(self, x: Tensor, y: Tensor | float) -> Tensor:
        """[u, ...] x [u, ...] -> elementwise products."""
        ...

    def add(self, x: Tensor, y: Tensor | float) -> Tensor:
        """[u, ...] + [u, ...] -> elementwise sums."""
        ...

    def sum(self, x: Tensor) -> Tensor:
        """[u, n] -> [u, 1], running sums in the order t = 0, 1, 2 ..."""
        ...

    def load(self, x: Tensor) -> Tensor:
        """[u, ...] -> the same words, read from memory."""
        ...

    def special(self, function: Special, x: Tensor) -> Tensor:
        """[u, ...] -> an elementwise function that hardware evaluates by itself."""
        ...

    def scale(self, x: Tensor, factor: Tensor | float) -> Tensor:
        """[u, ...] -> the product with a scale of the quantisation, a class of its own."""
        ...

    def largest(self, x: Tensor) -> Tensor:
        """[u, n] -> [u, 1], by comparisons."""
        ...

    def quantize(self, x: Tensor, grid: Grid) -> Tensor:
        """[u, ...] float32 -> words of `grid`: rounded half to even, moved by the zero point, saturated; NaN is 0."""
        ...


def apply_special(function: Special, x: Tensor) -> Tensor:
    """[...] float -> the special function of it, elementwise."""
    out: Tensor = getattr(torch, function)(x)
    return out


class Plain:
    """Every primitive computes what it says."""

    def gemm(self, a: Rows, b: Rows, bias: Tensor | None, ends: tuple[int, ...] = ()) -> Tensor:
        """Exact for words of 8 bits (summed in int64, wrapped to int32); float as torch sums."""
        x, y = a.dense(), b.dense()
        if x.dtype not in OCTETS:
            total = (x * y).sum(1)
            return total if bias is None else total + bias
        products = x.to(torch.int32) * y.to(torch.int32)
        if ends:
            sums = products.cumsum(1, dtype=torch.int64)[:, [end - 1 for end in ends]]
            if bias is not None:
                sums[:, -1] += bias
            return sums.to(torch.int32)
        total = products.sum(1, dtype=torch.int64)
        return (total if bias is None else total + bias).to(torch.int32)

    def mul(self, x: Tensor, y: Tensor | float) -> Tensor:
        """Product."""
        return x * y

    def add(self, x: Tensor, y: Tensor | float) -> Tensor:
        """Sum."""
        return x + y

    def sum(self, x: Tensor) -> Tensor:
        """Sum of each row, as torch sums; integers wrap."""
        return x.sum(1, keepdim=True, dtype=x.dtype)

    def load(self, x: Tensor) -> Tensor:
        """The word itself."""
        return x

    def special(self, function: Special, x: Tensor) -> Tensor:
        """The function itself."""
        return apply_special(function, x)

    def scale(self, x: Tensor, factor: Tensor | float) -> Tensor:
        """Product with a scale."""
        return x * factor

    def largest(self, x: Tensor) -> Tensor:
        """Row maximum."""
        return x.amax(1, keepdim=True)

    def quantize(self, x: Tensor, grid: Grid) -> Tensor:
        """Round and saturate."""
        return saturate(x, grid)
