"""Row ABFT: detects like LB-ABFT, but recovers by rows, which reads less and repairs more.

In a flagged block only the sums of rows are checked; rows, not columns, because sums over the columns of a weight are
stored. A row that is off by d holds one faulty word in column c if its sums weighted by 1, 2, 3 ... and by 1, 4, 9 ...
are off by c d and c^2 d (Jou & Abraham, *Fault-tolerant matrix arithmetic*, Proc. IEEE, 1986; the second weight tells
two faulty words from one between them). Then d is taken from that word. Any other row, and of an activation every one,
is computed again. So several faulty words in a block are no obstacle, and as integers are exact, the blocks may be long
and flat: a check costs 1 / (m n) multiplications and 1 / k additions of each multiply-accumulate of a block m x k x n.

A word of the weight that has changed since its sums were made is off in the same column of every row, and is put right
in the output like any other; sums that have changed themselves fit no column, and the rows are found unchanged.

What no block saves are the sums over the output and over the factors, (1 / k + 1 / m + 1 / n) / 2 of the operations
of a product m x k x n. Where one of these sizes is 64 or less, as in attention, they are nearly all of the overhead,
and that of LB-ABFT is no larger.
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from radhard.json_record import Least
from radhard.kernels.events import Events
from radhard.kernels.sums import numbers
from radhard.machine import Mul, Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.checksums import weighted_sums
from radhard.protection.abft.correcting import Correcting, Own
from radhard.protection.abft.correction import where
from radhard.protection.abft.detected import detected
from radhard.protection.abft.detection import Width
from radhard.protection.cost.models import Overhead
from radhard.protection.cost.row_cost import ExactRows
from radhard.protection.cost.shape import Block
from radhard.protection.forms import BlockCheck, Form
from radhard.protection.schemes.options import check_options
from radhard.protection.schemes.registry import Search, scheme
from radhard.words import Words


@scheme(
    "row-abft",
    about="Detection as LB-ABFT, in long flat blocks; faulty rows are corrected one by one.",
    search=Search(exact=ExactRows, blocks="box", limited=False),
)
@dataclass(frozen=True, kw_only=True)
class RowAbft:
    """Blocks of `block`; a row that is still off after its repair is taken up again at most `retries` times.

    `width` is that of the sums of detection, in bits.
    """

    block: Block
    retries: Annotated[int, Least(0), "Attempts to repair a row again; 0 leaves a repair unchecked."] = 1
    width: Annotated[Width, "Bits of the checksums of detection; 64: no sound sum may wrap at 32."] = 32

    def __post_init__(self) -> None:
        check_options(self)

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead:
        """By the exact model, in which any number of rows may be faulty."""
        return ExactRows(words=words, retries=self.retries)(shape, self.block, ber=ber)

    @property
    def deployed(self) -> Form:
        """Its blocks, recovered by rows."""
        return BlockCheck(block=self.block, recovery="weighted", retries=self.retries, width=self.width)

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """The product, its blocks after an alarm, the rows of those that are flagged."""
        block = self.block.clipped(application.products.shape)
        found = detected(application, checks, block=block, width=self.width)
        if not len(found.alarmed):
            return found.written()
        correction = found.located()
        weighted = weighted_sums(application, checks, step=block.n)
        for blocks in correction.blocks():
            self._recover(correction, blocks, weighted)
        return correction.written()

    def _recover(self, correction: Correcting[Own], blocks: Own, weighted: Tensor | None) -> None:
        checks, label = correction.checks, blocks.sizes
        off, wanted = correction.rows(label, blocks)
        f, r = checks.differ(off, 0).nonzero(as_tuple=True)
        whole = torch.ones(len(blocks), dtype=torch.bool, device=f.device)
        whole[f] = False
        checks.note(Events(false_alarms=int(whole.sum())))
        again, left = torch.zeros_like(whole), torch.zeros_like(whole)
        delta = off[f, r]
        for attempt in range(self.retries + 1):
            if not len(f):
                break
            name = label + (f"#{attempt + 1}" if attempt else "")
            column = torch.full_like(f, -1)
            if weighted is not None:
                column = self._columns(name, correction, blocks, (f, r), delta, weighted)
            one = column >= 0
            at = (f[one], r[one], column[one])
            if len(at[0]):
                correction.correct(name, blocks, at, delta[one])
            rest = where(~one)
            if len(rest):
                changed = correction.recompute_rows(name, blocks, (f[rest], r[rest]))
                correction.audit(blocks, f[rest][~changed])
                again[f[rest]] = True
                kept = torch.cat([where(one), rest[changed]])
                f, r = f[kept], r[kept]
            if not self.retries or not len(f):
                break
            still, delta = correction.still_off(name, blocks, (f, r), wanted)
            f, r = f[still], r[still]
        if self.retries:
            left[f] = True
        checks.note(
            Events(
                repaired=int((~whole & ~again & ~left).sum()),
                recomputed=int((again & ~left).sum()),
                uncorrected=int(left.sum()),
            )
        )

    def _columns(
        self,
        name: str,
        correction: Correcting[Own],
        blocks: Own,
        at: tuple[Tensor, Tensor],
        delta: Tensor,
        weighted: Tensor,
    ) -> Tensor:
        """Rows `at` [e] off by `delta` -> the one faulty column of each, -1 where there is no such one."""
        checks, (f, r), w = correction.checks, at, blocks.w
        entries, weights = blocks.entries.inner(f, r, blocks.h), numbers(w, f.device)
        off = correction.weighted_off(f"{name}/weighted", blocks, at, weights, weighted)
        # which column fits is asked by products, not by a division
        fits = checks.apply(f"{name}/fits", Mul(), (delta[:, None], weights[:, 0].expand(len(f), -1)), entries)
        found = ~checks.differ(fits, off[:, :1].expand(-1, w))
        column = torch.where(found.sum(1) == 1, found.long().argmax(1), -1)
        mine = where(column >= 0)
        if len(mine):
            factors = (off[mine, 0], weights[column[mine], 0])
            square = checks.apply(f"{name}/square", Mul(), factors, entries.only(mine))
            column[mine[checks.differ(square, off[mine, 1])]] = -1
        return column
