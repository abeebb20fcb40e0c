"""ABFT of float products: every output row is summed and compared within a rounding bound.

A row of C = A B must sum to the row of A times the sums of B. Both are rounded, so they differ; they are held to be
wrong where they differ by more than so many standard deviations of what rounding makes of them (`rounding`). The words
of such a row are computed again, and those are replaced that differ from the new ones by more than that many deviations
of a single word's errors. So a false alarm costs the operations of a row and changes nothing. An error below the bound
is not seen: the more words a row has, the wider its bound.

Huang & Abraham (IEEE Trans. Computers C-33, 1984) for the check, V-ABFT (2026) for a threshold by variances.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from radhard.json_record import Above, Least
from radhard.kernels.events import Events
from radhard.machine import Add, Mul, Shape, Sum
from radhard.machine.operator import GATHERED_AT_ONCE
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks, Dot
from radhard.protection.abft.checksum_moments import ChecksumMoments, made_moments, stored_moments, with_bias
from radhard.protection.abft.correcting import RowPlaces
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.products import float_matrices
from radhard.protection.abft.rounding import Rounding, per_deviation
from radhard.protection.forms import Form, NoForm
from radhard.protection.schemes.options import check_options
from radhard.protection.schemes.registry import scheme
from radhard.words import Words


@scheme(
    "float-abft",
    about="Every row sum of a float product is checked within a rounding bound.",
    takes="float products",
)
@dataclass(frozen=True, kw_only=True)
class FloatAbft:
    """`deviations` of the bound; `width` words of a row to a check, None for all: fewer see more, and cost more.

    `lanes` are the partial sums in which the device adds: more of them mean smaller errors, and a closer bound. A row
    that is off after its repair is taken up again at most `retries` times. What is not finite counts as off.
    """

    deviations: Annotated[float, Above(0), "Bound in standard deviations; 6: a false alarm in 500 million."] = 6.0
    width: Annotated[int | None, Least(1), "Words per row check; null: the whole row."] = None
    lanes: Annotated[int, Least(1), "Partial sums of the device's float addition."] = 1
    retries: Annotated[int, Least(0), "Attempts to repair a row again; 0 leaves a repair unchecked."] = 1

    def __post_init__(self) -> None:
        check_options(self)

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """The inner machine's output itself, unless a row of it is wrong."""
        out = application.compute()
        rows = FloatRows(application, checks, scheme=self, out=out)
        return out if rows.repair() else rows.merged()

    def expected(self, shape: Shape, *, ber: float, words: Words) -> None:
        """None: no model is made of it."""
        del shape, ber, words

    @property
    def deployed(self) -> Form:
        """None."""
        return NoForm(reason="it checks float products, and deployed products compute in int8 words")


