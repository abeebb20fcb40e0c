"""Products with a row and a column of checksums, where they cost what faults touch."""

import numpy as np
import torch
from torch import Tensor

from radhard.machine.site import Column
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.correcting import WordPlaces
from radhard.protection.abft.deltas import NO_DELTAS
from radhard.protection.abft.sparse_audit import audit_blocks, audit_total
from radhard.protection.abft.sparse_finish import finish, total_of
from radhard.protection.abft.sparse_products import SparseProducts
from radhard.protection.cost.shape import Block


class SparseExtended:
    """What products [g, m, n], their checksums and the sums of both are off by, in 32 bits that wrap."""

    def __init__(self, application: ProtectedApplication, checks: Checks) -> None:
        shape = application.products.shape
        self._products = x = SparseProducts(application, checks, block=Block(m=shape.m, k=shape.k, n=shape.n))
        self._checks, self._shape, self._sound = checks, shape, x.sound
        self._left, _ = x.factor("encode_a", size=shape.m, step=shape.m)
        self._right = NO_DELTAS if shape.stored else x.factor("encode_b", size=shape.n, step=shape.n)[0]
        self._total = total_of(x)
        self._extend()
        self._add_up()

    def _of_a(self, g: Column) -> Column:
        """Sums of the rows of A of products [e], as computed: [e, terms]."""
        own: Column = self._products.alpha[g, 0]
        return own + self._left.at(g[:, None] * self._shape.terms + np.arange(self._shape.terms))

    def _of_b(self, g: Column) -> Column:
        """Sums of the columns of B [e, terms]."""
        own: Column = self._products.beta[g % self._sound.h, 0]
        return own + self._right.at(g[:, None] * self._shape.terms + np.arange(self._shape.terms))

    def _extend(self) -> None:
        """The row of checksums [g, n], the column of them [g, m], and the corner [g]."""
        (m, n, terms), everyone = (self._shape.m, self._shape.n, self._shape.terms), self._products.everyone
        checks, count = self._checks, len(everyone)
        below, beside, corner = (
            np.zeros((count, n), np.int64),
            np.zeros((count, m), np.int64),
            np.zeros(count, np.int64),
        )
        g, t = np.divmod(self._left.index, terms)
        if len(g):
            off = self._left.delta[:, None]
            np.add.at(below, g, self._sound.b_or_bias(g[:, None], np.arange(n), t[:, None]) * off)
            np.add.at(corner, g, self._left.delta * self._products.beta[g % self._sound.h, 0, t])
        g, t = np.divmod(self._right.index, terms)
        if len(g):
            off = self._right.delta[:, None]
            np.add.at(beside, g, self._sound.a_or_one(g[:, None], np.arange(m), t[:, None]) * off)
            np.add.at(corner, g, self._right.delta * self._of_a(g)[np.arange(len(g)), t])

        def row(index: Column) -> tuple[Column, Column]:
            g, j = np.divmod(index, n)
            return self._of_a(g), self._sound.rows_of_b(g, j)

        def column(index: Column) -> tuple[Column, Column]:
            g, i = np.divmod(index, m)
            return self._sound.rows_of_a(g, i), self._of_b(g)

        for name, read, grid, of in (
            ("row", row, (1, n), below),
            ("column", column, (m, 1), beside),
            ("corner", lambda g: (self._of_a(g), self._of_b(g)), (1, 1), corner),
        ):
            struck = checks.struck(name, "dot", read, everyone, grid=grid, width=terms, dtype=torch.int32)
            np.add.at(of.reshape(-1), *struck)
        self._below, self._beside, self._corner = below, beside, corner

    def _words(self, g: Column, i: Column, j: Column) -> Column:
        """Words (g, i, j) [...] of the extended products, as computed."""
        m, n, terms = self._shape.m, self._shape.n, self._shape.terms
        g, i, j = np.broadcast_arrays(g, i, j)
        out = np.empty(g.shape, np.int64)
        inside, low, right = (i < m) & (j < n), (i == m) & (j < n), (i < m) & (j == n)
        x, y, z = g[inside], i[inside], j[inside]
        out[inside] = self._sound.words(x, y, z, 0, self._shape.k) + self._total.at((x * m + y) * n + z)
        x, z = g[low], j[low]
        alpha = self._products.alpha
        out[low] = (alpha[x, 0] * self._sound.rows_of_b(x, z)).sum(1) + self._below[x, z]
        x, y = g[right], i[right]
        out[right] = self._sound.row_sums(self._products.beta, (x, y, np.zeros_like(x)), 0, terms) + self._beside[x, y]
        x = g[(i == m) & (j == n)]
        zero = np.zeros_like(x)
        sound = self._sound.tiles(alpha, self._products.beta, (x, zero, zero), 0, terms)
        out[(i == m) & (j == n)] = sound + self._corner[x]
        return out

    def _add_up(self) -> None:
        """Sums over the rows [g, m + 1], and over the columns [g, n + 1]."""
        (m, n), everyone = (self._shape.m, self._shape.n), self._products.everyone
        in_rows = np.concatenate([np.zeros((len(everyone), m), np.int64), self._below.sum(1, keepdims=True)], 1)
        in_columns = np.concatenate([np.zeros((len(everyone), n), np.int64), self._beside.sum(1, keepdims=True)], 1)
        row, j = np.divmod(self._total.index, n)
        g, i = np.divmod(row, m)
        np.add.at(in_rows, (g, i), self._total.delta)
        np.add.at(in_columns, (g, j), self._total.delta)

        def row_of(index: Column) -> tuple[Column]:
            g, i = (column[:, None] for column in np.divmod(index, m + 1))
            return (self._words(g, i, np.arange(n)),)

        def column_of(index: Column) -> tuple[Column]:
            g, j = (column[:, None] for column in np.divmod(index, n + 1))
            return (self._words(g, np.arange(m), j),)

        checks = self._checks
        struck = checks.struck("rows", "sum", row_of, everyone, grid=(m + 1, 1, 1), width=n, dtype=torch.int32)
        np.add.at(in_rows.reshape(-1), *struck)
        struck = checks.struck("columns", "sum", column_of, everyone, grid=(1, 1, n + 1), width=m, dtype=torch.int32)
        np.add.at(in_columns.reshape(-1), *struck)
        self._in_rows, self._in_columns = in_rows, in_columns

    def wrong(self) -> tuple[Tensor, Tensor]:
        """The rows [g, m + 1] and the columns [g, n + 1] that do not sum to their last word."""
        beside = np.concatenate([self._beside, self._corner[:, None]], 1)
        below = np.concatenate([self._below, self._corner[:, None]], 1)
        self._checks.count(cmp=beside.size + below.size)
        rows, columns = ((x - y).astype(np.int32) != 0 for x, y in ((self._in_rows, beside), (self._in_columns, below)))
        return torch.from_numpy(rows), torch.from_numpy(columns)

    def correct(self, place: WordPlaces) -> None:
        """Take from words `place` [e] what their rows are off by."""
        (g, i, j), checks, some = tuple(x.numpy() for x in place), self._checks, self._products.everyone.only(place[0])
        actual, wanted = self._in_rows[g, i], self._beside[g, i]

        def both(e: Column) -> tuple[Column, Column]:
            zero = np.zeros_like(e)
            sound = self._sound.row_sums(self._products.beta, (g[e], i[e], zero), 0, self._shape.terms)
            return sound + actual[e], sound + wanted[e]

        delta = actual - wanted
        np.add.at(delta, *checks.struck("off", "minus", both, some, dtype=torch.int32))
        word = (g * self._shape.m + i) * self._shape.n + j
        old = self._total.at(word)

        def change(e: Column) -> tuple[Column, Column]:
            return self._sound.words(g[e], i[e], j[e], 0, self._shape.k) + old[e], delta[e]

        new = old - delta
        np.add.at(new, *checks.struck("correct", "minus", change, some, dtype=torch.int32))
        self._total = self._total.placed(word, new, bits=32)

    def audit(self, g: Tensor) -> None:
        """Compare the stored sums of the weights of products `g` [f] with these."""
        audit_total(self._products, at=g)
        if len(g):
            audit_blocks(self._products, at=(g, torch.zeros_like(g)))

    def written(self) -> Tensor:
        """The operator's output."""
        return finish(self._products, self._total)
