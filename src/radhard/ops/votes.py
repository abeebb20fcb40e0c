"""torch.ops.radhard.reread, .vote and .within: what protects any operator, by redundancy or by a range."""

import math

import torch
from torch import Tensor

from radhard.ops.library import Recourse, complain, events, no_events, operator

_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _fake_reread(x: Tensor, copy: int) -> Tensor:
    del copy
    return torch.empty_like(x)


@operator("reread(Tensor x, int copy) -> Tensor", fake=_fake_reread)
def reread(x: Tensor, copy: int) -> Tensor:
    """`x` [...] -> the same words in a copy of number `copy`: what is computed of it is no common subexpression."""
    del copy
    return torch.empty_like(x).copy_(x)


def _fake_vote(a: Tensor, b: Tensor, c: Tensor, policy: str, site: str) -> tuple[Tensor, Tensor]:
    del b, c, policy, site
    return torch.empty_like(a), no_events()


@operator("vote(Tensor a, Tensor b, Tensor c, str policy, str site) -> (Tensor, Tensor)", fake=_fake_vote)
def vote(a: Tensor, b: Tensor, c: Tensor, policy: str, site: str) -> tuple[Tensor, Tensor]:
    """Three copies [...] -> each bit that two of them agree on [...], and the events.

    A word in which all three differ is voted on like any other, but nothing says that its bits are right: it is left.
    """
    x, y, z = (word.view(_BITS[a.dtype.itemsize]) for word in (a, b, c))
    voted = (x & y) | (z & (x ^ y))
    differ = (x != y) | (x != z)
    flagged = int(differ.sum())
    left = int(((x != y) & (x != z) & (y != z)).sum()) if flagged else 0
    if left:
        complain(Recourse(policy=policy, site=site), fault=f"all three copies of {left} words differ")
    out = torch.empty_like(a).copy_(voted.view(a.dtype))
    return out, events(checked=a.numel(), flagged=flagged, repaired=flagged - left, left=left)


def _fake_within(x: Tensor, low: float, high: float, outside: str) -> tuple[Tensor, Tensor]:
    del low, high, outside
    return torch.empty_like(x), no_events()


@operator("within(Tensor x, float low, float high, str outside) -> (Tensor, Tensor)", fake=_fake_within)
def within(x: Tensor, low: float, high: float, outside: str) -> tuple[Tensor, Tensor]:
    """`x` [...] -> values from low to high as they are, others 0 ("zero") or the nearer bound ("clamp"); the events.

    NaN is outside: it becomes 0, or with "clamp" the value of the range that is nearest to 0.
    """
    wrong = ~((x >= low) & (x <= high))
    found, out = int(wrong.sum()), torch.empty_like(x).copy_(x)
    if found and outside == "zero":
        out[wrong] = 0
    elif found and x.is_floating_point():
        out.copy_(torch.where(x.isnan(), 0.0, x).clamp(low, high))
    elif found:
        words = torch.iinfo(x.dtype)
        out.clamp_(max(words.min, math.ceil(low)), min(words.max, math.floor(high)))
    return out, events(checked=x.numel(), flagged=found, repaired=found)
