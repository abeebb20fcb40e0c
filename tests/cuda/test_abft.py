"""Detection and recovery on a GPU against those of `radhard.protection`, under the same flips."""

import pytest
import torch
from torch import Tensor

from radhard.kernels.cuda.abft import Factors, Found, detect, locate, sums_of
from radhard.kernels.cuda.repair import OUTCOMES, Several, recover
from radhard.kernels.cuda.slabs import running_sums
from radhard.machine import Clean, Gemm, Operator, Site
from radhard.operators import Linear
from radhard.protection import Block, LbAbft, StandardAbft
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.checksum_cache import ChecksumCache
from radhard.protection.abft.detection import detect as detect_on_host
from radhard.protection.abft.detection import locate as locate_on_host
from radhard.protection.abft.stages import Accumulated
from tests.support.protections import here, int8s, int32s

BATCH, M, K, N = 2, 13, 37, 11
BLOCKS = [(8, 15, 9), (13, 20, 11), (5, 37, 7)]
Hit = tuple[int, int, int, int, int]  # slab from which on, image, row, column, what the word is off by


class Struck(Clean):
    """Computes, and hits running sums."""

    def __init__(self, hits: list[Hit]) -> None:
        super().__init__()
        self.hits = hits

    def apply(self, operator: Operator, inputs: object, site: Site) -> Tensor:
        out = super().apply(operator, inputs, site)  # type: ignore[arg-type]
        if isinstance(operator, Accumulated):
            for q, g, row, column, delta in self.hits:
                out.view(len(out), BATCH, M, N)[q:, g, row, column] += delta
        return out


def drawn(slabs: int, count: int, seed: int) -> list[Hit]:
    draw = torch.Generator().manual_seed(seed)
    sizes = torch.tensor([slabs, BATCH, M, N, 31])
    return [
        (q, g, row, column, 2**bit if bit % 2 else -(2**bit))
        for q, g, row, column, bit in (torch.rand(count, 5, generator=draw) * sizes).long().tolist()
    ]


def case(kind: str, left: torch.dtype) -> tuple[Operator, tuple[Tensor | None, ...]]:
    a = int8s(BATCH, M, K).view(left)
    if kind == "weight":
        return Linear(), (a, int8s(N, K, seed=1), int32s(N))
    return Gemm(), (a, int8s(BATCH, N, K, seed=1).mT)


def checked(kind: str, left: torch.dtype, hits: list[Hit]) -> tuple[ProtectedApplication, Checks]:
    operator, inputs = case(kind, left)
    application = ProtectedApplication(operator=operator, inputs=inputs, site=here(), machine=Struck(hits))
    return application, Checks(application, exposed=False, stored=ChecksumCache())


def on_device(kind: str, left: torch.dtype, block: tuple[int, int, int], device: torch.device) -> Factors:
    _, (a, b, *bias) = case(kind, left)
    assert a is not None
    assert b is not None
    a, right = a.to(device), (b[None] if kind == "weight" else b.mT.contiguous()).to(device)
    if kind == "activation":
        return Factors(a=a, b=right, bias=None, block=block)
    assert bias[0] is not None
    extra = bias[0][None].to(device)
    return Factors(a=a, b=right, bias=extra, block=block, right=sums_of(right, extra, step=block[2]))


def struck(factors: Factors, hits: list[Hit]) -> Tensor:
    sums = running_sums(factors.a, factors.b, factors.bias, step=factors.block[1])
    for q, g, row, column, delta in hits:
        sums[q:, g, row, column] += delta
    return sums


KINDS = pytest.mark.parametrize("kind", ["weight", "activation"])
CASES = pytest.mark.parametrize(
    ("kind", "left", "block"),
    [
        ("weight", torch.int8, BLOCKS[0]),
        ("activation", torch.uint8, BLOCKS[0]),
        ("weight", torch.uint8, BLOCKS[1]),
        ("activation", torch.int8, BLOCKS[2]),
    ],
)


