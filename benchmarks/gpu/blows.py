"""The matrix products of a block of ViT-B, and flips of their operations as they show in running sums."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from radhard.faults.faults import Faults
from radhard.faults.sample import draw_all
from radhard.machine import KINDS, Gemm, Operator, Site, read_cost
from radhard.operators import Linear
from radhard.protection import Shape

_AT_ONCE = 1 << 24  # factors that are read at a time


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`count` products an image of this shape."""

    name: str
    count: int
    shape: Shape


KINDS_OF_PRODUCTS = (
    Kind(name="QKV", count=1, shape=Shape(m=197, k=768, n=2304, bias=True)),
    Kind(name="QK^T", count=12, shape=Shape(m=197, k=64, n=197, stored=False)),
    Kind(name="AV", count=12, shape=Shape(m=197, k=197, n=64, stored=False)),
    Kind(name="projection", count=1, shape=Shape(m=197, k=768, n=768, bias=True)),
    Kind(name="FC1", count=1, shape=Shape(m=197, k=768, n=3072, bias=True)),
    Kind(name="FC2", count=1, shape=Shape(m=197, k=3072, n=768, bias=True)),
)
TINY = (
    Kind(name="FC1", count=1, shape=Shape(m=7, k=20, n=9, bias=True)),
    Kind(name="AV", count=2, shape=Shape(m=7, k=9, n=5, stored=False)),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Operands:
    """`a` [g, m, k] int8, `b` [h, n, k] int8 and bias [h, n] int32 or None, on a device; h is 1 or g."""

    a: Tensor
    b: Tensor
    bias: Tensor | None


def operands(kind: Kind, *, batch: int, device: torch.device) -> Operands:
    """Words of all sizes, drawn on the host."""
    draw, shape, g = torch.Generator().manual_seed(13), kind.shape, batch * kind.count
    a = torch.randint(-128, 128, (g, shape.m, shape.k), dtype=torch.int8, generator=draw)
    h = 1 if shape.stored else g
    b = torch.randint(-128, 128, (h, shape.n, shape.k), dtype=torch.int8, generator=draw)
    bias = torch.randint(-9999, 9999, (h, shape.n), dtype=torch.int32, generator=draw) if shape.bias else None
    return Operands(a=a.to(device), b=b.to(device), bias=None if bias is None else bias.to(device))


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Columns [F] int64 of flips: product `g` of the batch, `word` in its output, `term` after which the sum is off.

    `of_sum` says that a running sum is hit and not a product; term k is the bias.
    """

    g: np.ndarray
    word: np.ndarray
    term: np.ndarray
    of_sum: np.ndarray
    bit: np.ndarray

    def first(self, products: int) -> "Drawn":
        """Those of so many products."""
        own = self.g < products
        return Drawn(**{name: column[own] for name, column in vars(self).items()})


@cache
def drawn(kind: Kind, *, images: int, ber: float) -> Drawn:
    """The flips of so many images, by the generator of every campaign."""
    shape = kind.shape
    site = Site(name=kind.name, operator="x", layer="l", module="m", batch_axis=0, rows_per_image=1, blocks=1)
    operator: Operator = Linear() if shape.stored else Gemm()
    a = torch.zeros(1, kind.count, shape.m, shape.k, dtype=torch.int8)
    inputs: tuple[Tensor | None, ...] = (a, torch.zeros(1, kind.count, shape.k, shape.n, dtype=torch.int8))
    if shape.stored:
        weight = torch.zeros(shape.n, shape.k, dtype=torch.int8)
        inputs = (a[:, 0], weight, torch.zeros(shape.n, dtype=torch.int32) if shape.bias else None)
    found = draw_all({site: read_cost(operator, inputs, site)}, Faults(ber=ber), np.arange(images))
    of_sum = found.kind == KINDS.index("add")
    terms = np.where(of_sum, shape.terms - 1, shape.k)
    word, term = np.divmod(found.index, terms)
    product, word = np.divmod(word, shape.m * shape.n)
    return Drawn(g=found.image * kind.count + product, word=word, term=term + of_sum, of_sum=of_sum, bit=found.bit)


@dataclass(frozen=True, kw_only=True, eq=False)
class Blows:
    """What flips do to running sums [q, g, m, n] int32: `lost` [e] int32 is added at flat `places` [e] int64."""

    places: Tensor
    lost: Tensor

    def strike(self, sums: Tensor) -> None:
        """In place."""
        sums.view(-1).index_add_(0, self.places, self.lost)


def blows(flips: Drawn, x: Operands, *, step: int) -> Blows:
    """The flips in slabs of `step` terms: from its own slab on every running sum is off by what the flip changed.

    A flip changes the product or the running sum that it meets, as they are without other flips.
    """
    device, (g, m, k), n = x.a.device, x.a.shape, x.b.shape[1]
    slabs = -(-k // step)
    parts = [(torch.zeros(0, dtype=torch.int64, device=device), torch.zeros(0, dtype=torch.int32, device=device))]
    for part in _parts(flips, k):
        product, word, term, of_sum, bit = (torch.from_numpy(column).to(device) for column in part)
        lost = _changed(x, (product, word // n, word % n), term, of_sum=of_sum, bit=bit)
        slab = term.clamp(max=k - 1) // step
        many = slabs - slab
        which = torch.arange(len(word), device=device).repeat_interleave(many)
        later = torch.arange(len(which), device=device) - (many.cumsum(0) - many)[which]
        parts.append(((((slab[which] + later) * g + product[which]) * m * n + word[which]), lost[which]))
    places, all_lost = (torch.cat(column) for column in zip(*parts, strict=True))
    return Blows(places=places, lost=all_lost)


def _parts(flips: Drawn, k: int) -> Iterator[list[np.ndarray]]:
    """The columns, so many at a time that memory suffices."""
    at_once = max(1, _AT_ONCE // k)
    columns = [flips.g, flips.word, flips.term, flips.of_sum, flips.bit]
    for first in range(0, len(flips.word), at_once):
        yield [column[first : first + at_once] for column in columns]


def _changed(x: Operands, at: tuple[Tensor, Tensor, Tensor], term: Tensor, *, of_sum: Tensor, bit: Tensor) -> Tensor:
    """What each flip [f] adds [f] int32: a product has 16 bits, a running sum 32."""
    g, row, column = at
    h, k = g % len(x.b), x.a.shape[2]
    each = x.a[g, row].to(torch.int32) * x.b[h, column].to(torch.int32)
    steps = torch.arange(k, device=g.device)
    total = (each * (steps <= term[:, None])).sum(1)
    if x.bias is not None:
        total = total + x.bias[h, column] * (term == k)
    own = each.gather(1, term.clamp(max=k - 1)[:, None])[:, 0].to(torch.int64)
    word = torch.where(of_sum, total, own)
    set_already = (word >> bit) & 1
    top = torch.where(of_sum, 31, 15)
    size = torch.where(bit == top, -1, 1) * (torch.ones_like(bit) << bit)
    return ((1 - 2 * set_already) * size).to(torch.int32)
