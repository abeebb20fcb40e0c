"""Repair of a matrix product after an alarm: its blocks are checked, and faulty blocks are recovered.

These are the stages of LB-ABFT and of ABFT by rows (`radhard.protection.schemes`), which say why; here one product at a
time is taken up, after an alarm, and all arithmetic is exact in int64.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from radhard.kernels.events import Events
from radhard.kernels.sums import BlockSums, numbers, summed, with_bias

_TURN = 1 << 32


@dataclass(frozen=True, kw_only=True)
class How:
    """Blocks of m x k x n, 0 for all of an axis; what becomes of faulty ones; the bits of the sums of detection.

    `recovery` is "leave", "intersect", "row" or "block", the policies of LB-ABFT, or "weighted", that of row ABFT. A
    block is taken up again at most `retries` times.
    """

    m: int
    k: int
    n: int
    recovery: str
    retries: int
    width: int

    def sized(self, m: int, k: int, n: int) -> "How":
        """The same blocks in products of these sizes, none larger than the product itself."""
        m, k, n = (max(1, min(own or size, size)) for own, size in ((self.m, m), (self.k, k), (self.n, n)))
        return replace(self, m=m, k=k, n=n)

    def off(self, difference: Tensor) -> Tensor:
        """Differences [...] int64 of sums -> what these are off by in so many bits, int64."""
        return difference if self.width == 64 else (difference + _TURN // 2) % _TURN - _TURN // 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Factors:
    """`a` [m, k] of 8 bits times `b` [n, k] int8 plus bias [n] int32, and the sums of b over blocks of its columns.

    `stored` says that sums were made while b was trusted. A block is passed over if no word that is written, its
    accumulator times `seen` [n], shows its error; None takes all.
    """

    a: Tensor
    b: Tensor
    bias: Tensor
    sums: BlockSums
    stored: bool
    seen: Tensor | None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Block:
    """Values [h, w] of one block, its factors a [h, t] and b [w, t], their sums alpha and beta [t]; all int64.

    `weighted` [2, t] are those of b times the numbers of its columns and their squares; `place` is (slab, row, column,
    block of columns), `off` what its sum is off by.
    """

    values: Tensor
    a: Tensor
    b: Tensor
    alpha: Tensor
    beta: Tensor
    weighted: Tensor | None
    place: tuple[int, int, int, int]
    off: int


class BlockRepair:
    """Recovers one product; `total` [m, n] int32 is put right in place, and `events` say what was found and done.

    `sums` [q, m, n] int32 are its running sums after each slab of k; the bias is in the last.
    """

    def __init__(self, sums: Tensor, factors: Factors, how: How) -> None:
        self.total = sums[-1].clone()
        self.events = Events()
        self._factors = factors
        self._how = how
        wide = sums.to(torch.int64)
        self._values = torch.cat([wide[:1], wide[1:] - wide[:-1]])
        ones = torch.ones(len(factors.a), 1, dtype=torch.int64, device=sums.device)
        self._a = torch.cat([factors.a.to(torch.int64), ones], 1)
        self._b = with_bias(factors.b, factors.bias)
        self._alpha = summed(self._a, how.m, dim=0)

    def run(self) -> Tensor:
        """Check every block, and recover those that are off -> `total`."""
        flagged = list(self._flagged())
        self.events += Events(flagged=len(flagged))
        if not flagged and self._factors.stored:
            self._note_stale(self._factors.sums.blocks.sum(0), self._factors.sums.all)
        for block in flagged:
            if not self._visible(block):
                self.events += Events(excluded=1)
            elif self._how.recovery == "weighted":
                self._by_rows(block)
            else:
                self._by_both(block)
        return self.total

    # --- which blocks ---

    def _flagged(self) -> Iterator[_Block]:
        """The blocks whose sums are not as expected."""
        how, k = self._how, self._factors.a.shape[1]
        for q, slab in enumerate(self._values):
            terms = slice(q * how.k, k + 1 if q == len(self._values) - 1 else (q + 1) * how.k)
            tiles = summed(summed(slab, how.m, dim=0), how.n, dim=1)
            expected = _dots(self._alpha[:, terms], self._factors.sums.blocks[:, terms])
            off = how.off(tiles - expected)
            for i, j in off.nonzero().tolist():
                yield self._block(q, i, j, terms, off=int(off[i, j]))

    def _block(self, q: int, i: int, j: int, terms: slice, *, off: int) -> _Block:
        how, sums = self._how, self._factors.sums
        rows, columns = slice(i * how.m, (i + 1) * how.m), slice(j * how.n, (j + 1) * how.n)
        return _Block(
            values=self._values[q, rows, columns],
            a=self._a[rows, terms],
            b=self._b[columns, terms],
            alpha=self._alpha[i, terms],
            beta=sums.blocks[j, terms],
            weighted=None if sums.weighted is None else sums.weighted[j, :, terms],
            place=(q, rows.start, columns.start, j),
            off=off,
        )

    def _visible(self, block: _Block) -> bool:
        """Whether an error of this size moves a word of the block that is written by half a step or more."""
        seen, first = self._factors.seen, block.place[2]
        if seen is None:
            return True
        return abs(block.off) * float(seen[first : first + len(block.b)].double().abs().max()) >= 0.5

    # --- by rows and columns: LB-ABFT ---

    def _by_both(self, block: _Block) -> None:
        """Put right the one word where a row and a column are off alike; of several what the policy says."""
        off = block.off
        for attempt in range(self._how.retries + 1):
            rows = block.values.sum(1) - (block.a * block.beta).sum(1)
            columns = block.values.sum(0) - (block.b * block.alpha).sum(1)
            wrong_rows, wrong_columns = rows.nonzero()[:, 0], columns.nonzero()[:, 0]
            if not len(wrong_rows) and not len(wrong_columns):
                self.events += Events(repaired=1) if attempt else Events(false_alarms=1)
                return
            if not len(wrong_columns):
                self._audit(block)
            if not len(wrong_rows) or not len(wrong_columns):
                self.events += Events(inconsistent=1)  # no cause in the block: nothing is touched
                return
            one = len(wrong_rows) == len(wrong_columns) == 1 and int(rows[wrong_rows]) == int(columns[wrong_columns])
            if one:
                r, c = int(wrong_rows), int(wrong_columns)
                self._put(block, wrong_rows, wrong_columns, block.values[r : r + 1, c : c + 1] - rows[r])
            elif self._how.recovery == "leave":
                self.events += Events(uncorrected=1)
                return
            else:
                these, those = self._chosen(block, wrong_rows, wrong_columns)
                self._put(block, these, those, _dots(block.a[these], block.b[those]))
            expected = (block.alpha * block.beta).sum()
            off = 0 if not self._how.retries else int(self._how.off(block.values.sum() - expected))
            if not off:
                self.events += Events(repaired=1) if one else Events(recomputed=1)
                return
        self.events += Events(uncorrected=1)

    def _chosen(self, block: _Block, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """The rows and columns whose words are computed again where they meet."""
        if self._how.recovery == "intersect":
            return rows, columns
        every = torch.arange(len(block.b), device=rows.device)
        return (rows if self._how.recovery == "row" else torch.arange(len(block.a), device=rows.device)), every

    # --- by rows: row ABFT ---

    def _by_rows(self, block: _Block) -> None:
        """Put right the one word that weighted sums of a row name; compute other rows again."""
        wanted = (block.a * block.beta).sum(1)
        off = block.values.sum(1) - wanted
        rows = off.nonzero()[:, 0]
        if not len(rows):
            self.events += Events(false_alarms=1)
            return
        again = False
        for _ in range(self._how.retries + 1):
            kept = []
            for r in rows.tolist():
                column = (
                    -1 if block.weighted is None else _column(block.values[r], block.a[r], block.weighted, off=off[r])
                )
                again = again or column < 0
                if self._row_again(block, r) if column < 0 else self._word_right(block, r, column, off=off[r]):
                    kept.append(r)
            rows = torch.tensor(kept, dtype=torch.int64, device=rows.device)
            if not self._how.retries or not kept:
                break
            off = block.values.sum(1) - wanted
            rows = rows[off[rows] != 0]
            if not len(rows):
                break
        if self._how.retries and len(rows):
            self.events += Events(uncorrected=1)
        else:
            self.events += Events(recomputed=1) if again else Events(repaired=1)

    def _word_right(self, block: _Block, r: int, column: int, *, off: Tensor) -> bool:
        """Take what a row is off by from one of its words -> True, for the row has changed."""
        row, word = (torch.tensor([x], device=off.device) for x in (r, column))
        self._put(block, row, word, (block.values[r, column] - off)[None, None])
        return True

    def _row_again(self, block: _Block, r: int) -> bool:
        """Compute a row of a block again -> whether it changed; if not, the sums of b may have."""
        row, before = torch.tensor([r], device=block.values.device), block.values[r].clone()
        self._put(block, row, torch.arange(len(block.b), device=row.device), _dots(block.a[row], block.b))
        if not torch.equal(before, block.values[r]):
            return True
        self._audit(block)
        return False

    # --- what both do ---

    def _put(self, block: _Block, rows: Tensor, columns: Tensor, words: Tensor) -> None:
        """Put `words` [r, c] where rows and columns of the block meet; what they lose, the output loses."""
        places = (rows[:, None], columns[None, :])
        _, first_row, first_column, _ = block.place
        lost = (block.values[places] - words).to(torch.int32)
        block.values[places] = words
        self.total[first_row + places[0], first_column + places[1]] -= lost

    def _audit(self, block: _Block) -> None:
        """Compare the stored sums of a block of columns with the weight: a mismatch had no other cause."""
        if self._factors.stored:
            j, k = block.place[3], self._factors.a.shape[1]
            columns = self._b[j * self._how.n : (j + 1) * self._how.n, :k]
            self._note_stale(columns.sum(0), self._factors.sums.blocks[j, :k])

    def _note_stale(self, x: Tensor, y: Tensor) -> None:
        if not torch.equal(x, y):
            self.events += Events(corrupted=1)


def _column(values: Tensor, a: Tensor, weighted: Tensor, *, off: Tensor) -> int:
    """The one column of a row [w] that is off by `off`, as sums weighted by its number and its square say; else -1."""
    weights = numbers(len(values), values.device)
    first, second = (values[:, None] * weights).sum(0) - (weighted * a).sum(1)
    fits = (off * weights[:, 0] == first).nonzero()[:, 0]
    if len(fits) != 1 or int(first * weights[fits[0], 0]) != int(second):
        return -1
    return int(fits)


def _dots(x: Tensor, y: Tensor) -> Tensor:
    """x [r, t], y [c, t] int64 -> their dot products [r, c]; GPUs have no such product, only its terms."""
    return x @ y.T if x.is_cpu else torch.stack([(row * y).sum(1) for row in x])
