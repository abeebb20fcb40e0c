"""torch.ops.radhard.reread and .vote: comparison and majority vote of redundant runs."""

import torch
from torch import Tensor

from radhard.kernels.bits import bits
from radhard.kernels.library import OnUncorrectable, complain, note, operator
from radhard.words import canonical


@operator()
def reread(x: Tensor, copy: int) -> Tensor:
    """`x` [...] -> the same words in a copy of number `copy`: what is computed of it is no common subexpression."""
    del copy
    return torch.empty_like(x).copy_(x)


def voted(x: Tensor, y: Tensor, z: Tensor, *, by: str) -> Tensor:
    """Three copies [...] of integers -> what two agree on [...]: of each word (`by="word"`), or of each bit.

    A word on which no two agree is the first copy's; every bit has two that agree.
    """
    return torch.where((x != y) & (y == z), y, x) if by == "word" else (x & y) | (z & (x ^ y))


@operator()
def vote(a: Tensor, b: Tensor, c: Tensor, policy: str, site: str, events: Tensor, by: str | None = None) -> Tensor:
    """Three copies [...] -> what two agree on [...], `by` "word" or, the default, "bitwise"; adds to `events`.

    A NaN is like any other NaN. A word in which all three differ is voted on like any other, but nothing says that it
    is right: it is left.
    """
    x, y, z = (bits(canonical(copy)) for copy in (a, b, c))
    chosen = voted(x, y, z, by=by or "bitwise")
    differ = (x != y) | (x != z)
    flagged = int(differ.sum())
    left = int(((x != y) & (x != z) & (y != z)).sum()) if flagged else 0
    note(events, checked=a.numel(), flagged=flagged, repaired=flagged - left, uncorrected=left)
    if left:
        complain(OnUncorrectable(policy=policy, site=site), fault=f"all three copies of {left} words differ")
    return torch.empty_like(a).copy_(chosen.view(a.dtype))
