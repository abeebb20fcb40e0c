"""Recomputes the hit units of an application: gathers inputs, interprets the definition, scatters outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.faults.device.interpreter import BitFlipInterpreterOnDevice, carried
from radhard.faults.device.keys import carry
from radhard.faults.interpreter import BitFlipInterpreter
from radhard.faults.locate import Hits
from radhard.kernels.octets import OCTETS
from radhard.machine import Operator, Rows, Site, UnitInput, Units
from radhard.words import Words

_CHUNK, _CHUNK_ON_DEVICE = 1 << 24, 1 << 26  # elements of gathered unit inputs at a time
_CACHED = 1 << 17  # the same where a unit reads words of its own, which are made for it


@dataclass(frozen=True, kw_only=True, eq=False)
class Application:
    """An operator applied to inputs at a site, and what it yielded: `out`, of which units are written again.

    `counted` [B] int64 is where kernels may add what flips make non-finite, if it fits. `reads`: how many words a unit
    reads that are not among the inputs.
    """

    operator: Operator
    inputs: Sequence[Tensor | None]
    site: Site
    out: Tensor
    counted: Tensor | None = None
    reads: int = 0

    @property
    def images(self) -> int:
        """How many images it serves."""
        axis = self.site.batch_axis
        return 1 if axis is None else self.out.shape[axis] // self.site.rows_per_image

    def count(self, units: Units, index: Tensor, non_finite: Tensor) -> Tensor:
        """Booleans [u, ...] of units `index` [u] -> how many are true of each image [B] int64."""
        whole, mine = self.site.image_units(units.grid)
        found = torch.zeros(self.images, dtype=torch.int64, device=index.device)
        return found.index_add_(0, index % whole // mine, non_finite.reshape(len(index), -1).sum(1))


def read_on_host(x: Application, hits: Hits, words: Words) -> Tensor | None:
    """Write into `x.out` what the hit units yield -> values [B] of each image that flips made non-finite, or None."""
    units = x.operator.units(x.inputs)
    found = None
    for first, last in _chunks(x, units, hits, at_once=_CHUNK):
        index = torch.from_numpy(hits.units[first:last])
        read = [_on_host(one) for one in units.gather(index.to(x.out.device))]
        arithmetic = BitFlipInterpreter(hits.steps(first, last), words, first=x.operator.first_step)
        values = x.operator.definition(arithmetic, *read)
        units.scatter(x.out, index.to(x.out.device), values.to(x.out.device))
        if arithmetic.non_finite is not None and bool(arithmetic.non_finite.any()):
            without = BitFlipInterpreter({}, words)  # what is non_finite without flips, the inner machine has noted
            x.operator.definition(without, *read)
            assert without.non_finite is not None
            more = x.count(units, index, arithmetic.non_finite & ~without.non_finite)
            found = more if found is None else found + more
    return found


def read_on_device(x: Application, hits: Hits, words: Words) -> Tensor | None:
    """The same where `x.out` is, without waiting for it.

    Whether flips make a value non_finite is not known before it is read: what may be so is read twice at once, as a
    second stack of units behind the first, without flips.
    """
    units, device = x.operator.units(x.inputs), x.out.device
    index, flips = carry(hits.units, device), carried(hits, device)
    twice = x.out.dtype in OCTETS
    found = None
    for first, last in _chunks(x, units, hits, at_once=_CHUNK_ON_DEVICE):
        mine, count = index[first:last], last - first
        read = units.gather(torch.cat([mine, mine]) if twice else mine)
        arithmetic = BitFlipInterpreterOnDevice(flips, words, first=x.operator.first_step, units=(first, last))
        values = x.operator.definition(arithmetic, *read)
        units.scatter(x.out, mine, values[:count])
        if twice and arithmetic.non_finite is not None:
            more = x.count(units, mine, arithmetic.non_finite[:count] & ~arithmetic.non_finite[count:])
            found = more if found is None else found + more
    return found


def _chunks(x: Application, units: Units, hits: Hits, *, at_once: int) -> list[tuple[int, int]]:
    width = max(1, sum(one.numel() for one in x.inputs if one is not None) // max(1, units.count))
    chunk = max(1, _CACHED // x.reads if x.reads else at_once // width)
    return [(first, min(first + chunk, len(hits.units))) for first in range(0, len(hits.units), chunk)]


def _on_host(x: UnitInput) -> UnitInput:
    if isinstance(x, Rows):
        if x.matrix.device.type == "cpu":
            return x
        used, index = x.index.unique(return_inverse=True)
        return Rows(x.matrix[used].cpu(), index.cpu())
    return None if x is None else x.cpu()
