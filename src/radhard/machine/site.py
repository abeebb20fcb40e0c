"""`Site`: one application of an operator: its name, place in the model, and rows per image."""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from radhard.kernels.counts import sum_rows

Column = NDArray[np.int64]
Source = Literal["override", "name", "graph", "disputed", "guess"]
"""What says where a site stands: the user, names, the graph, the graph against a name, or nothing."""
MARKED: frozenset[Source] = frozenset({"disputed", "guess"})
CHECK = "/check/"  # in the name of a site, between the site that is checked and the check
_SURE: tuple[Source, ...] = ("guess", "disputed", "graph", "name", "override")


def least_sure(sources: Iterable[Source]) -> Source:
    """Of the sources of a group that one which leaves most doubt; "name" for none."""
    return min(sources, key=_SURE.index, default="name")


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one application executes of a site whose work depends on the data: a check that only an alarm calls for.

    Each image has `pieces` that may be executed, and every operation of every one of them has an address, executed or
    not. Entry f of the application's first axis is piece `piece[f]` of the image in slot `slot[f]` of the batch,
    columns [F] int64. So a fault depends on the image and the piece, not on what else is executed. `exposed=False` is
    a site that no fault hits.
    """

    slot: Column
    piece: Column
    pieces: int
    exposed: bool = True


@dataclass(frozen=True, kw_only=True)
class Site:
    """One application of an operator, once an image.

    Axis `batch_axis` of its output reads as [blocks, B, c / blocks], c = `rows_per_image`: with one block the rows
    `c i ... c i + c - 1` belong to image i of the batch; [tokens, batch] folded into one axis has a block a token.
    `batch_axis=None` is a site outside any batch: all of it belongs to the one image.
    `layer_source` and `module_source` say where its layer and its module are from. A site that serves another, as a
    check does, is `of` that one: whoever selects that one by its name selects both. With a `part` it executes some of
    its pieces.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> [site.name for site in program.sites if site.operator == "linear"]
    ['0', '2']
    """

    name: str
    operator: str = ""
    layer: str = ""
    module: str = ""
    layer_source: Source = "name"
    module_source: Source = "name"
    batch_axis: int | None = None
    rows_per_image: int = 1
    blocks: int = 1
    of: str = ""
    part: Part | None = None

    @property
    def guessed(self) -> bool:
        """Whether its layer or its module is guessed, or said otherwise by a name than by the graph."""
        return bool(MARKED & {self.layer_source, self.module_source})

    @cached_property
    def key(self) -> int:
        """The 32 bits that stand for the site in the counter of the random numbers: of its name alone."""
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:4], "little")

    def image_grid(self, grid: tuple[int, ...]) -> tuple[int, ...]:
        """Grid of the units of a batch -> grid of the units of one image."""
        if self.batch_axis is None:
            return grid
        return (*grid[: self.batch_axis], self.rows_per_image, *grid[self.batch_axis + 1 :])

    def batch_grid(self, grid: tuple[int, ...], images: int) -> tuple[int, ...]:
        """Grid of the units of one image -> grid of the units of a batch of so many images, or of the part."""
        if self.part is not None:
            return (len(self.part.slot), *grid[1:])
        if self.batch_axis is None:
            return grid
        rows = self.rows_per_image * images
        return (*grid[: self.batch_axis], rows, *grid[self.batch_axis + 1 :])

    def flat(self, grid: tuple[int, ...], slot: Column, unit: Column) -> Column:
        """Batch slot [u] and canonical unit within the image [u] int64 -> flat index [u] into `grid`.

        It is -1 for a unit that the part does not execute.
        """
        if self.part is not None:
            return _placed(self.part, slot, unit, math.prod(grid[1:]))
        if self.batch_axis is None:
            return unit
        whole, mine = self.image_units(grid)
        return unit // mine * whole + slot * mine + unit % mine

    def image_units(self, grid: tuple[int, ...]) -> tuple[int, int]:
        """(whole, mine) of a batch's grid: flat unit u belongs to the image in slot u % whole // mine."""
        if self.batch_axis is None:
            return 1, 1
        inner = math.prod(grid[self.batch_axis + 1 :])
        return grid[self.batch_axis] // self.blocks * inner, self.rows_per_image // self.blocks * inner

    def take(self, x: Tensor, images: Tensor) -> Tensor:
        """The rows of x [..., c B, ...] of `images` [d] int64, places in the batch -> [..., c d, ...].

        The copy lies in memory in the order of x, so that kernels read both alike.
        """
        if self.batch_axis is None:
            return x
        order = sorted(range(x.ndim), key=x.stride, reverse=True)
        axis = order.index(self.batch_axis)
        by_image, places = self._by_image(x.permute(order), axis), images.to(x.device)
        taken = by_image.index_select(axis + 1, places).flatten(axis, axis + 2)
        return taken.permute([order.index(d) for d in range(x.ndim)])

    def put(self, x: Tensor, images: Tensor, rows: Tensor) -> Tensor:
        """A copy of x [..., c B, ...] in which `rows` [..., c d, ...] are those of `images` [d] int64."""
        if self.batch_axis is None:
            return rows
        out, axis = x.clone(), self.batch_axis
        self._by_image(out, axis).index_copy_(axis + 1, images.to(x.device), self._by_image(rows, axis))
        return out

    def _by_image(self, x: Tensor, axis: int) -> Tensor:
        split: Tensor = x.unflatten(axis, (self.blocks, -1, self.rows_per_image // self.blocks))
        return split

    def per_image(self, mask: Tensor) -> Tensor:
        """Boolean [..., c B, ...] of the site's shape -> number of true elements of each image [B] int64.

        Counts of elements, with size 1 along axes that were counted together, are summed alike.
        """
        if self.batch_axis is None:
            return mask.sum().reshape(1)
        rows = mask.movedim(self.batch_axis, 0)
        if self.blocks == 1:
            images = len(rows) // self.rows_per_image
            return sum_rows(rows.reshape(images, self.rows_per_image * math.prod(rows.shape[1:])))
        shape = (self.blocks, len(rows) // self.rows_per_image, self.rows_per_image // self.blocks)
        return rows.reshape(*shape, math.prod(rows.shape[1:])).sum((0, 2, 3))


def _placed(part: Part, slot: Column, unit: Column, inner: int) -> Column:
    """Slot and unit within the image [u], `inner` units a piece -> flat index [u] into the part, or -1."""
    own = part.slot * part.pieces + part.piece
    found: Column = _search(own, np.argsort(own), slot, unit, part.pieces, inner)
    return found


@njit(cache=True, nogil=True)
def place_of(wanted, own, order):  # type: ignore[no-untyped-def]
    """Where a number stands in `own` [F], which `order` sorts; -1 where it does not."""
    low, high = 0, len(own)
    while low < high:
        middle = (low + high) // 2
        if own[order[middle]] < wanted:
            low = middle + 1
        else:
            high = middle
    return order[low] if low < len(own) and own[order[low]] == wanted else -1


@njit(cache=True, nogil=True)
def _search(own, order, slot, unit, pieces, inner):  # type: ignore[no-untyped-def]
    """Numbers `own` [F] of the entries, which `order` sorts -> flat index [u] of each unit, or -1."""
    found = np.empty_like(unit)
    for u in range(len(unit)):
        place = place_of(slot[u] * pieces + unit[u] // inner, own, order)
        found[u] = place * inner + unit[u] % inner if place >= 0 else -1
    return found
