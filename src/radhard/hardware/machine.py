"""The machine with faulty hardware: the inner machine computes; outputs that a fault reaches are recomputed."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.chains import HardwareFaultInterpreter
from radhard.hardware.fault import Column, FaultEffect, HardwareFault, ImageProducts
from radhard.machine import Cost, Machine, MatrixProduct, Operator, Site, Wrapping, read_cost

Copies = Literal["same unit", "other units"]


class FaultyArray(Wrapping):
    """Lets `inner` compute; the integer matrix products of `sites` (None: all) have the hardware `fault`.

    A transient fault hits the image that it names, at each of `sites`. Copies of an operator that redundancy executes
    are hit by a permanent fault if they run on the `same unit`, and by a transient fault never: it hits one execution.
    Checks and repairs of protection run on units of their own, which are sound.
    """

    def __init__(
        self,
        inner: Machine,
        fault: HardwareFault,
        *,
        sites: Collection[str] | None = None,
        copies: Copies = "same unit",
    ) -> None:
        if copies not in get_args(Copies):
            raise InputError(f"copies={copies!r} is not known; choose from {', '.join(get_args(Copies))}")
        super().__init__(inner)
        self.fault = fault
        self.sites = None if sites is None else frozenset(sites)
        self.copies = copies
        self._images = torch.empty(0, dtype=torch.int64)

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Note which images there are. Raises InputError if `sites` names one that the run lacks."""
        check_sites(self.sites, costs)
        super().begin(costs, ids)
        self._images = ids

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output, with the fault in it."""
        out = self.inner.apply(operator, inputs, site)
        if self._reaches(site):
            strike(out, operator, inputs, site, self.fault, images=self._images)
        return out

    def _reaches(self, site: Site) -> bool:
        name = site.of or site.name
        if site.part is not None or (self.sites is not None and name not in self.sites):
            return False
        return not site.of or (self.fault.image is None and self.copies == "same unit")


def strike(
    out: Tensor,
    operator: Operator,
    inputs: Sequence[Tensor | None],
    site: Site,
    fault: HardwareFault,
    *,
    images: Tensor,
) -> None:
    """Recompute in place what `fault` reaches of an operator's output `out`, of a batch of the `images` [B] int64.

    Operators that are no matrix products are sound. InputError for a product of floats.
    """
    cost = read_cost(operator, tuple(inputs), site)
    products = products_of(cost, site)
    if products is None:
        if isinstance(operator, MatrixProduct):
            raise refuse_floats(operator, site)
        return
    units = operator.units(inputs)
    ids = images.cpu().numpy().astype(np.int64)
    effect = _in_batch(fault.effect(products), units.grid, site, image=fault.image, images=ids)
    if len(effect.units):
        index = torch.from_numpy(effect.units)
        units.scatter(out, index, operator.definition(HardwareFaultInterpreter(effect), *units.gather(index)))


def _in_batch(
    effect: FaultEffect, grid: tuple[int, ...], site: Site, *, image: int | None, images: Column
) -> FaultEffect:
    """Effect on one image -> that on the images of the batch that are hit, its units flat in the batch's `grid`."""
    axis = site.batch_axis
    count = 1 if axis is None else grid[axis] // site.rows_per_image
    ids = images if len(images) == count else np.arange(count)
    slots = np.arange(count) if image is None else np.flatnonzero(ids == image)
    own = len(effect.units)

    def each(column: Column | None) -> Column | None:
        return None if column is None else np.tile(column, len(slots))

    reads = each(effect.reads)
    return replace(
        effect,
        units=site.flat(grid, np.repeat(slots, own), np.tile(effect.units, len(slots))),
        upset_flip=each(effect.upset_flip),
        reads=None if reads is None else reads + np.repeat(np.arange(len(slots)) * own, own),
    )


def check_sites(sites: Collection[str] | None, costs: Mapping[Site, Cost]) -> None:
    """Raise InputError if `sites` names one that a program of these costs lacks."""
    if sites is not None and (unknown := sorted(set(sites) - {site.name for site in costs})):
        raise InputError(f"hardware fault at {unknown[0]!r}, which is none of the program's {len(costs)} sites")


def products_of(cost: Cost, site: Site) -> ImageProducts | None:
    """The products of one image that an operator of this cost makes; None if it makes none of int8 words.

    Rows are the last axis of the output but one; where images lie along that one, all axes but the columns'.
    """
    if not cost.steps or (cost.steps[0].kind, cost.steps[0].dtype) != ("mul", torch.int16):
        return None
    *rows, n = cost.grid
    first = 0 if site.batch_axis == len(rows) - 1 else max(0, len(rows) - 1)
    k, additions = cost.steps[0].per_unit, cost.steps[1].per_unit
    return ImageProducts(groups=math.prod(rows[:first]), m=math.prod(rows[first:]), k=k, n=n, terms=additions + 1)


def refuse_floats(operator: Operator, site: Site) -> InputError:
    """The error for a matrix product that is none of words of 8 bits."""
    return InputError(
        f"site {site.name!r}: hardware faults are modelled in products of int8 words, and its {operator.name} "
        "computes in floats: quantise the program (recipe int8), or leave the site out"
    )
