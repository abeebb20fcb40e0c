"""Checksums of a float factor over blocks of columns, and the variances of their rounding errors."""

from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.machine import Add, Mul
from radhard.machine.matrices import Matrices
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.rounding import Rounding


@dataclass(frozen=True, kw_only=True, eq=False)
class ChecksumMoments:
    """Of B over blocks of columns, both [h, j, terms] float32.

    A row of A times `sums` is what a row of C must sum to. The squares of that row times `spread` are the variance of
    both, as far as it is known before the product: of the chains of C, of the sums themselves, of the dot product.
    """

    sums: Tensor
    spread: Tensor


def with_bias(products: Matrices) -> tuple[Tensor, Tensor]:
    """A [g, m, terms] and B [h, n, terms] float32; a bias is the last term, which a one meets in A."""
    a, b, bias = products.a.float(), products.b.float(), products.bias
    if bias is None:
        return a, b
    return torch.cat([a, torch.ones_like(a[..., :1])], 2), torch.cat([b, bias.float()[..., None]], 2)


def stored_moments(b: Tensor, *, width: int, rounding: Rounding) -> ChecksumMoments:
    """B [h, n, terms] float32 -> its moments, summed in float64 and rounded once."""
    parts = b.double().split(width, 1)
    sums = torch.stack([part.sum(1) for part in parts], 1)
    squares = torch.stack([part.square().sum(1) for part in parts], 1)
    chain = rounding.of_terms(b.shape[2]) + 1
    spread = chain * squares + (chain + 1) * sums.square()
    return ChecksumMoments(sums=sums.float(), spread=spread.float())


def made_moments(b: Tensor, *, width: int, rounding: Rounding, checks: Checks, entries: Entries) -> ChecksumMoments:
    """The same of an activation [g, n, terms] float32, whose sums are rounded as they are made."""
    sums = checks.sums("encode_b", b, dim=1, step=width, entries=entries)
    each = checks.apply("encode_b/squares", Mul(), (b, b), entries)
    squares = checks.sums("encode_b/squares/sums", each, dim=1, step=width, entries=entries)
    chain = rounding.of_terms(b.shape[2]) + 1
    own = (chain + rounding.of_terms(width), chain + rounding.of_total(width))
    scaled = checks.apply("encode_b/terms", Mul(), (squares, torch.full_like(squares, own[0])), entries)
    total = checks.apply("encode_b/total", Mul(), (sums, sums), entries)
    total = checks.apply("encode_b/scaled", Mul(), (total, torch.full_like(total, own[1])), entries)
    spread = checks.apply("encode_b/spread", Add(), (scaled, total), entries)
    return ChecksumMoments(sums=sums, spread=spread)
