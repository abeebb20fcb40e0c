"""torch.ops.radhard.reread and .vote: what protects any operator, by redundancy."""

import torch
from torch import Tensor

from radhard.kernels.bits import bits
from radhard.kernels.library import Recourse, complain, note, operator
from radhard.words import canonical


def _fake_reread(x: Tensor, copy: int) -> Tensor:
    del copy
    return torch.empty_like(x)


@operator("reread(Tensor x, int copy) -> Tensor", fake=_fake_reread)
def reread(x: Tensor, copy: int) -> Tensor:
    """`x` [...] -> the same words in a copy of number `copy`: what is computed of it is no common subexpression."""
    del copy
    return torch.empty_like(x).copy_(x)


def _fake_vote(a: Tensor, b: Tensor, c: Tensor, policy: str, site: str, events: Tensor) -> Tensor:
    del b, c, policy, site, events
    return torch.empty_like(a)


@operator("vote(Tensor a, Tensor b, Tensor c, str policy, str site, Tensor(a!) events) -> Tensor", fake=_fake_vote)
def vote(a: Tensor, b: Tensor, c: Tensor, policy: str, site: str, events: Tensor) -> Tensor:
    """Three copies [...] -> each bit that two of them agree on [...]; adds to `events`.

    A NaN is like any other NaN. A word in which all three differ is voted on like any other, but nothing says that its
    bits are right: it is left.
    """
    x, y, z = (bits(canonical(copy)) for copy in (a, b, c))
    voted = (x & y) | (z & (x ^ y))
    differ = (x != y) | (x != z)
    flagged = int(differ.sum())
    left = int(((x != y) & (x != z) & (y != z)).sum()) if flagged else 0
    note(events, checked=a.numel(), flagged=flagged, repaired=flagged - left, left=left)
    if left:
        complain(Recourse(policy=policy, site=site), fault=f"all three copies of {left} words differ")
    return torch.empty_like(a).copy_(voted.view(a.dtype))
