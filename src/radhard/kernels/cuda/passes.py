"""Proofs of one-pass kernels at first use: their results are compared with torch on the CPU.

To compile a kernel takes a second: of each what models use most is proved here, and the rest by tests.
"""

from collections.abc import Callable
from functools import partial

import torch
import triton
from torch import Tensor
from torch.nn import functional

from radhard.kernels.affine import Affine
from radhard.kernels.cuda.elementwise import Operation
from radhard.kernels.cuda.elementwise import pair as unproven_pair
from radhard.kernels.cuda.proof import proven
from radhard.kernels.cuda.rows import ALIGNED, LONGEST, RowsOutput, dtype_written
from radhard.kernels.cuda.rows import normalise as unproven_normalise
from radhard.kernels.cuda.rows import softmax as unproven_softmax
from radhard.kernels.cuda.words import look_up as unproven_look_up
from radhard.kernels.cuda.words import sum_rows as unproven_sum_rows
from radhard.kernels.cuda.words import written
from radhard.kernels.grid import Grid
from radhard.kernels.on_device import interpreted
from radhard.kernels.write import saturate

_CLOSE = 1e-5
"""How far a number may lie from the CPU's, in parts of it or of 1: a rounding here and there, and no more."""
_WORDS, _OTHERS = Affine(scale=0.07, grid=Grid(zero=-13)), Affine(scale=0.02, grid=Grid(zero=9))
_INT8 = Affine(scale=0.02)


def look_up(x: Tensor, table: Tensor) -> Tensor | None:
    """See `radhard.kernels.cuda.words`; None where the kernel is not proved."""
    return unproven_look_up(x, table) if _sure("look-ups", x.device, _looks_up) else None


def sum_rows(x: Tensor) -> Tensor | None:
    """See `radhard.kernels.cuda.words`; None where the kernel is not proved."""
    return unproven_sum_rows(x) if _sure("sums of rows", x.device, _sums) else None


def write_numbers(x: Tensor, factor: float, grid: Grid, *, marked: bool) -> tuple[Tensor, Tensor | None] | None:
    """See `radhard.kernels.cuda.words.written`; None where the kernel is not proved."""
    sure = _sure("writing of numbers", x.device, _writes)
    return written(x, factor, grid, marked=marked) if sure else None


def softmax(x: Tensor, *, read: Affine | None, write: Affine | None) -> RowsOutput | None:
    """See `radhard.kernels.cuda.rows`; None where the kernel is not proved as well.

    For each length of rows on its own: how a compiler lays them out differs with it.
    """
    aligned = x.ndim > 1 and x.stride(-2) % ALIGNED == 0
    to, beside = dtype_written(write), " side by side" * (not aligned)
    name = f"softmax of {x.shape[-1]} {x.dtype}{beside} to {to}"
    given = partial(_divides, n=x.shape[-1], dtype=x.dtype, aligned=aligned, read=read, write=write)
    return unproven_softmax(x, read=read, write=write) if _sure(name, x.device, given) else None


def normalise(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    *,
    n: int,
    eps: float,
    centred: bool,
    read: Affine | None,
    write: Affine | None,
) -> RowsOutput | None:
    """See `radhard.kernels.cuda.rows`; None where the kernel is not proved as well, for each length of rows on its
    own.
    """
    to = dtype_written(write)
    with_, kind = (weight is not None, bias is not None), "layer" if centred else "RMS"
    name = f"{kind} normalisation of {n} {x.dtype} to {to}, weight and bias {with_}"
    given = partial(_normalises, n=n, dtype=x.dtype, centred=centred, with_=with_, read=read, write=write)
    if not _sure(name, x.device, given):
        return None
    return unproven_normalise(x, weight, bias, n=n, eps=eps, centred=centred, read=read, write=write)


def pair(
    operation: Operation,
    inputs: tuple[Tensor, Tensor],
    *,
    reads: tuple[Affine | None, Affine | None],
    write: Affine | None,
) -> RowsOutput | None:
    """See `radhard.kernels.cuda.elementwise`; None where the kernel is not proved as well."""
    if not _sure("pairs", inputs[0].device, _pairs):
        return None
    return unproven_pair(operation, inputs, reads=reads, write=write)


def _sure(name: str, device: torch.device, proof: Callable[[torch.device], bool | str]) -> bool:
    """Where Triton interprets kernels, tests are the proof."""
    return interpreted() or proven(name, device, partial(proof, device))


def _words(*shape: int, draw: torch.Generator) -> Tensor:
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=draw)


def _looks_up(device: torch.device) -> bool:
    draw = torch.Generator().manual_seed(0x5EED)
    wide = _words(31, 300, draw=draw)
    tables = [_words(256, draw=draw), torch.randn(256, generator=draw)]
    return all(
        torch.equal(unproven_look_up(x, table.to(device)).cpu(), table[x.cpu().to(torch.int64) + 128])
        for table in tables
        for x in (wide.to(device), wide.to(device)[:, 16:272], wide.to(device)[:, 3:80].T)
    )


