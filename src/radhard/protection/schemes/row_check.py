"""Row check: every row of a product is checked as it is written, and wrong rows are recomputed.

It is the cheapest check in a deployed model. The sums of B over its columns are split into three digits to base 256,
words of 8 bits each, which ride the product as three more columns: so the product itself predicts what each of its rows
must add up to, exactly modulo 2^32. Digits of a weight are made once and stored, those of an activation are made as it
is read. A row that differs is computed again in 64 bits and compared once more. If it did not change, or still differs,
and B is a weight, the weight is looked into: its words are summed over columns and over rows. Sums that changed are
made again; one word that changed is told by the two sums that cross in it, and the rows are computed with the word as
it was; of more changes the rows are uncorrected.

Two errors of one row that cancel modulo 2^32 pass. The row sum is the oldest check of a product (Huang & Abraham, IEEE
Trans. Computers C-33, 1984); that it may ride the product: Vijayan & Abraham, and FBGEMM's int8 products.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from radhard.kernels import sums
from radhard.kernels.events import Events
from radhard.kernels.operands import SPARE
from radhard.machine import CHECK, Add, Shape
from radhard.protection import forms
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks, Dot
from radhard.protection.abft.correcting import RowPlaces
from radhard.protection.abft.deltas import Deltas
from radhard.protection.abft.sound import is_followed
from radhard.protection.abft.sparse_rows import BASE, SparseRows
from radhard.protection.cost.models import Overhead, exposed_bits, probability
from radhard.protection.cost.operations import Operations
from radhard.protection.schemes.registry import scheme
from radhard.words import Words

_CHUNK = 1 << 22  # factors of rows that are computed again at a time


@scheme("row-check", about="Every row sum is checked as the row is written; wrong rows are recomputed.")
@dataclass(frozen=True, kw_only=True)
class RowCheckAbft:
    """Any number of faulty words in any number of rows is put right."""

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """The product, its rows, and again those that differ."""
        followed = is_followed(application) and is_trusted(application, checks)
        rows = (SparseProductRows if followed else ProductRows)(application, checks)
        wrong = rows.wrong()
        g, i = wrong.nonzero(as_tuple=True)
        alarms = len(np.unique(application.products.slot[g.cpu().numpy()]))
        checks.note(Events(checks=wrong.numel(), alarms=alarms, flagged=len(g)))
        if len(g):
            rows.repair(g, i)
        return rows.written()

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead:
        """Any number of faulty rows; faults in the product alone."""
        m, n, t, k = shape.m, shape.n, shape.terms, shape.k
        bits = exposed_bits(shape, words, first=True)
        row, hit = probability(bits / m, ber=ber), probability(bits, ber=ber)
        encoding = (n - 1) * k
        return Overhead(
            detection=Operations(
                mul=3 * m * k + 3 * m,
                add=3 * m * (k - 1) + 2 * m + m * shape.bias + m * (n - 1) + (0 if shape.stored else encoding),
                cmp=m,
            ),
            recovery=Operations(mul=n * t + t, add=n * (t - 1) + (n - 1) + (t - 1), cmp=n + 1).times(m * row)
            + Operations(add=0 if shape.stored else encoding).times(hit),
            faulty=hit,
            block_faulty=row,
            flips=ber * bits / m,
        )

    @property
    def deployed(self) -> forms.Form:
        """The same check of the same rows."""
        return forms.RowCheck()


class ProductRows:
    """The rows of one application's products, `total` [g, m, n] int32, put right in place."""

    def __init__(self, application: ProtectedApplication, checks: Checks) -> None:
        self._work, self._checks, self._entries = application, checks, application.entries
        self._products = x = application.products
        self._stored = stored_digits(application, checks) if x.stored else ()
        self._compute()

    def _compute(self) -> None:
        self.total = self._work.accumulators(self._products.shape.k)[0]

    def written(self) -> Tensor:
        """The operator's output."""
        return self._work.write(self.total)

    def wrong(self) -> Tensor:
        """Rows [g, m] that do not add up to what their digits say."""
        checks, entries, x = self._checks, self._entries, self._products
        n = x.shape.n
        if self._stored:
            digits = torch.stack([part.weight[n : n + SPARE] for part in self._stored])
            digits = x.of_weight(digits, x.every)
        else:
            digits = sums.digits(self._encoded("encode_b")).movedim(0, 1)
        found = checks.apply("digits", Dot(), (x.a.int(), digits.int()), entries)  # [g, m, 3]
        base = torch.tensor([BASE], dtype=torch.int32, device=found.device).expand(len(found), 1, 3)
        wanted = checks.apply("wanted", Dot(), (found, base), entries)[..., 0]
        if x.bias is not None:
            offset = torch.stack([part.columns[-1] for part in self._stored]).int()
            bias = x.of_weight(offset[:, None], x.every).expand_as(wanted)
            wanted = checks.apply("wanted/bias", Add(), (wanted, bias), entries)
        return checks.differ(checks.sums("rows", self.total, dim=2, step=n, entries=entries)[..., 0], wanted)

    def _encoded(self, name: str, g: Tensor | None = None) -> Tensor:
        """Sums over the columns of B [g, k] int64, made as it is read."""
        x = self._products
        b, entries = (x.b, self._entries) if g is None else (x.b[g], self._entries.only(g))
        return self._checks.sums(name, b.int(), dim=1, step=x.shape.n, entries=entries)[:, 0].long()

    def repair(self, g: Tensor, i: Tensor) -> None:
        """Compute rows `i` [f] of products `g` [f] again; where that leaves a doubt, look into the weight."""
        checks = self._checks
        rows, right = self._first_again((g, i))
        changed = self._changed(rows, (g, i))
        if self._stored:
            doubt = g[~(right & changed)].unique()
            for one, verdict, truth in self._looked_into(doubt):
                mine = (g == one).nonzero()[:, 0]
                at = (g[mine], i[mine])
                if verdict == "lost":
                    right[mine] = False
                    continue
                again, right[mine] = self._once_more(at, verdict, truth)
                rows = self._replaced(rows, mine, again)
                changed[mine] = self._changed(again, at)
        self._put(rows, changed, (g, i))
        checks.note(
            Events(
                recomputed=int((changed & right).sum()),
                false_alarms=int((~changed & right).sum()),
                uncorrected=int((~right).sum()),
            )
        )

    def _first_again(self, at: RowPlaces) -> tuple[Any, Tensor]:
        """Rows `at` [f] from the factors as they are -> the rows [f, n], and which add up to the sums of B."""
        x, (g, _) = self._products, at
        if not self._stored:
            those, place = g.unique(return_inverse=True)
            return self._again("again", at, x.b[those], self._encoded("again/encode_b", those), place)
        b = sums.with_bias(x.b, x.bias)
        columns = torch.stack([part.columns[: b.shape[2]] for part in self._stored])
        return self._again("again", at, b, columns, g % len(b))

    def _once_more(self, at: RowPlaces, verdict: sums.RowVerdict, truth: sums.SummedWeight) -> tuple[Any, Tensor]:
        """Rows `at` [e] of one product from the weight as it is known to be, which `verdict` was given of."""
        del verdict
        own = truth.own.long()
        if self._products.bias is not None:
            own = torch.cat([own, truth.bias.long()[:, None]], 1)
        return self._again("again#2", at, own[None], truth.columns[None, : own.shape[1]], torch.zeros_like(at[0]))

    def _replaced(self, rows: Any, mine: Tensor, again: Any) -> Any:
        """Rows [f, n], those `mine` [e] of them now `again` [e, n]."""
        rows[mine] = again
        return rows

    def _put(self, rows: Any, changed: Tensor, at: RowPlaces) -> None:
        """Those of the rows [f, n] that are `changed` are the product's from now on."""
        self.total = self.total.clone()
        self.total[at[0][changed], at[1][changed]] = rows[changed]

    def _again(self, name: str, at: RowPlaces, b: Tensor, columns: Tensor, of: Tensor) -> tuple[Tensor, Tensor]:
        """Rows `at` [f] of A times b[of] [f, n, t] -> the rows [f, n] int32, and which add up to `columns`[of] [f]."""
        checks, x, (n, t) = self._checks, self._products, b.shape[1:]
        parts = []
        for some in torch.arange(len(of), device=of.device).split(max(1, _CHUNK // (n * t))):
            g, i, mine = at[0][some], at[1][some], of[some]
            entries = self._entries.inner(g, i, x.shape.m)
            a = x.a[g, i].long()
            a = (a if x.bias is None else torch.cat([a, torch.ones_like(a[:, :1])], 1))[:, None]
            own = b.expand(len(some), n, t) if len(b) == 1 else b[mine]
            rows = checks.apply(name, Dot(), (a, own.long()), entries)
            found = checks.sums(f"{name}/rows", rows, dim=2, step=n, entries=entries)[:, 0, 0]
            wanted = checks.apply(f"{name}/wanted", Dot(), (a, columns[mine][:, None]), entries)[:, 0, 0]
            parts.append((rows[:, 0].int(), ~checks.differ(found, wanted)))
        return torch.cat([rows for rows, _ in parts]), torch.cat([right for _, right in parts])

    def _changed(self, rows: Any, at: RowPlaces) -> Tensor:
        """Which of the rows [f, n] are not those of the product."""
        return self._checks.differ(rows, self.total[at]).any(1)

    def _looked_into(self, g: Tensor) -> Iterator[tuple[int, sums.RowVerdict, sums.SummedWeight]]:
        """Sum the weights of products `g` [f] anew -> those that are not sound: what is wrong, and what they were."""
        checks, x = self._checks, self._products
        n, terms = x.shape.n, x.shape.terms
        zero = torch.zeros(n, dtype=torch.int32, device=x.b.device)
        for some in g.split(max(1, _CHUNK // (n * terms))) if len(g) else ():
            columns, rows = self._summed_anew(some)
            checks.count(cmp=len(some) * (terms + n))
            for place, one in enumerate(some.tolist()):
                h = one % len(x.b)
                part = self._stored[h]
                now = torch.cat([x.b[h], part.weight[n:]])
                stored = replace(part, weight=now, bias=zero if x.bias is None else x.bias[h])
                verdict, truth = sums.judged(stored, columns[place], rows[place])
                if verdict != "sound":
                    checks.note(Events(corrupted=1))
                    yield one, verdict, truth

    def _summed_anew(self, g: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of the weights of products `g` [f] as they are now: over columns [f, k + 1], over rows [f, n]."""
        checks, x, entries = self._checks, self._products, self._entries.only(g)
        words = x.of_weight(sums.with_bias(x.b, x.bias), g)
        columns = checks.sums("look/columns", words, dim=1, step=x.shape.n, entries=entries)[:, 0]
        rows = checks.sums("look/rows", words, dim=2, step=x.shape.terms, entries=entries)[..., 0]
        return columns if x.bias is not None else torch.cat([columns, torch.zeros_like(columns[:, :1])], 1), rows


class SparseProductRows(ProductRows):
    """The same where it costs what faults touch: rows are known by what their words are off by."""

    def _compute(self) -> None:
        digits = offset = None
        if self._stored:
            n = self._products.shape.n
            digits = torch.stack([part.weight[n : n + SPARE] for part in self._stored])
            offset = torch.stack([part.columns[-1] for part in self._stored])
        offset = None if self._products.bias is None else offset
        self._rows = SparseRows(self._work, self._checks, digits=digits, offset=offset)

    def wrong(self) -> Tensor:
        """Rows [g, m] that do not add up to what their digits say."""
        return self._rows.wrong()

    def written(self) -> Tensor:
        """The operator's output."""
        return self._rows.written()

    def _first_again(self, at: RowPlaces) -> tuple[Deltas, Tensor]:
        return self._rows.again("again", at)

    def _once_more(self, at: RowPlaces, verdict: sums.RowVerdict, truth: sums.SummedWeight) -> tuple[Deltas, Tensor]:
        if verdict == "sums":  # the weight is as it was, and so are its sums, made anew
            return self._rows.again("again#2", at)
        rows, right = super()._once_more(at, verdict, truth)
        return self._rows.of_words(rows, at), right

    def _changed(self, rows: Deltas, at: RowPlaces) -> Tensor:
        return self._rows.changed(rows, at)

    def _replaced(self, rows: Deltas, mine: Tensor, again: Deltas) -> Deltas:
        return self._rows.replaced(rows, mine, again)

    def _put(self, rows: Deltas, changed: Tensor, at: RowPlaces) -> None:
        self._rows.put(rows, changed, at)

    def _summed_anew(self, g: Tensor) -> tuple[Tensor, Tensor]:
        known = [self._stored[h] for h in (g % len(self._stored)).tolist()]
        columns, rows = (torch.stack([getattr(part, name) for part in known]) for name in ("columns", "rows"))
        self._rows.add_to_sums(g, columns=columns, rows=rows)
        return columns, rows


def is_trusted(application: ProtectedApplication, checks: Checks) -> bool:
    """Whether what is stored of a weight is of the weight as it is now; of activations, always."""
    x, weight = application.products, application.inputs[1]
    if not x.stored:
        return True
    assert weight is not None
    parts = stored_digits(application, checks)
    held = [weight, *(() if x.bias is None else (x.bias,))]
    held += [words for part in parts for words in (part.weight, part.columns, part.rows)]
    name = f"{application.site.name}{CHECK}held"
    then = checks.stored.kept(name, weight, key=id(parts), make=lambda: (parts, [words.clone() for words in held]))
    return then[0] is parts and all(torch.equal(words, one) for words, one in zip(held, then[1], strict=True))


def stored_digits(application: ProtectedApplication, checks: Checks) -> tuple[sums.SummedWeight, ...]:
    """Words and sums of each group of the weight, made while it is trusted."""
    x, weight = application.products, application.inputs[1]
    assert weight is not None

    def store() -> tuple[sums.SummedWeight, ...]:
        zero = torch.zeros(x.shape.n, dtype=torch.int32, device=x.b.device)
        biases = [zero] * len(x.b) if x.bias is None else x.bias.unbind(0)
        return tuple(sums.store(w, bias) for w, bias in zip(x.b, biases, strict=True))

    return checks.stored.kept(application.site.name, weight, key="digits", make=store)
