"""LB-ABFT (Xue et al., Fig. 6): checks the whole product, after an alarm its blocks, and recovers faulty blocks.

Blocks are cut along m, k and n. The sum of a block of a slab of k is a difference of two running sums of the output,
which must be read at the end of each slab, before they are gone: these sums are made whether an alarm follows or not,
and the check of the whole is a by-product of the last ones.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor

from radhard.json_record import Least
from radhard.kernels.events import Events
from radhard.kernels.octets import OCTETS
from radhard.machine import Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.correcting import Correcting, Own
from radhard.protection.abft.correction import where
from radhard.protection.abft.detected import detected
from radhard.protection.abft.detection import Width
from radhard.protection.abft.recovery import RecoveryPolicy, recover
from radhard.protection.cost.models import Exact, Overhead
from radhard.protection.cost.shape import Block
from radhard.protection.forms import BlockCheck, Form
from radhard.protection.schemes.options import check_options
from radhard.protection.schemes.registry import Search, scheme
from radhard.words import Words

Repair = Literal["all", "visible"]


@scheme(
    "lb-abft",
    about="Light-weight block ABFT: checks the product, then its blocks, then corrects faulty words.",
    search=Search(exact=Exact, blocks="cube", limited=True),
)
@dataclass(frozen=True, kw_only=True)
class LbAbft:
    """Blocks of `block`; `policy` is what to do with several faulty words in one, `retries` how often to try again.

    `repair="visible"` spares a block that is off by so little that no single error in it moves a word that is written
    back by half a step or more. `width` is that of the sums of detection, in bits.
    """

    block: Block
    policy: Annotated[RecoveryPolicy, "How a block with several faulty words is repaired."] = "intersect"
    retries: Annotated[int, Least(0), "Attempts to repair a block again; 0 leaves a repair unchecked."] = 1
    repair: Annotated[Repair, "Repair all faulty blocks, or those whose error is visible in 8-bit words."] = "all"
    width: Annotated[Width, "Bits of the checksums of detection; 64: no sound sum may wrap at 32."] = 32

    def __post_init__(self) -> None:
        check_options(self)

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead:
        """By the exact model, with at most one faulty word in a block."""
        return Exact(words=words, retries=self.retries)(shape, self.block, ber=ber)

    @property
    def deployed(self) -> Form:
        """Its blocks, and its recovery."""
        return BlockCheck(
            block=self.block, recovery=self.policy, retries=self.retries, repair=self.repair, width=self.width
        )

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """Detect, locate, correct, write back: each for the products that need it."""
        block = self.block.clipped(application.products.shape)
        found = detected(application, checks, block=block, width=self.width)
        if not len(found.alarmed):
            return found.written()
        correction = found.located()
        if self.repair == "visible":
            narrow_to_visible(application, correction, step=block.n)
        recover(correction, policy=self.policy, retries=self.retries)
        return correction.written()


def narrow_to_visible(application: ProtectedApplication, correction: Correcting[Own], *, step: int) -> None:
    """Exclude flagged blocks, `step` columns wide, of whose errors none shows in a word of 8 bits."""
    write_back, at, checks = application.write_back, correction.flagged, correction.checks
    if write_back is None or write_back.dtype not in OCTETS or not len(at.g):
        return
    off = correction.off().abs()
    largest = _largest_multiplier(application, step)[at.g % len(application.products.b), at.j]
    checks.count(cmp=len(off))
    seen = where(off * largest >= 0.5)
    checks.note(Events(excluded=len(off) - len(seen)))
    correction.narrow(seen)


def _largest_multiplier(application: ProtectedApplication, step: int) -> Tensor:
    """The largest scale of every `step` columns [h, j] float64, known before the run."""
    assert application.write_back is not None
    (h, n), multiplier = application.products.b.shape[:2], application.write_back.multiplier.double().abs()
    columns = multiplier.expand(h * n) if multiplier.numel() == 1 else multiplier.repeat(h * n // multiplier.numel())
    return torch.stack([part.amax(1) for part in columns.view(h, n).split(step, 1)], 1)
