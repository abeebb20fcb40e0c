"""Back ends for exact integer matrix products: each is tested on this machine before its first use.

`torch._int_mm` is silently wrong on some processors without VNNI, and takes int8 alone; a float32 product is exact only
while every partial sum stays within 2^24, k <= 1024, or 514 where the left words are uint8. Exactness is therefore
tested, at first use, against float64, which holds all these sums; of the back ends that pass, a short measurement picks
the fastest.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from radhard.errors import BackendError
from radhard.kernels.grid import SYMMETRIC, UNSIGNED
from radhard.kernels.octets import exact_terms, lowered
from radhard.kernels.on_device import on_device
from radhard.kernels.tiled import tiled
from radhard.kernels.write import WriteBack, no_bias, unscaled, write

ProductKernel = Callable[[Tensor, Tensor], Tensor]
FactorKind = Literal["weight", "attention"]

# [g, m, k, n] of the measurement: a linear layer's and an attention head's product
_TYPICAL: dict[FactorKind, tuple[int, int, int, int]] = {
    "weight": (1, 256, 768, 768),
    "attention": (24, 197, 64, 197),
}
_ODD = (
    *((1, 3, 127, 5), (2, 33, 65, 17), (1, 17, 1025, 31), (1, 67, 3072, 9), (2, 197, 64, 197)),
    *((3, 1, 1, 1), (2, 9, 1, 2), (1, 1, 1, 7), (1, 1, 2, 3), (2, 1, 40, 1), (1, 5, 3, 1)),
)
_ALIKE = ((-128, 128), (127, 128), (-128, -127), (-128, -126), (126, 128))
_OPERANDS = (
    *((of_both, of_both) for of_both in _ALIKE),
    *(((low, 256), of_b) for low in (0, 254, 255) for of_b in _ALIKE),  # uint8 on the left, 255 x -128 among them
)
"""What operands are drawn from, the second number left out, for a proof: the left and the right one."""


_NEAR = 3.0
"""A back end that takes more than so many times as long as the fastest is not timed again."""


_FAR = 10.0
"""What takes more than so many times as long as the fastest in its first run is not run again on a CPU."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """`product`: a [g, m, k] int8 or uint8, b [g, n, k] int8 -> a b^T [g, m, n] exactly, int32 or float32 integers.

    a is contiguous, b or its transpose is: `torch._int_mm` is silently wrong on views whose rows overlap. `devices`
    are the types of those that it may serve. `proof` stands in for `proves_itself` where each kernel has its own.
    `written`, where there is one, adds a bias [n] int32 and writes back on the way; a and b may then have any strides.
    """

    name: str
    product: ProductKernel
    devices: tuple[str, ...] = ("cpu", "cuda")
    proof: Callable[[torch.device], bool] | None = None
    written: Callable[[Tensor, Tensor, Tensor, WriteBack], Tensor] | None = None


def _int_mm(a: Tensor, b: Tensor) -> Tensor:
    if a.dtype == torch.uint8:  # a b = (a - 128) b + 128 sum(b), which wraps alike
        return _int_mm(lowered(a), b).add_(b.sum(2, dtype=torch.int32)[:, None], alpha=128)
    out = torch.empty(a.shape[0], a.shape[1], b.shape[1], dtype=torch.int32, device=a.device)
    if a.is_cuda:  # rows beyond 16, other sizes in multiples of 8
        (m, k), n = a.shape[1:], b.shape[1]
        if m <= 16 or k % 8 or n % 8:
            a, b = pad(a, (0, -k % 8, 0, max(17 - m, 0))), pad(b, (0, -k % 8, 0, -n % 8))
        for x, y, z in zip(a.unbind(0), b.mT.unbind(0), out.unbind(0), strict=True):
            z.copy_(torch._int_mm(x, y)[:m, :n]) if len(x) > m or y.shape[1] > n else torch._int_mm(x, y, out=z)
        return out
    if a.shape[2] == 1:  # torch 2.13 leaves such a product uninitialised
        a, b = pad(a, (0, 1)), pad(b, (0, 1))
    if len(a) == 1:
        torch._int_mm(a[0], b[0].T, out=out[0])
        return out
    for x, y, z in zip(a.unbind(0), b.mT.unbind(0), out.unbind(0), strict=True):
        torch._int_mm(x, y, out=z)
    return out


def _float32(a: Tensor, b: Tensor) -> Tensor:
    most = exact_terms(a.dtype)
    if a.shape[2] <= most:
        return a.to(torch.float32) @ b.to(torch.float32).mT
    parts = zip(a.split(most, dim=2), b.split(most, dim=2), strict=True)
    total = torch.zeros(a.shape[0], a.shape[1], b.shape[1], dtype=torch.int32, device=a.device)
    for x, y in parts:
        total += (x.to(torch.float32) @ y.to(torch.float32).mT).to(torch.int32)
    return total


def _float64(a: Tensor, b: Tensor) -> Tensor:
    return (a.to(torch.float64) @ b.to(torch.float64).mT).to(torch.int64).to(torch.int32)


def _triton(a: Tensor, b: Tensor) -> Tensor:
    found = _by_kernel(a, b)
    return _float64(a, b) if found is None else found


def _by_kernel(a: Tensor, b: Tensor) -> Tensor | None:
    """The product by a kernel for GPUs; None where none proves itself."""
    device = on_device(a)
    if device is None:
        return None
    return cast("Tensor | None", device.written(a, b, bias=None, back=None))


def _kernels_prove_themselves(device: torch.device) -> bool:
    typical = ((_ones(g, m, k, device), _ones(g, n, k, device)) for g, m, k, n in _TYPICAL.values())
    return all(_by_kernel(a, b) is not None for a, b in typical)


def _ones(g: int, r: int, k: int, device: torch.device) -> Tensor:
    return torch.ones(g, r, k, dtype=torch.int8, device=device)


def _by_tiles(a: Tensor, b: Tensor) -> Tensor:
    return tiled(a, b, bias=no_bias(b.shape[1], a.device), back=unscaled(a.device))


BACKENDS = (
    Backend(name="triton", product=_triton, devices=("cuda",), proof=_kernels_prove_themselves),
    Backend(
        name="tiles",
        product=_by_tiles,
        devices=("cpu",),
        written=lambda a, b, bias, back: tiled(a, b, bias=bias, back=back),
    ),
    Backend(name="int_mm", product=_int_mm),
    Backend(name="float32", product=_float32),
    Backend(name="float64", product=_float64),
)


@cache
def proves_itself(backend: Backend, device: torch.device) -> bool:
    """Whether the back end equals int64 on full-range operands, extreme operands and odd shapes; tested once."""
    if backend.proof is not None:
        return backend.proof(device)
    for a, b, expected in _examples():
        for layout in (b, b.mT.contiguous().mT):
            try:
                found = backend.product(a.to(device), layout.to(device)).cpu()
            except RuntimeError:  # the device or its shapes are not supported: no proof
                return False
            if not torch.equal(found.to(torch.int64), expected):
                return False
    return backend.written is None or _writes(backend.written, device)


def _writes(written: Callable[[Tensor, Tensor, Tensor, WriteBack], Tensor], device: torch.device) -> bool:
    """Whether it writes back what `radhard.kernels.write.write` does."""
    for a, b, expected in _examples():
        n, total = b.shape[1], expected.to(torch.int32)
        bias = torch.arange(n, dtype=torch.int32, device="cpu") * 0x0F0F0F0F
        multiplier = (1 + torch.arange(n, device="cpu")) * (100.0 / (1 + int(total.abs().max())))
        for dtype, grid in ((torch.int8, SYMMETRIC), (torch.uint8, UNSIGNED), (torch.float32, SYMMETRIC)):
            back = WriteBack(multiplier=multiplier.to(device), dtype=dtype, grid=grid)
            own = write(total.flatten(0, 1), bias, WriteBack(multiplier=multiplier, dtype=dtype, grid=grid))
            found = written(a.to(device), b.to(device), bias.to(device), back)
            if not torch.equal(found.cpu().flatten(0, 1), own):
                return False
    return True


@cache
def _examples() -> tuple[tuple[Tensor, Tensor, Tensor], ...]:
    """Operands of a proof, a [g, m, k] and b [g, n, k], and a b^T in int64; some 10 MB."""
    draw, found = torch.Generator().manual_seed(0x5EED), []
    for g, m, k, n in _ODD:
        for of_a, of_b in _OPERANDS:
            a = torch.randint(*of_a, (g, m, k), dtype=torch.int16, generator=draw)
            a = a.to(torch.uint8 if of_a[1] > 128 else torch.int8)
            b = torch.randint(*of_b, (g, n, k), dtype=torch.int8, generator=draw)
            found.append((a, b, (a.to(torch.float64) @ b.mT.to(torch.float64)).to(torch.int64)))  # exact to 2^53
    return tuple(found)


def choose(shape: FactorKind, device: torch.device, candidates: Sequence[Backend] = BACKENDS) -> Backend:
    """The fastest of the candidates that prove themselves on `device`, for products of this shape.

    Raises BackendError if none does.
    """
    able = [one for one in candidates if device.type in one.devices]
    times = _times(able, shape, device)
    for backend in sorted(able, key=lambda one: times[one]):  # the proof of a slow one may take half a second
        if proves_itself(backend, device):
            return backend
    names = ", ".join(backend.name for backend in candidates)
    raise BackendError(
        f"no integer back end is exact on {device} (tried {names}): run on another device, or report this "
        "machine's processor and torch version to the project"
    )


def _times(backends: Sequence[Backend], shape: FactorKind, device: torch.device) -> dict[Backend, float]:
    """The least seconds of each for a product of this shape, of two runs, or of six where it is near the fastest.

    On a CPU one run, which warms it up, is enough of what takes `_FAR` times as long as another; on a GPU it compiles.
    """
    g, m, k, n = _TYPICAL[shape]
    a, b = _ones(g, m, k, device), _ones(g, n, k, device)
    found = {one: _seconds(one, a, b) for one in backends}
    again = [one for one in backends if found[one] <= _FAR * min(found.values()) or device.type != "cpu"]
    found |= {one: min(found[one], _seconds(one, a, b)) for one in again}
    near = [one for one in backends if found[one] <= _NEAR * min(found.values())]
    return found | {one: min(found[one], *(_seconds(one, a, b) for _ in range(4))) for one in near}


def _seconds(backend: Backend, a: Tensor, b: Tensor) -> float:
    """Of one product; without end where the device or its shapes are not supported, which its proof will say."""
    start = time.perf_counter()
    try:
        float(backend.product(a, b)[0, 0, 0])  # reading a value waits for the device
    except RuntimeError:
        return math.inf
    return time.perf_counter() - start


@cache
def _chosen(shape: FactorKind, device: torch.device) -> Backend:
    return choose(shape, device)


def backend_names(device: torch.device) -> dict[str, str]:
    """The back end in use on `device` for products with weights and for attention products."""
    if device.type == "cuda" and _kernels_prove_themselves(device):  # which then write their products back, too
        return {"weight": "triton", "attention": "triton"}
    return {"weight": _chosen("weight", device).name, "attention": _chosen("attention", device).name}


def chosen(g: int, device: torch.device) -> Backend:
    """The back end in use on `device` for `g` products at a time: one alone has a weight as its right factor."""
    return _chosen("weight" if g == 1 else "attention", device)


def product(a: Tensor, b: Tensor) -> Tensor:
    """`a` [g, m, k] int8 or uint8, `b` [g, n, k] int8 -> a b^T [g, m, n], exact: int32, or integers in float32.

    Deployed operators look it up here at each call: a function put in its place shows them accumulators with faults.
    """
    either = b if b.is_contiguous() or b.mT.is_contiguous() else b.contiguous()
    return chosen(len(a), a.device).product(a.contiguous(), either)
