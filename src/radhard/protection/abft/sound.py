"""Sound values of integer matrix products, each computed where it is asked for, in compiled loops of the host.

All are exact in int64; whoever wants fewer bits cuts them off. They suppose that no sound accumulator wraps.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from radhard.machine import Matrices, Rows
from radhard.machine.site import Column
from radhard.protection.abft.application import ProtectedApplication

Ends = Column | int
_WINDOWS = 7  # axes of the windows of a convolution: images, groups, places, and those of a window
MOST_TERMS, LARGEST_BIAS = 1 << 15, 1 << 30
"""Products of words of 8 bits, 255 x 128 at most, and a bias, which fit into int32 together."""


class SoundProducts:
    """The products of one application as a sound machine computes them: x takes a[x] and b[x % h], and its bias."""

    def __init__(self, products: Matrices) -> None:
        self._products = products
        (self.g, self.m, self.k), self.n = products.sizes, products.b.shape[1]
        self.h = len(products.b)

    @cached_property
    def a(self) -> NDArray[np.int8]:
        """[g, m, k]."""
        found: NDArray[np.int8] = self._products.a.contiguous().numpy()
        return found

    @cached_property
    def b(self) -> NDArray[np.int8]:
        """[h, n, k]."""
        found: NDArray[np.int8] = self._products.b.contiguous().numpy()
        return found

    @cached_property
    def bias(self) -> NDArray[np.int32]:
        """[h, n], or [h, 0] where there is none."""
        bias = self._products.bias
        return np.empty((self.h, 0), np.int32) if bias is None else bias.contiguous().numpy()

    def _rows(self, g: Column, i: Column) -> tuple[NDArray[np.int8], Column]:
        """Rows (g, i) [e] of A: some rows [r, k], and which of these each is [e]."""
        left, row = self._products.left, g * self.m + i
        if left.ndim != _WINDOWS or "a" in vars(self):
            return self.a.reshape(-1, self.k), row
        used = np.zeros(self.g * self.m, np.bool_)
        used[row] = True
        some = np.flatnonzero(used)
        if len(some) > len(used) // 2:
            return self.a.reshape(-1, self.k), row
        at = np.unravel_index(some, tuple(left.shape[:4]))
        rows = left[tuple(torch.from_numpy(x) for x in at)].reshape(len(some), self.k).numpy()
        return rows, (np.cumsum(used) - 1)[row]

    def words(self, g: Column, i: Column, j: Column, first: Ends, last: Ends) -> Column:
        """Sums of products first ... last - 1 of words (g, i, j), columns [e]; those up to k have the bias."""
        (x, row, column, start, stop), shape = _columns(g, i, j, first, last)
        out = np.empty(len(x), np.int64)
        a, place = self._rows(x, row)
        _words(a, place, self.b, self.bias, x % self.h, column, start, stop, out)
        return out.reshape(shape)

    def tiles(self, alpha: Column, beta: Column, at: tuple[Column, Column, Column], first: Ends, last: Ends) -> Column:
        """Sums over blocks (g, i, j) [...] of the products of terms first ... last - 1, by sums of their factors."""
        columns, shape = _columns(*at, first, last)
        out = np.empty(len(columns[0]), np.int64)
        _tiles(alpha, beta, *columns, out)
        return out.reshape(shape)

    def row_sums(self, beta: Column, at: tuple[Column, Column, Column], first: Ends, last: Ends) -> Column:
        """The same of row i [...] alone of such blocks, (g, i, j)."""
        (x, row, block, start, stop), shape = _columns(*at, first, last)
        out = np.empty(len(x), np.int64)
        a, place = self._rows(x, row)
        _row_sums(a, place, beta, x % len(beta), block, start, stop, out)
        return out.reshape(shape)

    def words_of_a(self, g: Column, i: Column, t: Column) -> Column:
        """Words (g, i, t) [...] of A, int64."""
        left = self._products.left
        at = np.unravel_index((g * self.m + i) * self.k + t, tuple(left.shape))
        found: Column = left[tuple(torch.from_numpy(x) for x in at)].numpy().astype(np.int64)
        return found

    def words_of_b(self, g: Column, j: Column, t: Column) -> Column:
        """Words (g, j, t) [...] of B, int64."""
        found: Column = self.b[g % self.h, j, t].astype(np.int64)
        return found

    def a_or_one(self, g: Column, i: Column, t: Column) -> Column:
        """Terms t of rows i of A [...] int64; of the bias, the last one, 1."""
        found: Column = np.where(t < self.k, self.words_of_a(g, i, np.minimum(t, self.k - 1)), 1)
        return found

    def b_or_bias(self, g: Column, j: Column, t: Column) -> Column:
        """Terms t of columns j of B [...] int64; of the bias, the last one, its word."""
        found = self.words_of_b(g, j, np.minimum(t, self.k - 1))
        return np.where(t < self.k, found, self.bias[g % self.h, j]) if self.bias.shape[1] else found

    def rows_of_a(self, g: Column, i: Column) -> Column:
        """Rows (g, i) [e] of A: [e, terms] int64."""
        a, place = self._rows(g, i)
        rows = a[place].astype(np.int64)
        return rows if not self.bias.shape[1] else np.concatenate([rows, np.ones_like(rows[:, :1])], 1)

    def rows_of_b(self, g: Column, j: Column) -> Column:
        """Columns j of B of products g [e]: [e, terms] int64."""
        h = g % self.h
        rows = self.b[h, j].astype(np.int64)
        return rows if not self.bias.shape[1] else np.concatenate([rows, self.bias[h, j][:, None].astype(np.int64)], 1)

    def alpha(self, step: int) -> Column:
        """Sums over blocks of `step` rows of A [g, i, terms]."""
        left, ones = self._products.left, None if not self.bias.shape[1] else np.ones((1, self.m), np.int32)
        if left.ndim == _WINDOWS and "a" not in vars(self):
            return _sums_over_blocks(_add_windows, left.flatten(0, 1).numpy(), (self.g, self.m, self.k), step, ones)
        return _sums_over_blocks(_add_blocks, self.a, self.a.shape, step, ones)

    def beta(self, step: int) -> Column:
        """Sums over blocks of `step` columns of B [h, j, terms]."""
        return _sums_over_blocks(_add_blocks, self.b, self.b.shape, step, self.bias if self.bias.shape[1] else None)


def _columns(*given: Ends) -> tuple[list[Column], tuple[int, ...]]:
    """Indices, broadcast together -> flat columns [e], and their shape."""
    shape = np.broadcast_shapes(*(np.shape(x) for x in given))
    return [np.array(np.broadcast_to(x, shape), np.int64).reshape(-1) for x in given], shape


def _sums_over_blocks(
    add: Callable[..., None], x: NDArray[np.int8], sizes: tuple[int, ...], step: int, last: NDArray[np.int32] | None
) -> Column:
    """Sums over every `step` rows of `x` [g, rows, k], which `add` reads -> [g, blocks, k], or with `last` k + 1."""
    g, rows, k = sizes
    out = np.zeros((g, -(-rows // step), k + (last is not None)), np.int64)
    add(x, step, out)
    if last is not None:
        out[:, :, -1] = np.add.reduceat(last.astype(np.int64), np.arange(0, rows, step), axis=1)
    return out


def is_followed(application: ProtectedApplication) -> bool:
    """Whether sound sums of an application are known without computing them.

    So they are where nothing but faults of its machine makes a word wrong, no sound accumulator wraps, and the units of
    the operator are the words of its products in their order.
    """
    site, first, bias = application.site, application.inputs[0], application.products.bias
    if not application.machine.sparse or first is None or not first.is_cpu or application.products.shape.k > MOST_TERMS:
        return False
    if site.batch_axis not in (None, 0) or site.blocks != 1:
        return False
    return bias is None or int(bias.abs().max()) <= LARGEST_BIAS


def running_sums(a: Rows, b: Rows, bias: Tensor | None, ends: Column) -> Column:
    """Rows of u x k, columns of u x k -> their sound running sums [u, e] int64 after `ends` products."""
    rows, columns = a.arrays, b.arrays
    added = np.empty(0, np.int32) if bias is None else bias.contiguous().numpy()
    out = np.empty((len(rows[1]), len(ends)), np.int64)
    _running_sums(*rows, *columns, added, ends, out)
    return out


@njit(cache=True, nogil=True)
def _dot(x, y, first, last):  # type: ignore[no-untyped-def]
    u, v = x[first:last], y[first:last]
    total = np.int32(0)
    for t in range(u.shape[0]):
        total = np.int32(total + np.int32(np.int16(u[t]) * np.int16(v[t])))
    return np.int64(total)


@njit(cache=True, nogil=True)
def _words(a, row, b, bias, h, j, first, last, out):  # type: ignore[no-untyped-def]
    for e in range(len(out)):
        out[e] = _dot(a[row[e]], b[h[e], j[e]], first[e], last[e])
        if last[e] == a.shape[1] and bias.shape[1]:
            out[e] += bias[h[e], j[e]]


@njit(cache=True, nogil=True)
def _running_sums(a, a_row, b, b_row, bias, ends, out):  # type: ignore[no-untyped-def]
    k = a.shape[1]
    for u in range(out.shape[0]):
        x, y = a[a_row[u]], b[b_row[u]]
        total, done = np.int64(0), 0
        for e in range(len(ends)):
            total += _dot(x, y, done, ends[e])
            done = ends[e]
            out[u, e] = total + (bias[u] if done == k and len(bias) else 0)


@njit(cache=True, nogil=True)
def _add_blocks(x, step, out):  # type: ignore[no-untyped-def]
    for g in range(x.shape[0]):
        for i in range(x.shape[1]):
            source, target = x[g, i], out[g, i // step]
            for t in range(x.shape[2]):
                target[t] += source[t]


@njit(cache=True, nogil=True)
def _add_windows(x, step, out):  # type: ignore[no-untyped-def]
    """The same of rows that are windows, x [g, h, w, channels, rows, columns]: none of them is copied."""
    _, height, width, channels, rows, columns = x.shape
    for g in range(x.shape[0]):
        for i in range(height):
            for j in range(width):
                window, target = x[g, i, j], out[g, (i * width + j) // step]
                t = 0
                for c in range(channels):
                    for r in range(rows):
                        for q in range(columns):
                            target[t] += window[c, r, q]
                            t += 1


@njit(cache=True, nogil=True)
def _tiles(alpha, beta, g, i, j, first, last, out):  # type: ignore[no-untyped-def]
    for e in range(len(out)):
        x, y = alpha[g[e], i[e], first[e] : last[e]], beta[g[e] % beta.shape[0], j[e], first[e] : last[e]]
        total = np.int64(0)
        for t in range(len(x)):
            total += x[t] * y[t]
        out[e] = total


@njit(cache=True, nogil=True)
def _row_sums(a, row, beta, h, j, first, last, out):  # type: ignore[no-untyped-def]
    k = a.shape[1]
    for e in range(len(out)):
        x, y = a[row[e]], beta[h[e], j[e]]
        total = np.int64(0)
        for t in range(first[e], min(last[e], k)):
            total += np.int64(x[t]) * y[t]
        out[e] = total + (y[k] if last[e] > k else 0)
