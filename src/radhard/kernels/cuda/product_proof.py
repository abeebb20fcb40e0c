"""The proof of the integer product with write-back: compared with exact float64 on the host."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.kernels.cuda.configs import Config
from radhard.kernels.grid import grid_of
from radhard.kernels.octets import as_signed
from radhard.kernels.write import WriteBack, write


@dataclass(frozen=True, kw_only=True)
class Writes:
    """What a product adds and writes: a bias or none, `dtype`; `centred` words, with the zero point 0; `one` multiplier
    for all columns.
    """

    biased: bool
    centred: bool
    one: bool
    dtype: torch.dtype


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What the kernel is compiled for: rows of b lie by k or by n, loads are aligned or not."""

    config: Config
    unsigned: bool
    b_by_k: bool
    whole: bool
    k_aligned: bool
    n_aligned: bool
    a_aligned: bool
    b_aligned: bool
    c_aligned: bool
    writes: Writes


Launch = Callable[..., None]
"""See `radhard.kernels.cuda.products.launch`."""
_MOST = 5  # programs that stay: then each makes several tiles


def right(launch: Launch, variant: Variant, device: torch.device) -> bool:
    """Whether `launch` is exact on what the variant is compiled for, with words of all kinds.

    On 2 x 2 products, or on one where operands are described.
    """
    config, draw = variant.config, torch.Generator(device="cpu").manual_seed(0x5EED)
    m = config.rows * (config.band + 1) - 3
    n = 2 * config.columns - (16 if variant.n_aligned else 3)
    k = 2 * config.depth if variant.whole else 2 * config.depth - (16 if variant.k_aligned else 3)
    top, left = (255, torch.uint8) if variant.unsigned else (127, torch.int8)
    groups = (1, 1) if config.described else (2, 2)
    writes = variant.writes
    low, high = (0, 255) if writes.dtype == torch.uint8 else (-128, 120)
    grid = grid_of(0 if writes.centred else 7, low, high, writes.dtype)
    for of_a, of_b, spread in (
        ((top - 255, top + 1), (-128, 128), 2**31),
        ((top - 255, top + 1), (-128, 128), 2**10),
        ((top, top + 1), (-128, -127), 2**16),
        ((top - 255, top - 254), (127, 128), 2**31),
    ):
        a = _words((*groups, m, k), of_a, aligned=variant.a_aligned, draw=draw).to(left)
        b = _words(
            (*groups, n, k) if variant.b_by_k else (*groups, k, n), of_b, aligned=variant.b_aligned, draw=draw
        ).to(torch.int8)
        bias = torch.randint(-spread, spread, (n,), generator=draw, device="cpu").to(torch.int32)
        powers = torch.randint(1, 20, (n,), generator=draw, device="cpu")  # of two: so that many values are ties
        multiplier = torch.ldexp(torch.ones(n, device="cpu"), -powers)[: 1 if writes.one else n]

        x, y = _factors(a, b, variant, k=k, n=n)
        total = (x.double() @ y.double().mT).to(torch.int64).to(torch.int32).flatten(0, 2)
        given = bias if writes.biased else torch.zeros_like(bias)
        expected = write(total, given, WriteBack(multiplier=multiplier, dtype=writes.dtype, grid=grid))

        out = _room((*groups, m, n), variant, device)
        x, y = _factors(a.to(device), b.to(device), variant, k=k, n=n)
        sent = bias.to(device) if writes.biased else None
        back = WriteBack(multiplier=multiplier.to(device), dtype=writes.dtype, grid=grid)
        launch(variant, as_signed(x), y, as_signed(out), sent, back, most=_MOST)
        if not torch.equal(out.cpu().reshape(expected.shape), expected):
            return False
    return True


def _words(size: tuple[int, ...], limits: tuple[int, int], *, aligned: bool, draw: torch.Generator) -> Tensor:
    """[..., r, at least c]: rows of c words and some more, so that each row begins at 16 bytes, or does not."""
    *others, c = size
    return torch.randint(
        *limits, (*others, c + -c % 16 + (0 if aligned else 3)), dtype=torch.int16, generator=draw, device="cpu"
    )


def _factors(a: Tensor, b: Tensor, variant: Variant, *, k: int, n: int) -> tuple[Tensor, Tensor]:
    """The operands [2, 2, m, k] and [2, 2, n, k] in what was drawn."""
    return a[..., :k], b[..., :k] if variant.b_by_k else b[..., :n].mT


def _room(size: tuple[int, int, int, int], variant: Variant, device: torch.device) -> Tensor:
    """An output [g, h, m, n], whose rows begin at 16 words and lie between those of other groups; or contiguous."""
    g, h, m, n = size
    if not variant.c_aligned:
        return torch.empty(size, dtype=variant.writes.dtype, device=device)
    return torch.empty(g, m, h, n + -n % 16, dtype=variant.writes.dtype, device=device)[..., :n].transpose(1, 2)
