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
from radhard.protection.checksums import predicted
from radhard.protection.detection import detect
from radhard.protection.recovery import POLICIES, Policy, Recovery
from radhard.protection.shape import Block
from radhard.protection.surgery import Flagged, Surgery
from radhard.protection.work import Work

Repair = Literal["all", "visible"]


@dataclass(frozen=True, kw_only=True)
class LbAbft:
    """Blocks of `block`; `policy` is what to do with several faulty words in one, `retries` how often to try again.

    `repair="visible"` spares a block that is off by so little that no single error in it moves a word that is written
    back by half a step or more.
    """

    block: Block
    policy: Policy = "intersect"
    retries: int = 1
    repair: Repair = "all"

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise InputError(f"policy {self.policy!r} is not known; choose from {', '.join(POLICIES)}")
        if self.repair not in get_args(Repair):
            raise InputError(f"repair {self.repair!r} is not known; choose from {', '.join(get_args(Repair))}")
        if self.retries < 0:
            raise InputError(f"retries={self.retries}: give 0, which leaves a repair unchecked, or more")

    def protect(self, work: Work) -> Tensor:
        """The three stages, each for the images that need it."""
        checks, shape = work.checks, work.products.shape
        block = self.block.clipped(shape)
        found = detect(work, block)
        tiles, alarmed, slabs = found.tiles, found.alarmed, len(found.sums)
        if not len(alarmed):
            return work.write(found.sums[-1])

        some = work.entries.only(alarmed)
        terms = [block.k] * (slabs - 1) + [shape.terms - (slabs - 1) * block.k]
        expected = torch.zeros_like(tiles)
        expected[alarmed] = predicted(
            "blocks", found.left.blocks[alarmed], found.right.blocks[alarmed], slabs=terms, checks=checks, entries=some
        )
        own = tiles.clone()
        if slabs > 1:
            own[alarmed, 1:] = checks.minus("slabs", tiles[alarmed, 1:], tiles[alarmed, :-1], some)
        wrong = checks.differ(own[alarmed], expected[alarmed])
        f, q, i, j = wrong.nonzero(as_tuple=True)
        flagged = Flagged(g=alarmed[f], i=i, q=q, j=j)
        checks.note(flagged=len(f))
        quiet = alarmed[~wrong.flatten(1).any(1)]
        if len(quiet):
            work.audit(quiet, found.right, step=block.n)
        if self.repair == "visible":
            flagged = self._visible(work, flagged, own=own, expected=expected, block=block)
        surgery = Surgery(work, block=block, found=found, expected=expected)
        Recovery(policy=self.policy, retries=self.retries).run(surgery, flagged)
        return work.write(surgery.total)

    def _visible(self, work: Work, flagged: Flagged, *, own: Tensor, expected: Tensor, block: Block) -> Flagged:
        """The blocks that are off by enough to be seen in an int8 word."""
        write_back = work.write_back
        if write_back is None or write_back.dtype != torch.int8 or not len(flagged.g):
            return flagged
        place = (flagged.g, flagged.q, flagged.i, flagged.j)
        entries = work.entries.inner(flagged.g, _number(flagged, own.shape), own[0].numel())
        off = work.checks.minus("off", own[place], expected[place], entries).long().abs()
        largest = _largest_multiplier(work, block)[flagged.g % len(work.products.b), flagged.j]
        work.checks.count(cmp=len(off))
        seen = (off * largest >= 0.5).nonzero()[:, 0]
        work.checks.note(spared=len(off) - len(seen))
        return flagged.only(seen)


def _number(flagged: Flagged, shape: torch.Size) -> Tensor:
    """Blocks -> their numbers within a product, in the order q, i, j of `shape` [g, q, i, j]."""
    return (flagged.q * shape[2] + flagged.i) * shape[3] + flagged.j


def _largest_multiplier(work: Work, block: Block) -> Tensor:
    """The largest scale of the columns of each block [h, j] float64, known before the run."""
    assert work.write_back is not None
    (h, n), multiplier = work.products.b.shape[:2], work.write_back.multiplier.double().abs()
    columns = multiplier.expand(h * n) if multiplier.numel() == 1 else multiplier.repeat(h * n // multiplier.numel())
    return torch.stack([part.amax(1) for part in columns.view(h, n).split(block.n, 1)], 1)
