"""Weight checksums for row checks: computed once while the weight is trusted, stored with it.

Every row of C = A B adds up to A (B e), e all ones. B e is split into three digits to base 256, int8 words each, which
ride the product as three more columns of B; so the integer product itself predicts each row's sum, exactly modulo 2^32.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.operands import SPARE

_LINE = 16  # int32 words in a cache line: rows of accumulators are a multiple of it, which vectors load without a cut
_OUTPUTS = 1 + 256 + 65536  # words of -128 ... 127 whose sum three digits hold
RowVerdict = Literal["sound", "sums", "mended", "lost"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SummedWeight:
    """A weight and its sums, as they lie in memory.

    `weight` [n + spare, k] int8: the weight, then the digits of its column sums, then zeros. `bias` [n] int32.
    `columns` [k + 1] int64: the sums over the n outputs, the bias's last. `rows` [n] int64: the sums of each output's
    words and bias, by which a changed word is found.
    """

    weight: Tensor
    bias: Tensor
    columns: Tensor
    rows: Tensor

    @property
    def own(self) -> Tensor:
        """The weight alone [n, k]."""
        return self.weight[: len(self.bias)]


def store(weight: Tensor, bias: Tensor) -> SummedWeight:
    """`weight` [n, k] int8 and bias [n] int32, both trusted -> what is stored of them."""
    n = len(weight)
    check_outputs(n)
    columns, rows = _sums(weight, bias)
    spare = SPARE + -(n + SPARE) % _LINE
    padding = torch.zeros(spare - SPARE, weight.shape[1], dtype=torch.int8, device=weight.device)
    wide = torch.cat([weight, digits(columns[:-1]), padding])
    return SummedWeight(weight=wide, bias=bias, columns=columns, rows=rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockSums:
    """Sums of a factor over blocks of its columns or rows.

    `blocks` [..., j, terms] int64, `all` of them [..., terms]; `weighted` [..., j, 2, terms] int64, in which columns 1,
    2, 3 ... of a block count as often as their number, and as its square: what they are off by says which column is.
    None where nobody asks.
    """

    blocks: Tensor
    all: Tensor
    weighted: Tensor | None = None


def block_sums(wide: Tensor, step: int) -> BlockSums:
    """`wide` [..., n, terms] int64, the bias a term like others -> its sums over every `step` columns."""
    blocks = summed(wide, step, dim=-2)
    return BlockSums(blocks=blocks, all=blocks.sum(-2))


def weighted_sums(wide: Tensor, step: int) -> BlockSums:
    """As `block_sums`, with the weighted ones."""
    weighted = torch.stack([_weighted(part) for part in wide.split(step, -2)], -3)
    return replace(block_sums(wide, step), weighted=weighted)


def with_bias(weight: Tensor, bias: Tensor | None) -> Tensor:
    """Weight [..., n, k] int8 and bias [..., n] int32 -> [..., n, terms] int64: the bias is the last term."""
    wide = weight.to(torch.int64)
    return wide if bias is None else torch.cat([wide, bias.to(torch.int64)[..., None]], -1)


def summed(x: Tensor, step: int, *, dim: int) -> Tensor:
    """`x` [...] int64 -> its sums over every `step` entries along `dim`, the last of the rest."""
    return torch.stack([part.sum(dim) for part in x.split(step, dim)], dim)


def numbers(size: int, device: torch.device) -> Tensor:
    """Columns 1 ... size and the squares of these: [size, 2] int64."""
    one = torch.arange(1, size + 1, device=device)
    return torch.stack([one, one * one], 1)


def _weighted(part: Tensor) -> Tensor:
    """[..., n, terms] int64 -> [..., 2, terms]. Not a matrix product, which there is none of int64 on a GPU."""
    weights = numbers(part.shape[-2], part.device)
    return torch.stack([(part * weights[:, power, None]).sum(-2) for power in (0, 1)], -2)


def check_outputs(n: int) -> None:
    """InputError if sums over n outputs may be more than three digits hold."""
    if n > _OUTPUTS:
        raise InputError(f"{n} outputs: three digits hold the sums of {_OUTPUTS}; take the product out of the plan")


def digits(sums: Tensor) -> Tensor:
    """`sums` [k] int64 of at most _OUTPUTS words each -> [3, k] int8, the lowest digit first: their value base 256."""
    found = []
    for _ in range(SPARE):
        digit = sums.to(torch.int8)  # wraps
        found.append(digit)
        sums = (sums - digit) >> 8
    return torch.stack(found)


def examine(stored: SummedWeight) -> tuple[RowVerdict, SummedWeight]:
    """Whether stored words changed, and what they were.

    "sound"; "sums": sums or digits changed, and are made anew of the weight; "mended": one word of the weight or its
    bias changed, and is set right by the sums that cross in it; "lost": more than that.
    """
    return judged(stored, *_sums(stored.own, stored.bias))


def judged(stored: SummedWeight, columns: Tensor, rows: Tensor) -> tuple[RowVerdict, SummedWeight]:
    """As `examine`, by sums that were made of the weight as it is now: `columns` [k + 1] and `rows` [n] int64."""
    off_column = (columns != stored.columns).nonzero()[:, 0]
    off_row = (rows != stored.rows).nonzero()[:, 0]
    n = len(stored.bias)
    if not len(off_column) or not len(off_row):  # the weight agrees with one of the two
        agree = not len(off_column) and not len(off_row)
        if agree and torch.equal(digits(stored.columns[:-1]), stored.weight[n : n + SPARE]):
            return "sound", stored
        return "sums", store(stored.own, stored.bias)
    change = columns[off_column] - stored.columns[off_column]
    if len(off_column) > 1 or len(off_row) > 1 or change[0] != rows[off_row[0]] - stored.rows[off_row[0]]:
        return "lost", stored
    weight, bias, row, column = stored.own.clone(), stored.bias.clone(), int(off_row), int(off_column)
    word = bias[row] if column == weight.shape[1] else weight[row, column]
    word -= int(change)
    mended = store(weight, bias)
    whole = torch.equal(mended.columns, stored.columns) and torch.equal(mended.rows, stored.rows)
    return ("mended", mended) if whole else ("lost", stored)


def _sums(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    wide = bias.to(torch.int64)
    columns = torch.cat([weight.sum(0, dtype=torch.int64), wide.sum().reshape(1)])
    return columns, weight.sum(1, dtype=torch.int64) + wide
