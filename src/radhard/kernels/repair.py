"""Repair of single rows of a matrix product whose checksum differs.

A row is flagged where its accumulators do not add up to what the sums of the other factor predict. Flagged rows, and
only these, are computed again in another way that is exact, and are checked again, in int64. What
agrees is written. Where that leaves a doubt the stored words are looked into: a weight that changed is told from sums
that changed, and one changed word of a weight is set right. A row with errors that cancel modulo 2^32 passes: two
errors in one row of equal size and opposite sign are the likeliest such.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.kernels.events import Events
from radhard.kernels.library import OnUncorrectable, complain, note
from radhard.kernels.sums import RowVerdict, SummedWeight, examine
from radhard.kernels.threads import split
from radhard.kernels.write import WriteBack, on_host, write

_TERMS = 1 << 24  # of a product, at a time
_LONG = {torch.int8: 1 << 17, torch.uint8: 1 << 16}  # products with int8 words whose sum may not fit int32


@dataclass(frozen=True, kw_only=True, eq=False)
class Again:
    """Rows of accumulators [f, n] int32, computed again; `right` [f] bool says which of them add up."""

    rows: Tensor
    right: Tensor
    verdict: RowVerdict = "sound"


def exactly(a: Tensor, b: Tensor) -> Tensor:
    """`a` [m, k] int8 or uint8, `b` [n, k] int8 -> a b^T [m, n] int64, by a loop or float64: by no integer back end."""
    host = on_host(a)
    if host is None or a.shape[1] >= _LONG[a.dtype]:
        return (a.to(torch.float64) @ b.to(torch.float64).T).to(torch.int64)
    a, b = a.contiguous(), b.contiguous()
    out = torch.empty(len(a), len(b), dtype=torch.int64, device=a.device)
    x, y, z, n, k = a.data_ptr(), b.data_ptr(), out.data_ptr(), len(b), a.shape[1]
    loop = host.chains if a.dtype == torch.int8 else host.unsigned_chains
    split(len(a), n * k, lambda i, j: loop(x + i * k, y, z + 8 * i * n, j - i, n, k))
    return out


def from_scratch(a: Tensor, b: Tensor) -> Tensor:
    """As `exactly`, by integers alone: the slow way, for what neither of the two others gets right."""
    if a.is_cpu:
        return a.to(torch.int64) @ b.to(torch.int64).T
    wide = b.to(torch.int64)  # GPUs have no such product, only its terms
    rows = a.to(torch.int64).split(max(1, _TERMS // max(1, b.numel())))
    return torch.cat([(some[:, None] * wide).sum(2) for some in rows])


def again(a: Tensor, stored: SummedWeight, *, policy: str) -> Again:
    """Rows `a` [f, k] of a product with `stored`, computed again and checked by its sums."""
    wide = exactly(a, stored.own) + stored.bias
    right = _adds_up(a, wide, stored)
    if policy == "recompute" and not bool(right.all()):
        wide = from_scratch(a, stored.own) + stored.bias
        right = _adds_up(a, wide, stored)
    return Again(rows=wide.to(torch.int32), right=right)


def again_of_weight(a: Tensor, stored: SummedWeight, *, differ: Callable[[Tensor], Tensor], policy: str) -> Again:
    """As `again`, with a weight that is set right if it changed; `differ`: rows [f, n] -> which are new [f] bool."""
    found = again(a, stored, policy=policy)
    if bool(found.right.all()) and bool(differ(found.rows).all()):
        return found  # errors of the product, and nothing else
    verdict, truth = examine(stored)
    if verdict in ("sound", "lost"):
        right = found.right if verdict == "sound" else torch.zeros_like(found.right)
        return Again(rows=found.rows, right=right, verdict=verdict)
    found = again(a, truth, policy=policy)
    return Again(rows=found.rows, right=found.right, verdict=verdict)


def changed(rows: Tensor, total: Tensor, bias: Tensor) -> Tensor:
    """Which of the rows [f, n] with bias differ from accumulators [f, >= n] without: [f] bool."""
    return (rows != total[:, : len(bias)].to(torch.int32) + bias).any(1)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What happened to the rows of a product, and whether its weight changed in more places than can be told apart."""

    events: Events
    lost: bool = False

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(events=self.events + other.events, lost=self.lost or other.lost)


def settle(found: Again, differ: Tensor, flagged: Tensor, *, out: Tensor, back: WriteBack) -> Settled:
    """Write the rows that `differ` [f] bool to rows `flagged` [f] of `out` [m, n], in place -> what happened."""
    if bool(differ.any()):
        rows = found.rows[differ]
        out[flagged[differ]] = write(rows, torch.zeros_like(rows[0]), back)
    happened = Events(
        checks=len(out),
        alarms=1,
        flagged=len(flagged),
        recomputed=int((differ & found.right).sum()),
        false_alarms=int((~differ & found.right).sum()),
        corrupted=int(found.verdict != "sound"),
        uncorrected=int((~found.right).sum()),
    )
    return Settled(events=happened, lost=found.verdict == "lost")


def tell(settled: Settled, *, on_uncorrectable: OnUncorrectable, events: Tensor) -> None:
    """Add to `events` what happened in a call; what is uncorrected is reported as the policy says."""
    note(events, settled.events)
    if not (uncorrected := settled.events.uncorrected):
        return
    if settled.lost:
        complain(on_uncorrectable, fault="the stored weight or its sums changed in more places than can be told apart")
    else:
        complain(on_uncorrectable, fault=f"{uncorrected} rows do not add up after they were computed again")


def _adds_up(a: Tensor, rows: Tensor, stored: SummedWeight) -> Tensor:
    predicted = (a.to(torch.int64) * stored.columns[:-1]).sum(1) + stored.columns[-1]
    return rows.sum(1) == predicted
