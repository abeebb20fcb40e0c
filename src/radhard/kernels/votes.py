"""torch.ops.radhard.reread and .vote: comparison and majority vote of redundant runs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.kernels.bits import bits
from radhard.kernels.events import Events
from radhard.kernels.library import OnUncorrectable, complain, note, operator
from radhard.words import canonical


@operator()
def reread(x: Tensor, copy: int) -> Tensor:
    """`x` [...] -> the same words in a copy of number `copy`: what is computed of it is no common subexpression."""
    del copy
    return torch.empty_like(x).copy_(x)


@dataclass(frozen=True, kw_only=True, eq=False)
class VotedWords:
    """The `words` [...] of a vote, where the copies `differ` [...] bool, and in how many words no two agree."""

    words: Tensor
    differ: Tensor
    undecided: int

    def events(self, *, alarms: int) -> Events:
        """Words that differ are repaired, but where no two copies agree: nothing says that these are right."""
        flagged = int(self.differ.count_nonzero())
        return Events(
            checks=self.differ.numel(),
            alarms=alarms,
            flagged=flagged,
            repaired=flagged - self.undecided,
            uncorrected=self.undecided,
        )


def voted(x: Tensor, y: Tensor, z: Tensor, *, by: str) -> VotedWords:
    """Three copies [...] of integers -> what two agree on [...]: of each word (`by="word"`), or of each bit.

    A word on which no two agree is the first copy's; every bit has two that agree.
    """
    words = torch.where((x != y) & (y == z), y, x) if by == "word" else (x & y) | (z & (x ^ y))
    differ = (x != y) | (x != z)
    undecided = int(((x != y) & (x != z) & (y != z)).count_nonzero()) if bool(differ.any()) else 0
    return VotedWords(words=words, differ=differ, undecided=undecided)


@operator()
def vote(a: Tensor, b: Tensor, c: Tensor, policy: str, site: str, events: Tensor, by: str | None = None) -> Tensor:
    """Three copies [...] -> what two agree on [...], `by` "word" or, the default, "bitwise"; adds to `events`.

    A NaN is like any other NaN. A word in which all three differ is voted on like any other, and is uncorrected.
    """
    x, y, z = (bits(canonical(copy)) for copy in (a, b, c))
    found = voted(x, y, z, by=by or "bitwise")
    note(events, found.events(alarms=int(found.differ.any())))
    if found.undecided:
        on_uncorrectable = OnUncorrectable(policy=policy, site=site)
        complain(on_uncorrectable, fault=f"all three copies of {found.undecided} words differ")
    return torch.empty_like(a).copy_(found.words.view(a.dtype))
