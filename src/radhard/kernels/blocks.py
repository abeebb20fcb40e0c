"""torch.ops.radhard.blocks_checked and .matmul_blocks_checked: products checked as a whole, then block by block.

The sums of the rows of a product, which a row check compares, add up to the sum of the product: where every row adds
up, so does the product, and a call in which nothing is wrong costs what a row check costs. Else the products that do
not add up as a whole are repaired (`radhard.kernels.block_repair`). A row whose error another row of its product
cancels is not seen, as the scheme would not see it.

Blocks that cut k need the running sums at the end of each slab: the product is then computed slab by slab.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from radhard.kernels import backends
from radhard.kernels.block_repair import BlockRepair, Factors, How
from radhard.kernels.events import Events
from radhard.kernels.geometry import Geometry
from radhard.kernels.library import OnUncorrectable, complain, note, operator
from radhard.kernels.linear import beside_digits
from radhard.kernels.matmul import columns_summed, rows_summed
from radhard.kernels.octets import OCTETS
from radhard.kernels.operands import SPARE
from radhard.kernels.repair import from_scratch
from radhard.kernels.sums import BlockSums, SummedWeight, block_sums, check_outputs, with_bias
from radhard.kernels.write import WriteBack, no_bias, write, write_checked
from radhard.kernels.written import grouped, groups_of

_AT_ONCE = 1 << 25  # running sums that are kept at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockStored:
    """Weights of groups one after another, as a `Stored` of each has them, and their sums over blocks of columns.

    `sums` [groups, j, k + 1] int64; `weighted` [groups, j, 2, k + 1] int64, or [0] where nobody asks for them.
    """

    weight: Tensor
    bias: Tensor
    columns: Tensor
    rows: Tensor
    sums: Tensor
    weighted: Tensor

    def each(self) -> Iterator[tuple[SummedWeight, BlockSums]]:
        """Those of each group, as views."""
        groups = len(self.sums)
        parts = (x.chunk(groups) for x in (self.weight, self.bias, self.columns, self.rows))
        for h, (w, b, c, r) in enumerate(zip(*parts, strict=True)):
            weighted = self.weighted[h] if len(self.weighted) else None
            yield (
                SummedWeight(weight=w, bias=b, columns=c, rows=r),
                BlockSums(blocks=self.sums[h], all=c, weighted=weighted),
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockOperands:
    """Products `a` [g, m, k] of 8 bits times `wide` [1 or g, n + 3 and more, k] int8, the digits of sums after n rows.

    `factors` gives what product x is made of, `offset` [.] int64 ends in the sum of the bias [n] int32.
    """

    a: Tensor
    wide: Tensor
    bias: Tensor
    offset: Tensor
    factors: Callable[[int], Factors]


def check(
    product: BlockOperands, how: How, *, back: WriteBack, policy: str, sums: Tensor | None
) -> tuple[Tensor, Events]:
    """-> [g, m, n] as `back` writes it, checked and repaired, and what happened.

    `sums` [q, g, m, n] int32 are the running sums after each slab where somebody else has made them.
    """
    (g, m, k), n = product.a.shape, len(product.bias)
    slabs = -(-k // max(1, how.k))
    step = max(1, _AT_ONCE // max(1, slabs * m * product.wide.shape[1])) if slabs > 1 else max(1, g)
    outs, happened = [], Events()
    for first in range(0, max(1, g), step):
        some = slice(first, first + step)
        left, right = product.a[some], product.wide
        if len(right) == 1:
            left = left.reshape(1, -1, k) if g else left.reshape(1, 0, k)
        else:
            right = right[some]
        if sums is None:
            running = _running(left, right, how)
        else:
            *before, last = (of_slab.reshape(-1, n) for of_slab in sums[:, some])
            running = [*before, beside_digits(last - product.bias, left, right)]
        out, found = _checked(running, product, how, first, back=back, policy=policy)
        outs.append(out)
        happened += found
    return (outs[0] if len(outs) == 1 else torch.cat(outs)).view(g, m, n), happened


def _running(left: Tensor, right: Tensor, how: How) -> list[Tensor]:
    """The running sums [g m, n + 3 and more] of products and of their digits after each slab of k."""
    k = left.shape[2]
    if how.k >= k:
        return [backends.product(left, right).flatten(0, 1)]
    found: list[Tensor] = []
    for first in range(0, k, how.k):
        terms = slice(first, min(k, first + how.k))
        part = backends.product(left[:, :, terms], right[:, :, terms]).flatten(0, 1).to(torch.int32)
        found.append(part + found[-1] if found else part)
    return found


def _checked(
    running: Sequence[Tensor], product: BlockOperands, how: How, first: int, *, back: WriteBack, policy: str
) -> tuple[Tensor, Events]:
    """Products `first` ... of `product`, given their running sums -> [g m, n], and what happened."""
    total, bias, m = running[-1], product.bias, product.a.shape[1]
    out, flagged = write_checked(total, bias, back, offset=product.offset)
    if how.width == 64:
        flagged = torch.arange(len(total), device=total.device)
    checks = len(total) // max(1, m)
    alarmed = [] if flagged is None else _alarmed(total, flagged, product, how, of=checks)
    happened, zero = Events(checks=checks, alarms=len(alarmed)), torch.zeros_like(bias)
    for place in alarmed:
        rows = slice(place * m, (place + 1) * m)
        sums = torch.stack([of_slab[rows, : len(bias)].to(torch.int32) for of_slab in running])
        sums[-1] += bias
        words, found = _repaired(sums, product.factors(first + place), how, policy=policy)
        out[rows] = write(words, zero, back)
        happened += found
    return out, happened


def _repaired(sums: Tensor, factors: Factors, how: How, *, policy: str) -> tuple[Tensor, Events]:
    """One product from its running sums [q, m, n] int32 -> [m, n] int32, and what happened."""
    repair = BlockRepair(sums, factors, how)
    words, found = repair.run(), repair.events
    if not found.unrepaired or policy != "recompute" or (again := _from_scratch(factors)) is None:
        return words, found
    return again, replace(found, recomputed=found.recomputed + found.unrepaired, inconsistent=0, uncorrected=0)


def _tell(happened: Events, *, on_uncorrectable: OnUncorrectable, events: Tensor) -> None:
    """Add to `events` what happened in a call, and say what is left."""
    note(events, happened)
    if left := happened.unrepaired:
        complain(on_uncorrectable, fault=f"{left} blocks of a product do not add up and could not be put right")


def _alarmed(total: Tensor, rows: Tensor, product: BlockOperands, how: How, *, of: int) -> list[int]:
    """Which of the products do not add up as a whole, given the rows [f] that do not."""
    bias, m = product.bias, product.a.shape[1]
    n = len(bias)
    digits = total[rows, n : n + SPARE].to(torch.int64)
    predicted = digits[:, 0] + (digits[:, 1] << 8) + (digits[:, 2] << 16) + product.offset[-1]
    found = (total[rows, :n].to(torch.int32) + bias).sum(1, dtype=torch.int64)
    whole = torch.zeros(of, dtype=torch.int64, device=total.device).index_add_(0, rows // m, found - predicted)
    return [int(place) for place in how.off(whole).nonzero()[:, 0]]


def _from_scratch(factors: Factors) -> Tensor | None:
    """The product by the slow way, if it adds up: [m, n] int32."""
    wide = from_scratch(factors.a, factors.b) + factors.bias
    sums = factors.sums.all
    predicted = (factors.a.to(torch.int64) * sums[:-1]).sum(1) + sums[-1]
    return wide.to(torch.int32) if torch.equal(wide.sum(1), predicted) else None


def weights_checked(
    a: Tensor,
    stored: BlockStored,
    how: How,
    *,
    back: WriteBack,
    on_uncorrectable: OnUncorrectable,
    events: Tensor,
    seen: Tensor | None,
    sums: Tensor | None = None,
) -> Tensor:
    """Products `a` [g, m, k] of 8 bits, product x with weight x % groups -> [g, m, n]; `seen` as in `Factors`."""
    groups, outs, happened = len(stored.sums), [], Events()
    backs, shown = back.of_groups(groups, n=len(stored.bias)), [None] * groups if seen is None else seen.chunk(groups)
    for h, (known, of_blocks) in enumerate(stored.each()):
        own, n = a[h::groups], len(known.bias)

        def factors(
            x: int, h: int = h, own: Tensor = own, known: SummedWeight = known, of_blocks: BlockSums = of_blocks
        ) -> Factors:
            return Factors(a=own[x], b=known.own, bias=known.bias, sums=of_blocks, stored=True, seen=shown[h])

        out, found = check(
            BlockOperands(a=own, wide=known.weight[None], bias=known.bias, offset=known.columns, factors=factors),
            how.sized(a.shape[1], a.shape[2], n),
            back=backs[h],
            policy=on_uncorrectable.policy,
            sums=None if sums is None else sums[:, h::groups],
        )
        outs.append(out)
        happened += found
    _tell(happened, on_uncorrectable=on_uncorrectable, events=events)
    return outs[0] if groups == 1 else torch.stack(outs, 1).flatten(0, 1)


def activations_checked(
    a: Tensor,
    b: Tensor,
    how: How,
    *,
    back: WriteBack,
    on_uncorrectable: OnUncorrectable,
    events: Tensor,
    seen: Tensor | None,
    sums: Tensor | None = None,
) -> Tensor:
    """Products of activations a [..., m, k] of 8 bits and b [..., k, n] int8, whose sums are made here -> [g, m, n]."""
    groups, (m, k), n = list(groups_of(a, b)), a.shape[-2:], b.shape[-1]
    check_outputs(n)
    left, right, zero, how = grouped(a, groups), grouped(b.mT, groups), no_bias(n, b.device), how.sized(m, k, n)
    wide = rows_summed(b.mT, groups) if b.stride(-2) == 1 else columns_summed(b, groups).mT

    def factors(x: int) -> Factors:
        of_blocks = block_sums(with_bias(right[x], zero), how.n)
        return Factors(a=left[x], b=right[x], bias=zero, sums=of_blocks, stored=False, seen=seen)

    offset = torch.zeros(1, dtype=torch.int64, device=b.device)
    product = BlockOperands(a=left, wide=wide, bias=zero, offset=offset, factors=factors)
    out, happened = check(product, how, back=back, policy=on_uncorrectable.policy, sums=sums)
    _tell(happened, on_uncorrectable=on_uncorrectable, events=events)
    return out


def _like_products(a: Tensor, bias: Tensor, groups: int, dtype: torch.dtype) -> Tensor:
    return a.new_empty([a.shape[0], a.shape[1], bias.shape[0] // groups], dtype=dtype)


@operator(fake=_like_products)
def blocks_checked(
    a: Tensor,
    weight: Tensor,
    bias: Tensor,
    columns: Tensor,
    rows: Tensor,
    sums: Tensor,
    weighted: Tensor,
    multiplier: Tensor,
    groups: int,
    block: Sequence[int],
    recovery: str,
    retries: int,
    visible: bool,
    width: int,
    grid: Sequence[int],
    dtype: torch.dtype,
    policy: str,
    site: str,
    events: Tensor,
) -> Tensor:
    """Products `a` [g, m, k] int8 or uint8, each with weight g % groups -> [g, m, n] `dtype`; adds to `events`.

    Stored words are the fields of a `BlockStored`, how they are checked those of a `How`: `block` is [m, k, n].
    """
    del groups
    stored = BlockStored(weight=weight, bias=bias, columns=columns, rows=rows, sums=sums, weighted=weighted)
    return weights_checked(
        a,
        stored,
        _how(block, recovery, retries, width),
        back=WriteBack.of(multiplier, grid, dtype),
        on_uncorrectable=OnUncorrectable(policy=policy, site=site),
        events=events,
        seen=multiplier if visible and dtype in OCTETS else None,
    )


def _like_activations(a: Tensor, b: Tensor, dtype: torch.dtype) -> Tensor:
    return a.new_empty([*groups_of(a, b), a.shape[-2], b.shape[-1]], dtype=dtype)


@operator(fake=_like_activations)
def matmul_blocks_checked(
    a: Tensor,
    b: Tensor,
    multiplier: Tensor,
    block: Sequence[int],
    recovery: str,
    retries: int,
    visible: bool,
    width: int,
    grid: Sequence[int],
    dtype: torch.dtype,
    policy: str,
    site: str,
    events: Tensor,
) -> Tensor:
    """`a` [..., m, k] of 8 bits, b [..., k, n] int8, multiplier [1] or [n] -> [..., m, n]; adds to `events`."""
    back, n = WriteBack.of(multiplier, grid, dtype), b.shape[-1]
    out = activations_checked(
        a,
        b,
        _how(block, recovery, retries, width),
        back=back,
        on_uncorrectable=OnUncorrectable(policy=policy, site=site),
        events=events,
        seen=back.of_columns(n) if visible and dtype in OCTETS else None,
    )
    return out.view(*groups_of(a, b), a.shape[-2], n)


def _how(block: Sequence[int], recovery: str, retries: int, width: int) -> How:
    m, k, n = block
    return How(m=m, k=k, n=n, recovery=recovery, retries=retries, width=width)


def _like_patches(
    x: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    h, w = Geometry(size=size, stride=stride, padding=padding, dilation=dilation).out_size(x)
    return x.new_empty([x.shape[0] * groups, h * w, x.shape[1] // groups * size[0] * size[1]])


@operator(fake=_like_patches)
def patches(
    x: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    pad: int,
) -> Tensor:
    """`x` [b, groups c, h, w] of 8 bits -> what each filter meets of it [b groups, h' w', c p q]."""
    shape = Geometry(size=size, stride=stride, padding=padding, dilation=dilation, groups=groups, pad=pad)
    h, w = shape.out_size(x)
    return shape.windows(x).reshape(x.shape[0] * groups, h * w, x.shape[1] // groups * size[0] * size[1])