class FloatRows:
    """One application: its rows [g, m] against what they must sum to, each cut into pieces of `width` columns."""

    def __init__(self, application: ProtectedApplication, checks: Checks, *, scheme: FloatAbft, out: Tensor) -> None:
        self._work, self._scheme, self._checks = application, scheme, checks
        self._products = x = float_matrices(application.operator, application.inputs, application.site)
        self._entries = Entries.of(x)
        self._width = min(scheme.width or x.shape.n, x.shape.n)
        self._rounding = Rounding(lanes=scheme.lanes)
        self._type = out.dtype
        self._written = self._rounding.written(out.dtype)
        self._a, self._b = with_bias(x)
        self._total = x.split(out).float()  # exact
        moments = self._moments()
        apply = self._checks.apply
        self._wanted = apply("wanted", Dot(), (self._a, x.of_weight(moments.sums, x.every)), self._entries)
        squares = apply("bound/a", Mul(), (self._a, self._a), self._entries)
        self._spread = apply("bound/chains", Dot(), (squares, x.of_weight(moments.spread, x.every)), self._entries)
        self._kept = moments

    def merged(self) -> Tensor:
        """The repaired products, as the operator's output."""
        return self._products.merge(self._total.to(self._type))

    def repair(self) -> bool:
        """Check all rows and repair what is wrong in them; -> whether nothing was changed."""
        checks, scheme = self._checks, self._scheme
        wrong = self._wrong("rows", self._total, self._wanted, self._spread, entries=self._entries)
        g, i, j = wrong.nonzero(as_tuple=True)
        checks.note(Events(checks=len(self._a), alarms=int(wrong.flatten(1).any(1).sum()), flagged=len(g)))
        touched = torch.zeros(len(g), dtype=torch.bool, device=g.device)
        open_ = torch.arange(len(g), device=g.device)
        for attempt in range(scheme.retries + 1):
            again = f"#{attempt + 1}" if attempt else ""
            changed = torch.zeros_like(touched)
            for columns, index in self._alike(j, open_):
                changed[index] = self._replace(again, (g[index], i[index]), int(j[index[0]]), columns)
            if not attempt:
                self._audit(g[~changed], j[~changed])
            touched |= changed
            open_ = changed.nonzero()[:, 0]
            if not len(open_) or not scheme.retries:
                break
            still = [
                index[self._still(again, (g[index], i[index]), int(j[index[0]]), columns)]
                for columns, index in self._alike(j, open_)
            ]
            open_ = torch.cat(still)
            if not len(open_):
                break
        left = len(open_) if scheme.retries else 0
        checks.note(Events(uncorrected=left, recomputed=int(touched.sum()) - left, false_alarms=int((~touched).sum())))
        return not bool(touched.any())

    # --- the bound ---

    def _wrong(self, name: str, words: Tensor, wanted: Tensor, spread: Tensor, *, entries: Entries) -> Tensor:
        """Words [f, r, c] against what each piece of a row must sum to [f, r, j] -> where they do not."""
        checks, k, rounding = self._checks, self._a.shape[2], self._rounding
        actual = checks.sums(name, words, dim=2, step=self._width, entries=entries)
        each = checks.apply(f"{name}/squares", Mul(), (words, words), entries)
        squares = checks.sums(f"{name}/squares/sums", each, dim=2, step=self._width, entries=entries)
        of_words = rounding.of_total(k) + self._written + rounding.of_terms(self._width)
        total = checks.apply(f"{name}/total", Mul(), (wanted, wanted), entries)
        of_sums = rounding.of_total(k) + rounding.of_total(self._width) + rounding.written_alike(self._type)
        bound = self._plus(name, spread, (squares, of_words), (total, of_sums), entries=entries)
        return self._beyond(name, checks.minus(f"{name}/off", actual, wanted, entries), bound, entries=entries)

    def _plus(self, name: str, bound: Tensor, *parts: tuple[Tensor, float], entries: Entries) -> Tensor:
        """A variance, and so many times others."""
        for number, (values, factor) in enumerate(parts):
            factors = (values, torch.full_like(values, factor))
            scaled = self._checks.apply(f"{name}/scaled{number}", Mul(), factors, entries)
            bound = self._checks.apply(f"{name}/bound{number}", Add(), (bound, scaled), entries)
        return bound

    def _beyond(self, name: str, off: Tensor, variance: Tensor, *, entries: Entries) -> Tensor:
        """Where the square of `off`, in deviations, is above the variance, or either is not finite."""
        unit = torch.full_like(off, per_deviation(self._scheme.deviations))
        scaled = self._checks.apply(f"{name}/deviations", Mul(), (off, unit), entries)
        square = self._checks.apply(f"{name}/deviations/square", Mul(), (scaled, scaled), entries)
        self._checks.count(cmp=2 * off.numel())
        return ~(square <= variance) | ~variance.isfinite()

    # --- the moments of B ---

    def _moments(self) -> ChecksumMoments:
        x, application = self._products, self._work
        if not x.stored:
            b = self._b[x.every % len(self._b)]
            return made_moments(
                b, width=self._width, rounding=self._rounding, checks=self._checks, entries=self._entries
            )
        weight = application.inputs[1]
        assert weight is not None
        key = ("moments", self._width, self._rounding)
        make = partial(stored_moments, self._b, width=self._width, rounding=self._rounding)
        return self._checks.stored.kept(application.site.name, weight, key=key, make=make)

    def _audit(self, g: Tensor, j: Tensor) -> None:
        """Make the stored sums of blocks `j` [f] of products `g` [f] once more, where nothing else was wrong."""
        if not self._products.stored or not len(g):
            return
        checks, count = self._checks, self._kept.sums.shape[1]
        for one, block in torch.stack([g, j], 1).unique(dim=0).tolist():
            h = one % len(self._b)
            columns = self._b[h, block * self._width : (block + 1) * self._width][None]
            index = torch.tensor([one])
            entries = self._entries.inner(index, torch.tensor([block]), count)
            name, width = f"audit/{columns.shape[1]}", columns.shape[1]
            again = checks.sums(name, columns, dim=1, step=width, entries=entries)[:, 0]
            off = checks.minus(f"{name}/off", again, self._kept.sums[h, block][None], entries)
            spread = self._kept.spread[h, block][None]  # a chain of k terms has more than its own share of each square
            bound = self._plus(name, spread, (spread, width / self._a.shape[2]), entries=entries)
            checks.note(Events(corrupted=int(self._beyond(name, off, bound, entries=entries).any())))

    # --- words computed again ---

    def _alike(self, j: Tensor, index: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Pieces `index` [e] of rows at the same columns, so many at a time that memory suffices."""
        n, k = self._b.shape[1:]
        for block in j[index].unique().tolist():
            columns = slice(block * self._width, min(n, (block + 1) * self._width))
            most = max(1, GATHERED_AT_ONCE // ((columns.stop - columns.start) * k))
            for part in index[j[index] == block].split(most):
                yield columns, part

    def _pieces(self, at: RowPlaces, block: int) -> Entries:
        """Pieces of rows [e] as entries of checks."""
        count = self._kept.sums.shape[1]
        return self._entries.inner(at[0], at[1] * count + block, self._a.shape[1] * count)

    def _replace(self, again: str, at: RowPlaces, block: int, columns: slice) -> Tensor:
        """Compute words `columns` of rows `at` [e] again and replace those that are off -> rows that were changed [e].

        Both the word and the new one have the errors of a chain.
        """
        checks, entries, rounding, (g, i) = self._checks, self._pieces(at, block), self._rounding, at
        k, name = self._a.shape[2], f"{columns.stop - columns.start}/again{again}"
        factors = (self._a[g, i][:, None], self._b[:, columns][g % len(self._b)])
        products = checks.apply(f"{name}/products", Mul(), factors, entries)  # [e, w, k]
        words = checks.apply(name, Sum(dims=(2,)), (products,), entries)[..., 0]
        each = checks.apply(f"{name}/squares", Mul(), (products, products), entries)
        squares = checks.apply(f"{name}/squares/sums", Sum(dims=(2,)), (each,), entries)[..., 0]
        own = checks.apply(f"{name}/total", Mul(), (words, words), entries)
        chain, total = 2 * (rounding.of_terms(k) + 1), 2 * rounding.of_total(k) + self._written
        first = checks.apply(f"{name}/scaled", Mul(), (squares, torch.full_like(squares, chain)), entries)
        bound = self._plus(name, first, (own, total), entries=entries)
        old = self._total[g, i, columns]
        off = checks.minus(f"{name}/off", old, words, entries)
        wrong = self._beyond(name, off, bound, entries=entries) & words.isfinite()
        self._total[g, i, columns] = torch.where(wrong, words, old)
        return wrong.any(1)

    def _still(self, again: str, at: RowPlaces, block: int, columns: slice) -> Tensor:
        """Which of the rows [e] are still off."""
        (g, i), name = at, f"{columns.stop - columns.start}/recheck{again}"
        wanted, spread = (of[g, i, block][:, None, None] for of in (self._wanted, self._spread))
        words = self._total[g, i, columns][:, None]
        return self._wrong(name, words, wanted, spread, entries=self._pieces(at, block))[:, 0, 0]