@CASES
def test_detection(kind: str, left: torch.dtype, block: tuple[int, int, int], device: torch.device) -> None:
    slabs = -(-K // block[1])
    for count in (5,):
        hits = drawn(slabs, count, seed=count)
        own, blocks = checked(kind, left, hits), Block(m=block[0], k=block[1], n=block[2])
        factors = on_device(kind, left, block, device)
        sums = struck(factors, hits)
        wanted, found = detect_on_host(*own, block=blocks), detect(factors, sums)
        assert torch.equal(sums.cpu(), wanted.sums)
        assert torch.equal(found.tiles.cpu(), wanted.tiles.transpose(0, 1))
        assert torch.equal(found.left.blocks.cpu().long(), wanted.left.blocks[..., :K])
        assert torch.equal(found.alarmed.cpu().nonzero()[:, 0], wanted.alarmed)
        assert found.alarms.places[: found.alarms.count].sort()[0].tolist() == wanted.alarmed.tolist()
        flagged = locate(factors, found)
        at = locate_on_host(*own, found=wanted).flagged if len(wanted.alarmed) else None
        _, _, i, j = wanted.tiles.shape
        places = [] if at is None else (((at.g * slabs + at.q) * i + at.i) * j + at.j).tolist()
        assert flagged.places[: flagged.count].sort()[0].tolist() == places


def repaired(
    factors: Factors, hits: list[Hit], *, several: Several, whole: bool
) -> tuple[Tensor, dict[str, int], Found]:
    found = detect(factors, struck(factors, hits))
    flagged = found.alarms if whole else locate(factors, found)
    outcomes, count = recover(factors, found, flagged, several=several, words=found.sums.numel())
    assert int(count) <= found.sums.numel()
    return found.sums[-1].cpu(), dict(zip(OUTCOMES, outcomes.tolist(), strict=True)), found


@CASES
@pytest.mark.parametrize(("several", "count"), [("leave", 3), ("intersect", 14)])
def test_recovery(
    kind: str, left: torch.dtype, block: tuple[int, int, int], several: Several, count: int, device: torch.device
) -> None:
    m, k, n = block
    hits = drawn(-(-K // k), count, seed=count)
    own = checked(kind, left, hits)
    wanted = LbAbft(block=Block(m=m, k=k, n=n), policy=several, retries=0).protect(*own)
    total, outcomes, _ = repaired(on_device(kind, left, block, device), hits, several=several, whole=False)
    assert torch.equal(total.view(BATCH, M, N), wanted.view(BATCH, M, N))
    account = own[1].account
    assert outcomes == {name: getattr(account, name) for name in OUTCOMES}
    assert sum(outcomes.values()) == account.flagged > 0


@KINDS
def test_hits_that_leave_no_trace_in_rows_or_columns(kind: str, device: torch.device) -> None:
    hits = [(0, 0, 3, 4, 99), (0, 0, 3, 6, -98), (0, 0, 4, 4, -99), (1, 1, 2, 2, 7), (2, 1, 2, 2, 9), (0, 1, 2, 8, -7)]
    block, own = (8, 15, 9), checked(kind, torch.int8, hits)
    wanted = LbAbft(block=Block(m=8, k=15, n=9), retries=0).protect(*own)
    total, outcomes, _ = repaired(on_device(kind, torch.int8, block, device), hits, several="intersect", whole=False)
    assert torch.equal(total.view(BATCH, M, N), wanted.view(BATCH, M, N))
    assert outcomes == {name: getattr(own[1].account, name) for name in OUTCOMES}


@pytest.mark.parametrize(("kind", "left"), [("weight", torch.int8), ("activation", torch.uint8)])
@pytest.mark.parametrize("count", [1, 2])
def test_standard_abft(kind: str, left: torch.dtype, count: int, device: torch.device) -> None:
    hits, block = drawn(1, count, seed=count), (M, K, N)
    own = checked(kind, left, hits)
    wanted = StandardAbft().protect(*own)
    total, outcomes, found = repaired(on_device(kind, left, block, device), hits, several="leave", whole=True)
    assert torch.equal(total.view(BATCH, M, N), wanted.view(BATCH, M, N))
    account = own[1].account
    assert int(found.alarms.count) == account.alarms > 0
    assert outcomes == {name: getattr(account, name) for name in OUTCOMES}
