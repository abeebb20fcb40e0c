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

from radhard.protection.abft.correction import Blocks, Correction, Places, where
from radhard.protection.abft.detection import FlaggedBlocks

RecoveryPolicy = Literal["leave", "intersect", "row", "block"]


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Recovers blocks by `policy`; each is checked after its repair, and taken up again at most `retries` times.

    With `retries=0` a repair is not checked.
    """

    policy: RecoveryPolicy
    retries: int

    def run(self, correction: Correction, flagged: FlaggedBlocks) -> Tensor:
        """Repair the blocks; -> the products [f] in which nothing was wrong."""
        false_alarms = [self._recover(correction, blocks) for blocks in correction.alike(flagged)]
        return torch.cat(false_alarms) if false_alarms else flagged.g

    def _recover(self, correction: Correction, blocks: Blocks) -> Tensor:
        (_, h, w), terms, checks = blocks.values.shape, blocks.a.shape[2], correction.checks
        false_alarms = blocks.at.g[:0]
        for attempt in range(self.retries + 1):
            label = f"{h}x{terms}x{w}" + (f"#{attempt + 1}" if attempt else "")
            rows, columns = correction.rows(label, blocks)[0], correction.columns(label, blocks)[0]
            wrong_rows, wrong_columns = checks.differ(rows, 0), checks.differ(columns, 0)
            in_rows, in_columns = wrong_rows.sum(1), wrong_columns.sum(1)
            nothing, both = (in_rows + in_columns) == 0, (in_rows > 0) & (in_columns > 0)
            if not attempt:
                false_alarms = blocks.at.g[nothing]
            checks.note(**{"repaired" if attempt else "false_alarms": int(nothing.sum())})
            correction.audit(blocks, where((in_rows > 0) & (in_columns == 0)))

            one = (in_rows == 1) & (in_columns == 1)
            at = _meeting(wrong_rows & one[:, None], wrong_columns)
            if len(at[0]):
                same = ~checks.differ(rows[at[0], at[1]], columns[at[0], at[2]])
                one[at[0]] = same
                f, r, c = (index[same] for index in at)
                if len(f):
                    correction.put(label, blocks, (f, r, c), correction.corrected(label, blocks, (f, r, c), rows[f, r]))
            more = both & ~one if self.policy != "leave" else torch.zeros_like(one)
            at = self._chosen(wrong_rows & more[:, None], wrong_columns)
            if len(at[0]):
                correction.put(label, blocks, at, correction.again(label, blocks, at))
            checks.note(inconsistent=int((~nothing & ~both).sum()), uncorrected=int((both & ~one & ~more).sum()))

            touched = where(one | more)
            failed = self._recheck(correction, label, blocks.only(touched))
            checks.note(repaired=int(one[touched[~failed]].sum()), recomputed=int(more[touched[~failed]].sum()))
            blocks = blocks.only(touched[failed])
            if not len(blocks):
                return false_alarms
        checks.note(uncorrected=len(blocks))
        return false_alarms

    def _chosen(self, rows: Tensor, columns: Tensor) -> Places:
        """Which words of blocks with several faulty ones are computed again."""
        if self.policy == "intersect":
            return _meeting(rows, columns)
        if self.policy == "block":
            rows = rows.any(1, keepdim=True).expand_as(rows)
        return _meeting(rows, torch.ones_like(columns))

    def _recheck(self, correction: Correction, label: str, blocks: Blocks) -> Tensor:
        """Which of the blocks [f] still do not sum to what they must."""
        if not self.retries or not len(blocks):
            return torch.zeros(len(blocks), dtype=torch.bool, device=blocks.values.device)
        flat, checks = blocks.values.flatten(1), correction.checks
        again = checks.sums(f"{label}/recheck", flat, dim=1, step=flat.shape[1], entries=blocks.entries)[:, 0]
        return checks.differ(again.to(blocks.expected.dtype), blocks.expected)


def _meeting(rows: Tensor, columns: Tensor) -> Places:
    """Rows [f, h] and columns [f, w] -> the words where they meet."""
    f, r, c = (rows[:, :, None] & columns[:, None, :]).nonzero(as_tuple=True)
    return f, r, c
