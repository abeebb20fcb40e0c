"""The arithmetic of checks: integer sums and dot products on the application's machine, counted per site.

Detection wraps at 32 bits, as accumulators do; location, after a mismatch, has 64. Either way the words are integers:
without a fault both sides of a check are equal, and no tolerance is needed.

A check is applied to entries that run along the first axis of its tensors; an entry is a piece of an image's
application (a product, a block, a word), and its number among all such pieces addresses the faults of its operations
(`Part`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from radhard.kernels.events import Events
from radhard.machine import (
    CHECK,
    Add,
    Arithmetic,
    Load,
    NoteNonFinite,
    Operator,
    Part,
    Site,
    Sum,
    UnitInput,
    Units,
    read_cost,
)
from radhard.machine.operator import unravel
from radhard.machine.primitives import tensors
from radhard.machine.site import Column
from radhard.protection.abft.account import Account
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checksum_cache import ChecksumCache
from radhard.protection.abft.entries import Entries
from radhard.protection.abft.gather import dots
from radhard.protection.abft.struck import HitUnits, ReadUnits, cost_of
from radhard.protection.cost.operations import Operations
from radhard.protection.cost.shape import pieces


@dataclass(frozen=True, kw_only=True)
class Dot(Operator):
    """x [..., r, w], y [..., c, w] integers of one type -> their dot products [..., r, c], which wrap."""

    name: ClassVar[str] = "dot"

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """[..., r, c]."""
        x, y = tensors(inputs)
        return torch.empty(*x.shape[:-1], y.shape[-2], dtype=x.dtype, device=x.device)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """One output."""
        x, y = tensors(inputs)
        shape = (*x.shape[:-1], y.shape[-2])

        def gather(index: Tensor) -> tuple[UnitInput, ...]:
            *group, row, column = unravel(index, shape)
            return x[(*group, row)], y[(*group, column)]

        def scatter(out: Tensor, index: Tensor, values: Tensor) -> None:
            out.view(-1)[index] = values

        return Units(shape, gather, scatter)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """w multiplications, w - 1 additions."""
        x, y = tensors(inputs)
        return m.sum(m.mul(x, y))[:, 0]

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """torch's product of floats; of integers, for which torch has no fast one, a compiled loop on the host."""
        del note
        x, y = tensors(inputs)
        if x.is_floating_point():
            return x @ y.mT
        if x.device.type == "cpu":
            return dots(x, y)
        return (x[..., :, None, :] * y[..., None, :, :]).sum(-1, dtype=x.dtype)


CheckKind = Literal["sum", "dot", "minus", "plus"]
_OPERATORS: dict[CheckKind, Operator] = {
    "sum": Sum(dims=(1,)),
    "dot": Dot(),
    "minus": Add(sign=-1),
    "plus": Add(),
}
Change = tuple[Column, Column]  # entries [u] int64, flat, and what is added to them [u]
NOTHING: Change = (np.empty(0, np.int64), np.empty(0, np.int64))


