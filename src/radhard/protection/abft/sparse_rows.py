"""The row check of `row_check` where it costs what faults touch: of rows it is known what they are off by."""

import numpy as np
import torch
from torch import Tensor

from radhard.kernels import sums
from radhard.machine.site import Column
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.correcting import RowPlaces
from radhard.protection.abft.deltas import NO_DELTAS, Deltas
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.sparse_finish import finish
from radhard.protection.abft.sparse_products import SparseProducts
from radhard.protection.cost.shape import Block

BASE = (1, 256, 65536)
_PLACES = np.array(BASE, np.int64)


class SparseRows:
    """The rows of one application's products: `total`, flat in [g, m, n], is what their words are off by.

    `digits` [h, 3, k] int8 and `offset` [h] are those of the sums of a weight; None of activations.
    """

    def __init__(
        self, application: ProtectedApplication, checks: Checks, *, digits: Tensor | None, offset: Tensor | None
    ) -> None:
        shape = application.products.shape
        whole = Block(m=shape.m, k=shape.k, n=shape.n)
        self.products = x = SparseProducts(application, checks, block=whole)
        self.checks, self._sound, self._shape = checks, x.sound, shape
        self.total = Deltas(x.words.index, x.words.delta)
        self._digits = None if digits is None else digits.numpy().astype(np.int64)
        self._offset = None if offset is None else offset.numpy().astype(np.int64)

    def wrong(self) -> Tensor:
        """Rows [g, m] that do not add up to what their digits say."""
        m, n, k, g = self._shape.m, self._shape.n, self._shape.k, len(self.products.everyone)
        checks, everyone, int32 = self.checks, self.products.everyone, torch.int32
        encoded = NO_DELTAS if self._digits is not None else self._encoded("encode_b", everyone)

        def digits_of(index: Column) -> tuple[Column, Column]:
            row, digit = np.divmod(index, 3)
            x, i = np.divmod(row, m)
            return self._sound.rows_of_a(x, i)[:, :k], self._digits_of(x, encoded)[np.arange(len(x)), digit]

        found = np.zeros((g * m, 3), np.int64)
        if len(encoded):
            x = np.unique(encoded.index // k)
            off = self._digits_of(x, encoded) - self._digits_of(x, NO_DELTAS)  # [e, 3, k]
            found.reshape(g, m, 3)[x] = np.matmul(self._sound.a[x].astype(np.int64), off.transpose(0, 2, 1))
        np.add.at(
            found.reshape(-1), *checks.struck("digits", "dot", digits_of, everyone, grid=(m, 3), width=k, dtype=int32)
        )

        def places_of(index: Column) -> tuple[Column, Column]:
            x, i = np.divmod(index, m)
            rows = self._sound.rows_of_a(x, i)[:, :k]
            own = (rows[:, None] * self._digits_of(x, NO_DELTAS)).sum(2) + found[index]
            return own, np.broadcast_to(_PLACES, (len(index), 3)).copy()

        wanted = (found * _PLACES).sum(1)
        np.add.at(wanted, *checks.struck("wanted", "dot", places_of, everyone, grid=(m, 1), width=3, dtype=int32))
        if self._offset is not None:

            def with_offset(index: Column) -> tuple[Column, Column]:
                x, i = np.divmod(index, m)
                offset = self._offset_of(x)
                return self._row_sums(x, i) - offset + wanted[index], offset

            np.add.at(wanted, *checks.struck("wanted/bias", "plus", with_offset, everyone, grid=(m,), dtype=int32))

        def words(index: Column) -> tuple[Column]:
            x, i = (column[:, None] for column in np.divmod(index, m))
            column = np.arange(n)
            return (self._sound.words(x, i, column, 0, k) + self.total.at((x * m + i) * n + column),)

        actual = np.zeros(g * m, np.int64)
        np.add.at(actual, self.total.index // n, self.total.delta)
        np.add.at(actual, *checks.struck("rows", "sum", words, everyone, grid=(m, 1, 1), width=n, dtype=int32))
        checks.count(cmp=g * m)
        return torch.from_numpy((actual - wanted).astype(np.int32) != 0).view(g, m)

    def _offset_of(self, x: Column) -> Column:
        assert self._offset is not None
        return self._offset[x % len(self._offset)]

    def _digits_of(self, x: Column, encoded: Deltas) -> Column:
        """The digits of the sums of B of products [e] as computed: [e, 3, k]."""
        if self._digits is not None:
            return self._digits[x % len(self._digits)]
        return sums.digits(torch.from_numpy(self._columns(x, encoded))).numpy().astype(np.int64).transpose(1, 0, 2)

    def _columns(self, x: Column, encoded: Deltas) -> Column:
        """Sums of B of products [e] as computed: [e, k]."""
        k = self._shape.k
        return self.products.beta_whole[x % self._sound.h][:, :k] + encoded.at(x[:, None] * k + np.arange(k))

    def _row_sums(self, x: Column, i: Column) -> Column:
        """Sums of sound rows [e]."""
        zero = np.zeros_like(x)
        return self._sound.row_sums(self.products.beta_whole[:, None], (x, i, zero), 0, self._shape.terms)

    def _encoded(self, name: str, entries: Entries, g: Column | None = None) -> Deltas:
        """What sums over the columns of B of products `g`, default all, are off by: flat in [g, k]."""
        n, k = self._shape.n, self._shape.k

        def columns(index: Column) -> tuple[Column]:
            f, t = np.divmod(index[:, None], k)
            x = f if g is None else g[f]
            found: Column = self._sound.b[x % self._sound.h, np.arange(n), t].astype(np.int64)
            return (found,)

        index, delta = self.checks.struck(name, "sum", columns, entries, grid=(1, 1, k), width=n, dtype=torch.int32)
        f, t = np.divmod(index, k)
        return Deltas.of([((f if g is None else g[f]) * k + t, delta)], bits=32)

    def again(self, name: str, at: RowPlaces) -> tuple[Deltas, Tensor]:
        """Rows `at` [f] computed again -> what these are off by, and which of them add up to the sums of B."""
        (x, i), (n, k, m, terms) = (
            (c.numpy() for c in at),
            (self._shape.n, self._shape.k, self._shape.m, self._shape.terms),
        )
        checks, entries, encoded = self.checks, self.products.everyone.inner(*at, m), NO_DELTAS
        if self._digits is None:
            those = at[0].unique()
            encoded = self._encoded(f"{name}/encode_b", self.products.everyone.only(those), those.numpy())

        def factors(index: Column) -> tuple[Column, Column]:
            f, j = np.divmod(index, n)
            return self._sound.rows_of_a(x[f], i[f]), self._sound.rows_of_b(x[f], j)

        rows = Deltas.of([checks.struck(name, "dot", factors, entries, grid=(1, n), width=terms)])

        def words(index: Column) -> tuple[Column]:
            column = np.arange(n)
            sound = self._sound.words(x[index, None], i[index, None], column, 0, k)
            return (sound + rows.at(index[:, None] * n + column),)

        found, wanted = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64)
        np.add.at(found, rows.index // n, rows.delta)
        np.add.at(found, *checks.struck(f"{name}/rows", "sum", words, entries, grid=(1, 1, 1), width=n))

        def sums_of(index: Column) -> tuple[Column, Column]:
            own = self.products.beta_whole[x[index] % self._sound.h].copy()
            own[:, :k] += encoded.at(x[index, None] * k + np.arange(k))
            return self._sound.rows_of_a(x[index], i[index]), own

        if len(encoded):
            off = encoded.at(x[:, None] * k + np.arange(k))
            wanted += (self._sound.rows_of_a(x, i)[:, :k] * off).sum(1)
        np.add.at(wanted, *checks.struck(f"{name}/wanted", "dot", sums_of, entries, grid=(1, 1), width=terms))
        checks.count(cmp=len(x))
        return rows, torch.from_numpy(found == wanted)

    def of_words(self, rows: Tensor, at: RowPlaces) -> Deltas:
        """Rows [f, n] int32 in place of rows `at` [f] -> what these are off by, flat in [f, n]."""
        x, i = (c.numpy()[:, None] for c in at)
        sound = self._sound.words(x, i, np.arange(self._shape.n), 0, self._shape.k)
        off = (rows.numpy().astype(np.int64) - sound).ravel()
        index = np.flatnonzero(off)
        return Deltas(index, off[index])

    def changed(self, rows: Deltas, at: RowPlaces) -> Tensor:
        """Which of rows [f, n] are not those of the product, `at` [f]."""
        n, (x, i) = self._shape.n, (c.numpy() for c in at)
        first = (x * self._shape.m + i) * n
        owner, own = self.total.within(first, first + n)
        other = (owner * n + own.index % n, -own.delta)
        self.checks.count(cmp=len(x) * n)
        found = torch.zeros(len(x), dtype=torch.bool)
        off = Deltas.of([(rows.index, rows.delta), other], bits=32)
        found[torch.from_numpy(off.index // n)] = True
        return found

    def replaced(self, rows: Deltas, mine: Tensor, again: Deltas) -> Deltas:
        """Rows [f, n], those `mine` [e] of them now off by `again`, flat in [e, n]."""
        return _in_rows(rows, mine.numpy(), again, n=self._shape.n)

    def put(self, rows: Deltas, changed: Tensor, at: RowPlaces) -> None:
        """Those of rows `at` [f] that are `changed` are off by `rows`, flat in [f, n], from now on."""
        n, (x, i), f = self._shape.n, (c.numpy() for c in at), changed.nonzero()[:, 0].numpy()
        number = np.full(len(x), -1)
        number[f] = np.arange(len(f))
        owner = number[rows.index // n]
        own = Deltas((owner * n + rows.index % n)[owner >= 0], rows.delta[owner >= 0])
        self.total = _in_rows(self.total, x[f] * self._shape.m + i[f], own, n=n)

    def add_to_sums(self, g: Tensor, *, columns: Tensor, rows: Tensor) -> None:
        """Add what faults make of sums of the weights of products `g` [f]: `columns` [f, k + 1] and `rows` [f, n]."""
        checks, n, terms, x = self.checks, self._shape.n, self._shape.terms, g.numpy()
        entries = self.products.everyone.only(g)

        def column(index: Column) -> tuple[Column]:
            f, t = np.divmod(index[:, None], terms)
            return (self._sound.b_or_bias(x[f], np.arange(n), t),)

        def row(index: Column) -> tuple[Column]:
            f, j = np.divmod(index, n)
            return (self._sound.rows_of_b(x[f], j),)

        index, delta = checks.struck("look/columns", "sum", column, entries, grid=(1, terms), width=n)
        np.add.at(columns.numpy(), np.divmod(index, terms), delta)
        index, delta = checks.struck("look/rows", "sum", row, entries, grid=(n, 1), width=terms)
        np.add.at(rows.numpy(), np.divmod(index, n), delta)

    def written(self) -> Tensor:
        """The operator's output."""
        return finish(self.products, self.total)


def _in_rows(found: Deltas, row: Column, new: Deltas, *, n: int) -> Deltas:
    """`found`, flat in rows of n words, in which rows `row` [e], all different, are off by `new`, flat in [e, n]."""
    kept = ~np.isin(found.index // n, row)
    own = (row[new.index // n] * n + new.index % n, new.delta)
    return Deltas.of([(found.index[kept], found.delta[kept]), own], bits=32)
