"""Triple modular redundancy: an operator is executed three times, and its words are voted on.

The first copy is the operator with the faults of its site; the others have sites, and faults, of their own. A word vote
takes the word that two copies agree on, and the first copy's where all differ. A bitwise vote takes each bit that two
copies agree on, (a and b) or (c and (a xor b)): four logic operations a word, counted as comparisons. All NaN are one.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.bits import bits
from radhard.protection.abft.application import Work
from radhard.words import canonical

Vote = Literal["word", "bitwise"]


@dataclass(frozen=True, kw_only=True)
class Tmr:
    """Protects any operator. The word that the voter yields is exposed as one that is loaded is."""

    vote: Vote = "word"

    def __post_init__(self) -> None:
        if self.vote not in get_args(Vote):
            raise InputError(f"vote {self.vote!r} is not known; choose from {', '.join(get_args(Vote))}")

    def protect(self, work: Work) -> Tensor:
        """Three copies, one vote."""
        first, second, third = work.compute(), work.copy(2), work.copy(3)
        a, b, c = (bits(canonical(x)) for x in (first, second, third))
        differ = (a != b) | (a != c)
        if self.vote == "bitwise":
            voted = (a & b) | (c & (a ^ b))
            work.checks.count(cmp=4 * a.numel())
            undecided = 0
        else:
            # a and b first; c is asked only where they differ
            asked = a != b
            voted = torch.where(asked & (b == c), b, a)
            work.checks.count(cmp=a.numel() + 2 * int(asked.sum()))
            undecided = int((asked & (b != c) & (a != c)).sum())
        found, images = int(differ.sum()), int((work.site.per_image(differ) > 0).sum())
        work.checks.note(checks=a.numel(), alarms=images, flagged=found, repaired=found - undecided, left=undecided)
        return work.voted(voted.view(first.dtype))