class Checks:
    """The checks of one application, on its machine; they keep the account.

    `exposed`: faults reach them. `stored` is what is kept of weights from run to run.
    """

    def __init__(self, application: ProtectedApplication, *, exposed: bool, stored: ChecksumCache) -> None:
        self.application = application
        self.exposed = exposed
        self.stored = stored
        self._events = Events()
        self._executed = {"mul": 0, "add": 0, "cmp": 0}
        self._hidden = Operations()

    @property
    def account(self) -> Account:
        """All of it so far."""
        return Account(executed=Operations(**self._executed), hidden=self._hidden, **vars(self._events))

    def apply(self, name: str, operator: Operator, inputs: Sequence[Tensor], entries: Entries) -> Tensor:
        """The operator's output at the site `<site>/check/<name>`; what it costs goes to the account."""
        site = self._site(name, entries)
        cost = read_cost(operator, tuple(inputs), site)
        self.count(mul=cost.operations("mul"), add=cost.operations("add"))
        return self.application.machine.apply(operator, inputs, site)

    def _site(self, name: str, entries: Entries) -> Site:
        host = self.application.site
        return Site(
            name=f"{host.name}{CHECK}{name}",
            operator=host.operator,
            layer=host.layer,
            module=host.module,
            layer_source=host.layer_source,
            module_source=host.module_source,
            of=host.name,
            part=Part(slot=entries.slot, piece=entries.piece, pieces=entries.pieces, exposed=self.exposed),
        )

    def struck(
        self,
        name: str,
        kind: CheckKind,
        read: ReadUnits,
        entries: Entries,
        *,
        grid: tuple[int, ...] = (),
        width: int = 1,
        dtype: torch.dtype = torch.int64,
    ) -> Change:
        """What faults add to the results [f, *grid] of a check of sound words, without computing the others.

        It is `apply` of sums or dot products of `width` terms, or of one addition: counted alike. -> the
        entries [u] int64, flat, that are hit, and what they have too much. A sum of one term is no operation.
        """
        if kind == "sum" and width == 1:
            return NOTHING
        units = len(entries) * math.prod(grid)
        self.count(
            mul=units * width if kind == "dot" else 0,
            add=units * (width - 1) if kind in ("sum", "dot") else units,
        )
        if not self.exposed or not units:
            return NOTHING
        struck = HitUnits(whole=_OPERATORS[kind], grid=(len(entries), *grid), dtype=dtype, read=read)
        cost = cost_of(kind, entries.pieces, grid, width, dtype)
        self.application.machine.strike(struck, site=self._site(name, entries), cost=cost)
        if len(struck.found) == 1:
            return struck.found[0]
        index, delta = zip(NOTHING, *struck.found, strict=True)
        return np.concatenate(index), np.concatenate(delta)

    def loaded(self, name: str, words: Tensor) -> Tensor:
        """Words [...] in the layout of the output, at `<site>/check/<name>`: exposed like words in memory."""
        host = self.application
        return host.machine.apply(Load(), (words,), host.beside(name)) if self.exposed else words

    def copy(self, number: int, *, images: int | None = None) -> Tensor:
        """The operator once more, at the site `<site>/check/copy<number>`, with faults of its own.

        Its operations are those of so many images, default all: others need no copy, and nobody reads theirs.
        """
        host = self.application
        site = host.beside(f"copy{number}")
        cost = read_cost(host.operator, host.inputs, site)
        if images is None:
            images = host.operator.units(host.inputs).count // max(cost.units, 1)
        self.count(mul=images * cost.operations("mul"), add=images * cost.operations("add"))
        return host.machine.apply(host.repeated, host.inputs, site)

    def count(self, *, mul: int = 0, add: int = 0, cmp: int = 0) -> None:
        """So many operations more."""
        self._executed["mul"] += mul
        self._executed["add"] += add
        self._executed["cmp"] += cmp

    def note(self, happened: Events) -> None:
        """Events more."""
        self._events += happened

    def hide(self, share: float, *, images: int) -> None:
        """Suppose this share of what was executed so far for `images` to be free: whole operations of each image."""
        hidden = {name: images * math.floor(share * (n / images)) for name, n in self._executed.items()}
        self._hidden += Operations(**hidden)
        self.count(**{name: -n for name, n in hidden.items()})

    def differ(self, x: Tensor, y: Tensor | int) -> Tensor:
        """x [...], y [...] -> where they differ; one comparison each, which no fault hits."""
        self.count(cmp=x.numel())
        return x != y

    def sums(self, name: str, x: Tensor, *, dim: int, step: int, entries: Entries) -> Tensor:
        """x [f, ...] -> sums of every `step` entries along `dim`, the last of the rest: the axis gets so short."""
        parts = []
        for first, count, width in pieces(x.shape[dim], step):
            part = x.narrow(dim, first, count * width).unflatten(dim, (count, width))
            if width == 1:
                parts.append(part.squeeze(dim + 1))
                continue
            label = name if width == step else f"{name}/rest"
            parts.append(self.apply(label, Sum(dims=(dim + 1,)), (part,), entries).squeeze(dim + 1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim)

    def minus(self, name: str, x: Tensor, y: Tensor, entries: Entries) -> Tensor:
        """x [f, ...] - y [f, ...], which wraps."""
        return self.apply(name, Add(sign=-1), (x, y), entries)
