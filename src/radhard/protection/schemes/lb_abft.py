"""LB-ABFT (Xue et al., Fig. 6): the whole product is checked, after an alarm its blocks, and faulty ones are recovered.

Blocks are cut along m, k and n. The sum of a block of a slab of k is a difference of two running sums of the output,
which must be read at the end of each slab, before they are gone: these sums are made whether an alarm follows or not,
and the check of the whole is a by-product of the last ones.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.octets import OCTETS
from radhard.protection.abft.application import Work
from radhard.protection.abft.correction import Surgery, where
from radhard.protection.abft.detection import Flagged, Suspects, Width, check_width, detect, locate
from radhard.protection.abft.recovery import POLICIES, Policy, Recovery
from radhard.protection.cost.shape import Block

Repair = Literal["all", "visible"]


@dataclass(frozen=True, kw_only=True)
class LbAbft:
    """Blocks of `block`; `policy` is what to do with several faulty words in one, `retries` how often to try again.

    `repair="visible"` spares a block that is off by so little that no single error in it moves a word that is written
    back by half a step or more. `width` is that of the sums of detection, in bits.
    """

    block: Block
    policy: Policy = "intersect"
    retries: int = 1
    repair: Repair = "all"
    width: Width = 32

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise InputError(f"policy {self.policy!r} is not known; choose from {', '.join(POLICIES)}")
        if self.repair not in get_args(Repair):
            raise InputError(f"repair {self.repair!r} is not known; choose from {', '.join(get_args(Repair))}")
        check_width(self.width)
        if self.retries < 0:
            raise InputError(f"retries={self.retries}: give 0, which leaves a repair unchecked, or more")

    def protect(self, work: Work) -> Tensor:
        """The three stages, each for the images that need it."""
        block = self.block.clipped(work.products.shape)
        found = detect(work, block, width=self.width)
        if not len(found.alarmed):
            return work.write(found.sums[-1])
        suspects = locate(work, block, found)
        flagged = suspects.flagged
        if self.repair == "visible":
            flagged = self._visible(work, suspects, block=block)
        surgery = Surgery(work, block=block, found=found, expected=suspects.expected)
        Recovery(policy=self.policy, retries=self.retries).run(surgery, flagged)
        return work.write(surgery.total)

    def _visible(self, work: Work, suspects: Suspects, *, block: Block) -> Flagged:
        """The blocks that are off by enough to be seen in a word of 8 bits."""
        write_back, at = work.write_back, suspects.flagged
        if write_back is None or write_back.dtype not in OCTETS or not len(at.g):
            return at
        _, q, i, j = suspects.actual.shape
        entries = work.entries.inner(at.g, (at.q * i + at.i) * j + at.j, q * i * j)
        place = (at.g, at.q, at.i, at.j)
        off = work.checks.minus("off", suspects.actual[place], suspects.expected[place], entries).long().abs()
        largest = _largest_multiplier(work, block)[at.g % len(work.products.b), at.j]
        work.checks.count(cmp=len(off))
        seen = where(off * largest >= 0.5)
        work.checks.note(spared=len(off) - len(seen))
        return at.only(seen)


def _largest_multiplier(work: Work, block: Block) -> Tensor:
    """The largest scale of the columns of each block [h, j] float64, known before the run."""
    assert work.write_back is not None
    (h, n), multiplier = work.products.b.shape[:2], work.write_back.multiplier.double().abs()
    columns = multiplier.expand(h * n) if multiplier.numel() == 1 else multiplier.repeat(h * n // multiplier.numel())
    return torch.stack([part.amax(1) for part in columns.view(h, n).split(block.n, 1)], 1)
