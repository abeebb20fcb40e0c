"""Recovery of faulty blocks: the rows and columns that are wrong, what is put right in them, and whether that helped.

A block of C = A B with one faulty word has one row and one column whose sum is off by the same amount: the word is off
by that. More faulty words show in more rows and columns, and what becomes of them is a policy:

    leave       nothing: recovery repairs one word (the paper)
    intersect   the words where such rows and columns meet are computed again
    row         all words of such rows
    block       all words

A mismatch in rows alone or in columns alone has no cause in the block, and touches nothing; no mismatch at all means
that the check was hit. A block of a later slab of the reduction is the difference of two running sums.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from radhard.protection.checks import Dot, Entries
from radhard.protection.detection import Detection
from radhard.protection.shape import Block
from radhard.protection.work import Work

Policy = Literal["leave", "intersect", "row", "block"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
_CHUNK = 1 << 22  # factors of words that are computed again at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Flagged:
    """Blocks, columns [f] int64: of product `g`, at place `i`, `q`, `j` along m, k and n."""

    g: Tensor
    i: Tensor
    q: Tensor
    j: Tensor

    def only(self, index: Tensor) -> "Flagged":
        """Those at `index` [f]."""
        return Flagged(g=self.g[index], i=self.i[index], q=self.q[index], j=self.j[index])


@dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """Blocks [f, h, w] of equal sizes, with what they are made of, all int64.

    `values` are as computed; a [f, h, t] and b [f, w, t] their factors, `alpha` and `beta` [f, t] the sums of these
    over h and over w; `expected` [f] int32 is what each must sum to. `at` says where they are.
    """

    at: Flagged
    entries: Entries
    values: Tensor
    a: Tensor
    b: Tensor
    alpha: Tensor
    beta: Tensor
    expected: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def only(self, index: Tensor) -> "Blocks":
        """Those at `index` [f]."""
        named = ("values", "a", "b", "alpha", "beta", "expected")
        chosen = {name: getattr(self, name)[index] for name in named}
        return Blocks(at=self.at.only(index), entries=self.entries.only(index), **chosen)


class Recovery:
    """Recovers blocks of one application; `total` [g, m, n] int32 is put right in place.

    `found` is what detection made, `expected` [g, q, i, j] int32 the sums that blocks must have. After a repair the
    block is checked, and taken up again at most `retries` times; with 0 it is not checked. `cleared` are the products
    of blocks in which nothing was wrong.
    """

    def __init__(
        self,
        work: Work,
        *,
        block: Block,
        found: Detection,
        expected: Tensor,
        policy: Policy,
        retries: int,
    ) -> None:
        self.total = found.sums[-1].clone()
        self.cleared: list[Tensor] = []
        self._work = work
        self._checks = work.checks
        self._block = block
        self._sums = found.sums
        self._left = found.left
        self._right = found.right
        self._expected = expected
        self._policy = policy
        self._retries = retries

    def run(self, flagged: Flagged) -> None:
        """Recover the blocks, those of the same sizes together."""
        shape, block = self._work.products.shape, self._block
        sizes = torch.stack(
            [
                (shape.m - flagged.i * block.m).clamp(max=block.m),
                (shape.k - flagged.q * block.k).clamp(max=block.k),
                (shape.n - flagged.j * block.n).clamp(max=block.n),
                (flagged.q > 0).long(),
                (flagged.q == len(self._sums) - 1).long(),
            ],
            1,
        )
        for alike in sizes.unique(dim=0):
            self._recover(self._gather(flagged.only(_where(sizes == alike))))

    def _gather(self, at: Flagged) -> Blocks:
        """Read the blocks and their factors; a block of a later slab is a difference."""
        x, block = self._work.products, self._block
        slabs, g, (rows, columns) = len(self._sums), at.g[:, None, None], self._expected.shape[2:]
        h = min(block.m, x.shape.m - int(at.i[0]) * block.m)
        w = min(block.n, x.shape.n - int(at.j[0]) * block.n)
        first, last = int(at.q[0]) == 0, int(at.q[0]) == slabs - 1
        depth = min(block.k, x.shape.k - int(at.q[0]) * block.k)
        row = (at.i * block.m)[:, None] + torch.arange(h)
        column = (at.j * block.n)[:, None] + torch.arange(w)
        term = (at.q * block.k)[:, None] + torch.arange(depth)
        entries = self._work.entries.inner(at.g, (at.q * rows + at.i) * columns + at.j, slabs * rows * columns)
        place = (g, row[:, :, None], column[:, None, :])
        values = self._sums[(at.q[:, None, None], *place)].long()
        if not first:
            before = self._sums[(at.q[:, None, None] - 1, *place)].long()
            values = self._checks.minus(f"{h}x{depth}x{w}/slab", values, before, entries)
        weight = g % len(x.b)
        a = x.a[g, row[:, :, None], term[:, None, :]].long()
        b = x.b[weight, column[:, :, None], term[:, None, :]].long()
        if last and x.bias is not None:
            a = torch.cat([a, torch.ones_like(a[..., :1])], 2)
            b = torch.cat([b, x.bias[weight[:, 0], column].long()[..., None]], 2)
            term = torch.cat([term, torch.full_like(term[:, :1], x.shape.k)], 1)
        return Blocks(
            at=at,
            entries=entries,
            values=values,
            a=a,
            b=b,
            alpha=self._left.blocks[at.g[:, None], at.i[:, None], term],
            beta=self._right.blocks[at.g[:, None], at.j[:, None], term],
            expected=self._expected[at.g, at.q, at.i, at.j],
        )

    def _recover(self, blocks: Blocks) -> None:
        (_, h, w), terms, note = blocks.values.shape, blocks.a.shape[2], self._checks.note
        for attempt in range(self._retries + 1):
            label = f"{h}x{terms}x{w}" + (f"#{attempt + 1}" if attempt else "")
            rows, columns = self._residuals(label, blocks)
            wrong_rows, wrong_columns = self._checks.differ(rows, 0), self._checks.differ(columns, 0)
            count = torch.stack([wrong_rows.sum(1), wrong_columns.sum(1)], 1)
            nothing = (count == 0).all(1)
            if not attempt:
                self.cleared.append(blocks.at.g[nothing])
            note(**{"repaired" if attempt else "cleared": int(nothing.sum())})
            one = (count == 1).all(1)
            if bool(one.any()):
                row_delta, column_delta = (
                    residual[one].gather(1, wrong[one].long().argmax(1)[:, None])[:, 0]
                    for residual, wrong in ((rows, wrong_rows), (columns, wrong_columns))
                )
                one[one.clone()] = ~self._checks.differ(row_delta, column_delta)
            more = (count > 0).all(1) & ~one if self._policy != "leave" else torch.zeros_like(one)
            both = (count > 0).all(1)
            note(one_sided=int((~nothing & ~both).sum()), left=int((both & ~one & ~more).sum()))
            self._audit(blocks, count)
            values = blocks.values.clone()
            hit = (wrong_rows & one[:, None])[:, :, None] & wrong_columns[:, None, :]
            self._correct(label, blocks, hit, rows, values)
            self._again(label, blocks, self._chosen(wrong_rows, wrong_columns, w) & more[:, None, None], values)
            blocks = Blocks(**{**vars(blocks), "values": values})
            touched = _where(one | more)
            failed = self._recheck(label, blocks.only(touched)) if self._retries else torch.zeros_like(touched).bool()
            over = ~failed if attempt < self._retries else torch.ones_like(failed)
            good = touched[over & ~failed]
            note(repaired=int(one[good].sum()), recomputed=int(more[good].sum()), left=int((over & failed).sum()))
            blocks = blocks.only(touched[~over])
            if not len(blocks):
                return

    def _residuals(self, label: str, blocks: Blocks) -> tuple[Tensor, Tensor]:
        """Sums of rows [f, h] and of columns [f, w], less what they must be."""
        checks, entries, (_, h, w) = self._checks, blocks.entries, blocks.values.shape
        found = []
        for name, dim, step, factor, sums in (
            ("rows", 2, w, blocks.a, blocks.beta),
            ("columns", 1, h, blocks.b, blocks.alpha),
        ):
            actual = checks.sums(f"{label}/{name}", blocks.values, dim=dim, step=step, entries=entries).squeeze(dim)
            wanted = checks.apply(f"{label}/{name}/wanted", Dot(), (factor, sums[:, None]), entries)[..., 0]
            found.append(checks.minus(f"{label}/{name}/residual", actual, wanted, entries))
        return found[0], found[1]

    def _chosen(self, rows: Tensor, columns: Tensor, width: int) -> Tensor:
        """Which words [f, h, w] of blocks with several faulty ones are computed again."""
        if self._policy == "intersect":
            return rows[:, :, None] & columns[:, None, :]
        if self._policy == "row":
            return rows[:, :, None].expand(-1, -1, width)
        return torch.ones_like(rows)[:, :, None].expand(-1, -1, width)

    def _correct(self, label: str, blocks: Blocks, hit: Tensor, rows: Tensor, values: Tensor) -> None:
        """Subtract from each word that is `hit` [f, h, w] what its row is off by."""
        f, r, c = hit.nonzero(as_tuple=True)
        if not len(f):
            return
        entries = self._words(blocks, f, r, c)
        values[f, r, c] = self._checks.minus(f"{label}/correct", values[f, r, c], rows[f, r], entries)
        self._put(label, blocks, (f, r, c), values)

    def _again(self, label: str, blocks: Blocks, hit: Tensor, values: Tensor) -> None:
        """Compute each word that is `hit` [f, h, w] again from its factors."""
        step = max(1, _CHUNK // blocks.a.shape[2])
        every = hit.nonzero(as_tuple=True)
        if not len(every[0]):
            return
        for f, r, c in zip(*(index.split(step) for index in every), strict=True):
            entries = self._words(blocks, f, r, c)
            factors = (blocks.a[f, r][:, None], blocks.b[f, c][:, None])
            again = self._checks.apply(f"{label}/again", Dot(), factors, entries)[:, 0, 0]
            values[f, r, c] = again
            self._put(label, blocks, (f, r, c), values)

    def _put(self, label: str, blocks: Blocks, at: tuple[Tensor, Tensor, Tensor], values: Tensor) -> None:
        """Put words right in `total`: the block's own, or where it is one slab of several, less what it lost.

        What it lost is taken from its old and its new word, so that a repair that is hit leaves both wrong by the same,
        and the next attempt puts both right.
        """
        f, r, c = at
        place = (blocks.at.g[f], blocks.at.i[f] * self._block.m + r, blocks.at.j[f] * self._block.n + c)
        if len(self._sums) == 1:
            self.total[place] = values[at].to(torch.int32)
            return
        entries = self._words(blocks, f, r, c)
        lost = self._checks.minus(f"{label}/lost", blocks.values[at], values[at], entries).to(torch.int32)
        slab = blocks.at.q[f]
        for q in slab.unique():  # one word may be off in several slabs
            mine = _where(slab == q)
            chosen = tuple(index[mine] for index in place)
            self.total[chosen] = self._checks.minus(
                f"{label}/total", self.total[chosen], lost[mine], entries.only(mine)
            )

    def _recheck(self, label: str, blocks: Blocks) -> Tensor:
        """Which of the blocks [f] still do not sum to what they must."""
        if not len(blocks):
            return torch.zeros(0, dtype=torch.bool)
        flat = blocks.values.flatten(1)
        again = self._checks.sums(f"{label}/recheck", flat, dim=1, step=flat.shape[1], entries=blocks.entries)[:, 0]
        return self._checks.differ(again.to(torch.int32), blocks.expected)

    def _audit(self, blocks: Blocks, count: Tensor) -> None:
        """Blocks whose rows alone are off: the sums of B may be wrong."""
        suspects = _where((count[:, 0] > 0) & (count[:, 1] == 0))
        if len(suspects):
            self._work.audit(blocks.at.g[suspects], self._right, step=self._block.n)

    def _words(self, blocks: Blocks, f: Tensor, r: Tensor, c: Tensor) -> Entries:
        _, h, w = blocks.values.shape
        return blocks.entries.inner(f, r * w + c, h * w)


def _where(mask: Tensor) -> Tensor:
    """Mask [f], or [f, ...] all of which must hold -> indices int64."""
    return (mask if mask.ndim == 1 else mask.flatten(1).all(1)).nonzero()[:, 0]
