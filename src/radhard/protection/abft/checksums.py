"""Checksums of a product's operands, and the block sums that they predict.

C = A B: the sum of a block of C is the dot product of the column sums of its rows of A and the row sums of its columns
of B (Huang & Abraham, *Algorithm-based fault tolerance for matrix operations*, IEEE Trans. Computers, 1984). A bias is
one more row of B, and A has a column of ones: k grows by one term. Sums of a weight are made once and stored.
"""

from functools import partial

import torch
from torch import Tensor

from radhard.kernels.sums import BlockSums, with_bias
from radhard.machine.matrices import Matrices
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks, Dot
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.stored import StoredSums, store


def column_sums(application: ProtectedApplication, checks: Checks, *, step: int) -> BlockSums:
    """Sums over blocks of `step` columns of B [g, j, terms], one for each product; those of a weight are stored."""
    x, entries = application.products, application.entries
    if x.stored:
        known = weight_sums(application, checks, step=step)
        return BlockSums(blocks=x.of_weight(known.blocks, x.every), all=x.of_weight(known.all, x.every))
    blocks = checks.sums("encode_b", x.b.to(torch.int32), dim=1, step=step, entries=entries)
    return _of_blocks("encode_b/all", blocks, checks=checks, entries=entries)


def weighted_sums(application: ProtectedApplication, checks: Checks, *, step: int) -> Tensor | None:
    """Stored sums over blocks of columns [h, j, 2, terms], weighted by their numbers; None of activations."""
    return weight_sums(application, checks, step=step).weighted if application.products.stored else None


def weight_sums(application: ProtectedApplication, checks: Checks, *, step: int) -> BlockSums:
    """Stored sums over blocks of `step` columns of a weight, and of these, [h, ...]."""
    return _of_weight(application, checks, step=step).sums


def trusted(application: ProtectedApplication, checks: Checks, *, step: int) -> bool:
    """Whether the stored sums of a weight are those of the weight as it is now; of activations, always."""
    return not application.products.stored or _of_weight(application, checks, step=step).trusted


def _of_weight(application: ProtectedApplication, checks: Checks, *, step: int) -> StoredSums:
    weight = application.inputs[1]
    assert weight is not None
    make = partial(store, application.products, weight, step=step)
    return checks.stored.kept(application.site.name, weight, key=("sums", step), make=make)


def row_sums(application: ProtectedApplication, checks: Checks, *, step: int) -> BlockSums:
    """Sums over blocks of `step` rows of A, [g, i, terms]; a bias is met once by every row."""
    x, entries = application.products, application.entries
    m = x.shape.m
    blocks = checks.sums("encode_a", x.a.to(torch.int32), dim=1, step=step, entries=entries)
    sums = _of_blocks("encode_a/all", blocks, checks=checks, entries=entries)
    if x.bias is None:
        return sums
    rows = torch.tensor([min(step, m - first) for first in range(0, m, step)], device=blocks.device)
    ones = rows.expand(len(blocks), -1)[..., None]
    return BlockSums(blocks=torch.cat([sums.blocks, ones], 2), all=torch.cat([sums.all, ones.sum(1)], 1))


def with_ones(x: Matrices) -> tuple[Tensor, Tensor]:
    """A [g, m, terms] and B [g, n, terms] int32 of each product; a bias is the last term, which a one meets in A."""
    a, b = x.a.int(), x.of_weight(with_bias(x.b, x.bias).int(), x.every)
    return (a if x.bias is None else torch.cat([a, torch.ones_like(a[..., :1])], 2)), b


def _of_blocks(name: str, blocks: Tensor, *, checks: Checks, entries: Entries) -> BlockSums:
    """Sums of blocks [g, j, k] int32, and of these."""
    whole = checks.sums(name, blocks, dim=1, step=blocks.shape[1], entries=entries)[:, 0]
    return BlockSums(blocks=blocks.to(torch.int64), all=whole.to(torch.int64))


def predicted(
    name: str,
    left: Tensor,
    right: Tensor,
    *,
    slabs: list[int],
    checks: Checks,
    entries: Entries,
    dtype: torch.dtype = torch.int32,
) -> Tensor:
    """left [f, r, terms], right [f, c, terms] int64 -> dot products of each slab [f, q, r, c] `dtype`, which wrap.

    `slabs` are the numbers of terms of each: all alike, but for the last.
    """
    x, y = left.to(dtype), right.to(dtype)
    parts = []
    width, alike = slabs[0], len(slabs) - 1
    if alike:
        cut = [t[:, :, : alike * width].unflatten(2, (alike, width)).transpose(1, 2) for t in (x, y)]
        parts.append(checks.apply(name, Dot(), cut, entries))
    last = [t[:, None, :, alike * width :] for t in (x, y)]
    parts.append(checks.apply(f"{name}/last" if alike else name, Dot(), last, entries))
    return torch.cat(parts, 1)
