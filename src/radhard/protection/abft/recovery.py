"""Recovers faulty blocks: finds wrong rows and columns, corrects or recomputes them, and checks again.

A block of C = A B with one faulty word has one row and one column whose sum is off by the same amount: the word is off
by that. More faulty words show in more rows and columns, and what becomes of them is a policy:

    leave       nothing: recovery repairs one word (the paper)
    intersect   the words where such rows and columns meet are computed again
    row         all words of such rows
    block       all words

A mismatch in rows alone or in columns alone has no cause in the block, and touches nothing; no mismatch at all means
that the check was hit.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from radhard.kernels.events import Events
from radhard.protection.abft.correcting import Correcting, Own, WordPlaces
from radhard.protection.abft.correction import where

RecoveryPolicy = Literal["leave", "intersect", "row", "block"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Syndrome:
    """What rows [f, h] and columns [f, w] of blocks are off by, and which of them are."""

    rows: Tensor
    columns: Tensor
    wrong_rows: Tensor
    wrong_columns: Tensor

    @property
    def counts(self) -> tuple[Tensor, Tensor]:
        """How many rows, and how many columns, of each block [f] are off."""
        return self.wrong_rows.sum(1), self.wrong_columns.sum(1)


def recover(correction: Correcting[Own], *, policy: RecoveryPolicy, retries: int) -> Tensor:
    """Put the flagged blocks right by `policy` -> the products [f] in which nothing was wrong.

    Each block is checked after its repair, and taken up again at most `retries` times; with 0 it is not checked.
    """
    false_alarms = [_recover(correction, blocks, policy=policy, retries=retries) for blocks in correction.blocks()]
    return torch.cat(false_alarms) if false_alarms else correction.flagged.g


def _recover(correction: Correcting[Own], blocks: Own, *, policy: RecoveryPolicy, retries: int) -> Tensor:
    checks, false_alarms = correction.checks, blocks.at.g[:0]
    for attempt in range(retries + 1):
        label = blocks.sizes + (f"#{attempt + 1}" if attempt else "")
        syndrome = _syndrome(correction, label, blocks)
        in_rows, in_columns = syndrome.counts
        nothing, both = (in_rows + in_columns) == 0, (in_rows > 0) & (in_columns > 0)
        if not attempt:
            false_alarms = blocks.at.g[nothing]
        sound = int(nothing.sum())
        checks.note(Events(repaired=sound) if attempt else Events(false_alarms=sound))
        correction.audit(blocks, where((in_rows > 0) & (in_columns == 0)))

        corrected = _correct(correction, label, blocks, syndrome=syndrome)
        several = both & ~corrected
        recomputed = several if policy != "leave" else torch.zeros_like(several)
        if len((at := _chosen(syndrome, recomputed, policy=policy))[0]):
            correction.recompute(label, blocks, at)
        checks.note(Events(inconsistent=int((~nothing & ~both).sum()), uncorrected=int((several & ~recomputed).sum())))

        touched = where(corrected | recomputed)
        failed = _recheck(correction, label, blocks.only(touched), retries=retries)
        right = touched[~failed]
        checks.note(Events(repaired=int(corrected[right].sum()), recomputed=int(recomputed[right].sum())))
        blocks = blocks.only(touched[failed])
        if not len(blocks):
            return false_alarms
    checks.note(Events(uncorrected=len(blocks)))
    return false_alarms


def _syndrome(correction: Correcting[Own], label: str, blocks: Own) -> Syndrome:
    rows, columns = correction.rows(label, blocks)[0], correction.columns(label, blocks)[0]
    wrong_rows, wrong_columns = correction.checks.differ(rows, 0), correction.checks.differ(columns, 0)
    return Syndrome(rows=rows, columns=columns, wrong_rows=wrong_rows, wrong_columns=wrong_columns)


def _correct(correction: Correcting[Own], label: str, blocks: Own, *, syndrome: Syndrome) -> Tensor:
    """Put the word right of each block in which one row and one column are off by the same -> which these are [f]."""
    in_rows, in_columns = syndrome.counts
    one = (in_rows == 1) & (in_columns == 1)
    f, r, c = _meeting(syndrome.wrong_rows & one[:, None], syndrome.wrong_columns)
    if len(f):
        same = ~correction.checks.differ(syndrome.rows[f, r], syndrome.columns[f, c])
        one[f] = same
        f, r, c = f[same], r[same], c[same]
    if len(f):
        correction.correct(label, blocks, (f, r, c), syndrome.rows[f, r])
    return one


def _chosen(syndrome: Syndrome, several: Tensor, *, policy: RecoveryPolicy) -> WordPlaces:
    """Which words of blocks with `several` faulty ones [f] are computed again."""
    rows, columns = syndrome.wrong_rows & several[:, None], syndrome.wrong_columns
    if policy == "intersect":
        return _meeting(rows, columns)
    if policy == "block":
        rows = rows.any(1, keepdim=True).expand_as(rows)
    return _meeting(rows, torch.ones_like(columns))


def _recheck(correction: Correcting[Own], label: str, blocks: Own, *, retries: int) -> Tensor:
    """Which of the blocks [f] still do not sum to what they must."""
    if not retries or not len(blocks):
        return torch.zeros(len(blocks), dtype=torch.bool, device=blocks.at.g.device)
    return correction.recheck(label, blocks)


def _meeting(rows: Tensor, columns: Tensor) -> WordPlaces:
    """Rows [f, h] and columns [f, w] -> the words where they meet, in their order."""
    (f, r), (_, c) = rows.nonzero(as_tuple=True), columns.nonzero(as_tuple=True)
    count = columns.sum(1)
    first, times = (count.cumsum(0) - count)[f], count[f]
    row = torch.arange(len(f), device=f.device).repeat_interleave(times)
    place = torch.arange(len(row), device=f.device) - (times.cumsum(0) - times)[row] + first[row]
    return f[row], r[row], c[place]
