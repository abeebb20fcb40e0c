"""ABFT as first described (Huang & Abraham, 1984): checksums are computed with the product.

A gets a row of its column sums, B a column of its row sums; their product is C with a row and a column of checksums,
m + n + 1 more dot products. Every row and every column of it must sum to its last word. One word that is off shows in
one row and one column; if it is a checksum itself, C is sound (Huang & Abraham, IEEE Trans. Computers C-33, 1984).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.kernels.events import Events
from radhard.machine import Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.audit import audit_blocks, audit_total
from radhard.protection.abft.checks import Checks, Dot
from radhard.protection.abft.checksums import column_sums, row_sums, trusted, with_ones
from radhard.protection.abft.correcting import WordPlaces
from radhard.protection.abft.sound import is_followed
from radhard.protection.abft.sparse_extended import SparseExtended
from radhard.protection.cost.models import Overhead, exposed_bits, probability
from radhard.protection.cost.operations import Operations
from radhard.protection.forms import Form, NoForm
from radhard.protection.schemes.registry import scheme
from radhard.words import Words


@scheme("huang-abraham", about="Full checksums computed with the product; they correct one word.")
@dataclass(frozen=True, kw_only=True)
class HuangAbraham:
    """Full checksums, in 32 bits that wrap; puts one word of each product right."""

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """The extended product, its sums, and one correction."""
        shape, whole = application.products.shape, application.products.shape.n
        followed = is_followed(application) and trusted(application, checks, step=whole)
        sums = (SparseExtended if followed else Extended)(application, checks)
        wrong_rows, wrong_columns = sums.wrong()
        count = torch.stack([wrong_rows.sum(1), wrong_columns.sum(1)], 1)
        alarmed = (count > 0).any(1)
        one = (count == 1).all(1)
        row, column = wrong_rows.long().argmax(1), wrong_columns.long().argmax(1)
        inside = one & (row < shape.m) & (column < shape.n)
        checks.note(
            Events(
                checks=len(alarmed),
                alarms=int(alarmed.sum()),
                flagged=int(alarmed.sum()),
                false_alarms=int((one & ~inside).sum()),
                inconsistent=int((alarmed & (count == 0).any(1)).sum()),
                uncorrected=int(((count > 0).all(1) & ~one).sum()),
                repaired=int(inside.sum()),
            )
        )
        g = inside.nonzero()[:, 0]
        if len(g):
            sums.correct((g, row[g], column[g]))
        suspects = ((count[:, 0] > 0) & (count[:, 1] == 0)).nonzero()[:, 0]
        sums.audit(suspects)
        return sums.written()

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead:
        """By the exact model, with at most one faulty word in the product."""
        m, n, t, k = shape.m, shape.n, shape.terms, shape.k
        bits = exposed_bits(shape, words, first=True)
        hit = probability(bits, ber=ber)
        carried = m + n + 1  # dot products
        sums = (m + 1) * (n - 1) + (n + 1) * (m - 1) + (m - 1) * k + (0 if shape.stored else (n - 1) * k)
        return Overhead(
            detection=Operations(mul=carried * t, add=carried * (t - 1) + sums, cmp=m + n + 2),
            recovery=Operations(add=2).times(hit),
            faulty=hit,
            block_faulty=hit,
            flips=ber * bits,
        )

    @property
    def deployed(self) -> Form:
        """None."""
        return NoForm(
            reason="checksums of both factors would have to ride every product, and those of activations are wider "
            "than its words of 8 bits"
        )


class Extended:
    """Products [g, m, n] with a row and a column of checksums, and the sums of what is so extended."""

    def __init__(self, application: ProtectedApplication, checks: Checks) -> None:
        self._work, self._checks, entries, shape = application, checks, application.entries, application.products.shape
        self._total = total = application.accumulators(shape.k)[0]
        self._of_b = column_sums(application, checks, step=shape.n)
        left, right = row_sums(application, checks, step=shape.m).all.int(), self._of_b.all.int()
        a, b = with_ones(application.products)
        below = checks.apply("row", Dot(), (left[:, None], b), entries)  # [g, 1, n]
        self._beside = checks.apply("column", Dot(), (a, right[:, None]), entries)  # [g, m, 1]
        corner = checks.apply("corner", Dot(), (left[:, None], right[:, None]), entries)  # [g, 1, 1]
        self._rows = torch.cat([torch.cat([total, below], 1), torch.cat([self._beside, corner], 1)], 2)
        in_rows = checks.sums("rows", self._rows[:, :, :-1], dim=2, step=shape.n, entries=entries)
        self._in_rows = in_rows[:, :, 0]
        self._in_columns = checks.sums("columns", self._rows[:, :-1], dim=1, step=shape.m, entries=entries)[:, 0]

    def wrong(self) -> tuple[Tensor, Tensor]:
        """The rows [g, m + 1] and the columns [g, n + 1] that do not sum to their last word."""
        differ = self._checks.differ
        return differ(self._in_rows, self._rows[:, :, -1]), differ(self._in_columns, self._rows[:, -1])

    def correct(self, place: WordPlaces) -> None:
        """Take from words `place` [e] what their rows are off by."""
        (g, row, _), checks = place, self._checks
        total, some = self._total.clone(), self._work.entries.only(g)
        delta = checks.minus("off", self._in_rows[g, row], self._beside[g, row, 0], some)
        total[place] = checks.minus("correct", total[place], delta, some)
        self._total = total

    def audit(self, g: Tensor) -> None:
        """Compare the stored sums of the weights of products `g` [f] with these."""
        audit_total(self._work, self._checks, at=g, sums=self._of_b)
        if len(g):
            step = self._work.products.shape.n
            audit_blocks(self._work, self._checks, at=(g, torch.zeros_like(g)), sums=self._of_b, step=step)

    def written(self) -> Tensor:
        """The operator's output."""
        return self._work.write(self._total)