def _sums(device: torch.device) -> bool:
    draw = torch.Generator().manual_seed(0x5EED)
    masks = [torch.randint(0, 2, (9, n), generator=draw, dtype=torch.int32) for n in (197, 20001)]
    return all(
        torch.equal(unproven_sum_rows(x.to(device)).cpu(), x.sum(1)) for mask in masks for x in (mask.bool(), mask)
    )


def _writes(device: torch.device) -> bool:
    draw = torch.Generator().manual_seed(0x5EED)
    non_finite = torch.tensor([float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e-40, 2.5, -0.5, 127.5])
    x = torch.cat([torch.randn(5000, generator=draw) * 90, torch.arange(-600, 600) / 2, non_finite])
    for grid in (Grid(zero=-7), Grid(zero=3, low=1, high=255, dtype=torch.uint8)):
        for factor in (1.0, 1 / 0.37):
            words, marks = written(x.to(device), factor, grid, marked=True)
            value = x * factor
            right = torch.equal(words.cpu(), saturate(value, grid))
            if not right or marks is None or not torch.equal(marks.cpu(), ~value.isfinite()):
                return False
    return True


def _given(read: Affine | None, *shape: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a kernel reads, and the numbers that it stands for."""
    if read is None:
        x = torch.randn(shape, generator=draw) * 3
        return x, x
    x = _words(*shape, draw=draw)
    return x, read.read(x)


def _agrees(found: RowsOutput | None, expected: Tensor, write: Affine | None) -> bool | str:
    if found is None:
        return "it is not served"
    out = found[0].cpu()
    if write is None:
        apart = (out - expected).abs()
        bad = apart > _CLOSE * (1 + expected.abs())
        return (
            f"{int(bad.sum())} of {bad.numel()} numbers differ, by up to {float(apart.max()):.3g}"
            if bad.any()
            else True
        )
    scaled = expected * write.factor
    steps = (out.int() - saturate(scaled, write.grid).int()).abs()
    many, most = int((steps > 0).sum()), int(steps.max())
    non_finite = (~scaled.isfinite()).sum(-1, keepdim=True)
    if found[1] is not None and not torch.equal(found[1].cpu(), non_finite.to(torch.int32)):
        return "what is not finite is miscounted"
    return (most <= 1 and many <= max(1, out.numel() // 500)) or f"{many} words differ, by up to {most}"


def _divides(
    device: torch.device, *, n: int, dtype: torch.dtype, aligned: bool, read: Affine | None, write: Affine | None
) -> bool | str:
    draw = torch.Generator().manual_seed(0x5EED)
    wide = torch.zeros(37, triton.cdiv(n, ALIGNED) * ALIGNED + (0 if aligned else 1), dtype=dtype)
    x = wide[:, :n]
    x.copy_(torch.randn(37, n, generator=draw) if read is None else _words(37, n, draw=draw).view(dtype))
    if read is None and write is not None:
        x[5, n // 2] = float("nan")
    numbers = x if read is None else read.read(x)
    moved = wide.to(device)[:, :n]
    found = unproven_softmax(moved if aligned else moved.contiguous(), read=read, write=write)
    return n > LONGEST or _agrees(found, numbers.softmax(-1), write)


def _normalises(
    device: torch.device,
    *,
    n: int,
    dtype: torch.dtype,
    centred: bool,
    with_: tuple[bool, bool],
    read: Affine | None,
    write: Affine | None,
) -> bool | str:
    draw = torch.Generator().manual_seed(0x5EED)
    weight, bias = (torch.randn(n, generator=draw) if there else None for there in with_)
    x = (torch.randn(9, n, generator=draw) * 3).to(dtype) if read is None else _words(9, n, draw=draw).view(dtype)
    if read is None and write is not None:
        x[4, n // 2] = float("inf")
    numbers = x if read is None else read.read(x)
    given = [None if one is None else one.to(device) for one in (x, weight, bias)]
    found = unproven_normalise(*given, n=n, eps=1e-6, centred=centred, read=read, write=write)  # type: ignore[arg-type]
    squares = functional.rms_norm(numbers, (n,), weight, 1e-6)
    expected = functional.layer_norm(numbers, (n,), weight, bias, 1e-6)
    if not centred:
        expected = squares if bias is None else squares + bias
    return found is None or _agrees(found, expected, write)


def _pairs(device: torch.device) -> bool:
    draw = torch.Generator().manual_seed(0x5EED)
    computed: dict[Operation, Callable[[Tensor, Tensor], Tensor]] = {"add": torch.add, "mul": torch.mul}
    cases: tuple[tuple[Operation, tuple[int, ...], tuple[Affine | None, Affine | None], Affine | None], ...] = (
        ("add", (5, 7, 33), (None, _WORDS), None),
        ("add", (5, 7, 33), (_WORDS, _OTHERS), None),
        ("mul", (7, 1), (_WORDS, _OTHERS), _INT8),
    )
    for operation, shape, reads, write in cases:
        (x, left), (y, right) = _given(reads[0], 5, 7, 33, draw=draw), _given(reads[1], *shape, draw=draw)
        found = unproven_pair(operation, (x.to(device), y.to(device)), reads=reads, write=write)
        exact = computed[operation](left, right)
        exact = exact if write is None else saturate(exact * write.factor, write.grid)
        if found is None or not torch.equal(found[0].cpu(), exact):
            return False
    return True
