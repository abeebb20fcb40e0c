"""The proof of the flip kernels on a device: they write what the host computes for the same flips."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from radhard.faults.device.keys import Arrived
from radhard.faults.faults import Faults
from radhard.faults.locate import locate
from radhard.faults.reading import Application, read_on_host
from radhard.faults.sample import draw_all
from radhard.machine import Gemm, Operator, Site, Sum, WriteBack, read_cost
from radhard.operators.conv2d import Conv2d
from radhard.operators.linear import Linear
from radhard.words import Words

_FLIPS = 60  # about so many of each subject: several in many units
_SITE = Site(name="proof")


Way = Literal["rows", "words", "windows", "definitions"]
"""Chains along rows, or rows of words of four octets, or windows of images; and definitions read step by step."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An operator and inputs on the CPU, and which of the ways to strike them it tries."""

    ways: tuple[Way, ...]
    operator: Operator
    inputs: Sequence[Tensor | None]


def wrong(strike: Callable[[Application, Arrived, Words], object], device: torch.device, way: Way | None = None) -> str:
    """Where `strike` does not write on `device`, word for word, what the loops of the host do; empty where it does."""
    tried = [subject for subject in subjects() if way is None or way in subject.ways]
    return "; ".join(found for subject in tried if (found := _wrong(strike, subject, device)))


def subjects() -> Iterator[Subject]:
    """Products of words of both signs and at their extremes, of odd sizes, by rows, groups and windows; float sums."""
    random = torch.Generator().manual_seed(19)

    def octets(*shape: int, dtype: torch.dtype = torch.int8) -> Tensor:
        low, high = (0, 256) if dtype == torch.uint8 else (-128, 128)
        x = torch.randint(low, high, shape, generator=random).to(dtype)
        x[0], x[-1] = low, high - 1
        return x

    bias = torch.randint(-(2**31), 2**31, (5,), generator=random).to(torch.int32)
    scales = torch.rand(5, generator=random) * 1e-4
    written = WriteBack(multiplier=scales, dtype=torch.int8)
    one = WriteBack(multiplier=scales[:1], dtype=torch.float32)
    rows = octets(6, 768, dtype=torch.uint8)
    along: tuple[Way, ...] = ("rows", "words")
    yield Subject(ways=along, operator=Linear(write_back=written), inputs=(rows, octets(5, 768), bias))
    yield Subject(ways=along, operator=Linear(write_back=written), inputs=(octets(6, 768), octets(5, 768), bias))
    yield Subject(ways=("rows",), operator=Linear(), inputs=(octets(6, 197), octets(5, 197), None))
    heads = (octets(2, 3, 4, 64, dtype=torch.uint8), octets(2, 5, 3, 64).transpose(1, 2).mT)
    yield Subject(ways=along, operator=Gemm(write_back=one), inputs=heads)
    windows = Conv2d(stride=(2, 1), padding=(1, 2, 0, 1), dilation=(1, 2), groups=2, pad=3)
    yield Subject(ways=("windows",), operator=windows, inputs=(octets(3, 4, 9, 8), octets(4, 2, 3, 2), bias[:4]))
    numbers, weights = torch.randn(6, 40, generator=random), torch.randn(5, 40, generator=random)
    yield Subject(ways=("definitions",), operator=Linear(), inputs=(numbers, weights, weights[:, 0].clone()))
    yield Subject(ways=("definitions",), operator=Sum(dims=(1,)), inputs=(numbers,))
    yield Subject(ways=("definitions",), operator=Sum(dims=(1,)), inputs=((numbers * 2**30).to(torch.int32),))


def _wrong(strike: Callable[[Application, Arrived, Words], object], subject: Subject, device: torch.device) -> str:
    operator, inputs, words = subject.operator, tuple(subject.inputs), Words()
    cost, ids = read_cost(operator, inputs, _SITE), np.zeros(1, np.int64)
    bits = sum(cost.exposed_bits(kind, words) for kind in ("mul", "add"))
    flips = draw_all({_SITE: cost}, Faults(ber=min(0.5, _FLIPS / bits)), ids)
    hits = locate(flips, cost, _SITE, ids)
    expected = operator.empty(inputs).zero_()
    read_on_host(Application(operator=operator, inputs=inputs, site=_SITE, out=expected), hits, words)
    there = tuple(None if x is None else x.to(device) for x in inputs)
    out = torch.zeros_like(expected, device=device)
    x = Application(operator=moved(operator, device), inputs=there, site=_SITE, out=out)
    given = f"{operator.name} of {[(list(one.shape), str(one.dtype)) for one in inputs if one is not None]}"
    try:
        strike(x, Arrived(cost=cost, hits=hits), words)
        found = out.cpu()
    except Exception as error:  # Triton, its compiler and the driver each raise their own
        return f"{given}: {type(error).__name__}: {str(error)[:500]}"
    apart = (found != expected) & ~((found != found) & (expected != expected))
    return f"{given}: of {len(hits.units)} hit words {int(apart.sum())} differ" if apart.any() else ""


def moved(operator: Operator, device: torch.device) -> Operator:
    """The operator with what its write-back multiplies by on a device."""
    write_back = getattr(operator, "write_back", None)
    if not isinstance(write_back, WriteBack):
        return operator
    return replace(operator, write_back=replace(write_back, multiplier=write_back.multiplier.to(device)))  # type: ignore[type-var]
