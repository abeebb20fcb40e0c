"""Compiled loops that gather blocks from stacks of matrices and compute dot products of rows."""

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor


def gather_blocks(x: Tensor, at: Tensor, first: tuple[Tensor, Tensor], *, rows: int, columns: int) -> Tensor:
    """x [g, r, c] of any integer type -> blocks [f, rows, columns] int64 of matrices `at` [f] from `first` on.

    `first` are the first row and the first column [f] of each; the blocks must lie within the matrices.
    """
    if not x.is_cpu:
        down, across = (torch.arange(size, device=x.device) for size in (rows, columns))
        places = (at[:, None, None], (first[0][:, None] + down)[:, :, None], (first[1][:, None] + across)[:, None])
        return x[places].to(torch.int64)
    out = torch.empty(len(at), rows, columns, dtype=torch.int64)
    _gather_blocks(x.numpy(), _column(at), _column(first[0]), _column(first[1]), out.numpy())
    return out


def dots(x: Tensor, y: Tensor) -> Tensor:
    """x [..., r, w], y [..., c, w] int32 or int64 -> their dot products [..., r, c], which wrap."""
    out = torch.empty(*x.shape[:-1], y.shape[-2], dtype=x.dtype)
    left, right = (t if t.stride(-1) == 1 else t.contiguous() for t in (x, y))
    left, right = (t.reshape(-1, *t.shape[-2:]) for t in (left, right))
    _dots(left.numpy(), right.numpy(), out.view(-1, *out.shape[-2:]).numpy())
    return out


def _column(x: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(x.numpy())


@njit(cache=True, nogil=True)
def _gather_blocks(x, at, first_row, first_column, out):  # type: ignore[no-untyped-def]
    for f in range(out.shape[0]):
        for i in range(out.shape[1]):
            source = x[at[f], first_row[f] + i, first_column[f] : first_column[f] + out.shape[2]]
            for j in range(out.shape[2]):
                out[f, i, j] = source[j]


@njit(cache=True, nogil=True)
def _dots(x, y, out):  # type: ignore[no-untyped-def]
    for f in range(out.shape[0]):
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                u, v = x[f, i], y[f, j]
                total = np.int64(0)
                for t in range(u.shape[0]):
                    total += np.int64(u[t]) * np.int64(v[t])
                out[f, i, j] = total
