"""Striking an application: its hit units are written again, by the kernels of its device or read on the host."""

from typing import Any

import torch
from torch import Tensor

from radhard.faults.keys import Arrived, carry, hits_of, is_product, keys_of
from radhard.faults.locate import Hits
from radhard.faults.reading import Application, read_on_device, read_on_host
from radhard.faults.striking_proof import wrong
from radhard.faults.struck import struck
from radhard.ops.chains import served
from radhard.ops.on_device import on_device
from radhard.words import Words


def strike(x: Application, arrived: Arrived, words: Words) -> Tensor | None:
    """Write into `x.out` what the flips make of it -> values [B] that they made non-finite; None: none."""
    kernels = on_device(x.out)
    if kernels is not None and x.out.is_cuda and not proven(kernels, x.out.device):
        kernels = None
    return _strike(kernels, x, arrived, words)


def proven(kernels: Any, device: torch.device) -> bool:
    """Whether the kernels write on `device` what the host reads: tried once."""
    said: bool = kernels.proven("strike", device, lambda: wrong(lambda *given: _strike(kernels, *given), device))
    return said


def _strike(kernels: Any, x: Application, arrived: Arrived, words: Words) -> Tensor | None:
    if kernels is not None and _strike_chains(kernels, x, arrived, words):
        return None
    hits, first = arrived.hits, x.operator.first_step
    if hits is None:
        if arrived.keys is None or (first and is_product(arrived.cost.steps)):  # whose keys are of its first two steps
            return None
        if kernels is not None and (strange := _strike_text(x, arrived)) is not None:
            return strange
        hits = hits_of(arrived.keys, arrived.cost)
    if first:
        hits = hits.since(first)
    if not len(hits.units):
        return None
    if kernels is None:
        return read_on_host(x, hits, words)
    if arrived.hits is not None and (strange := _strike_text(x, arrived)) is not None:
        return strange
    return read_on_device(x, hits, words)


def _strike_chains(kernels: Any, x: Application, arrived: Arrived, words: Words) -> bool:
    """Whether these are chains of 8-bit words, and no other step is hit; then they are struck."""
    chains = x.operator.chains(x.inputs, x.out)
    if not chains or not all(served(one) for one in chains):
        return False
    if arrived.hits is not None and _later(arrived.hits) and chains[0].written is not None:
        return False
    keys = _keys(x, arrived)
    if keys is None:
        return False
    for one in chains:
        kernels.flip_chains(one, keys, product_bits=words.product.bits)
    return True


def _strike_text(x: Application, arrived: Arrived) -> Tensor | None:
    """What `struck` found strange, if it serves the operator."""
    if x.operator.first_step or x.site.part is not None or is_product(arrived.cost.steps):
        return None
    keys = _keys(x, arrived)
    if keys is None:
        return None
    images = x.site.image_units(x.site.batch_grid(arrived.cost.grid, x.images))
    strange = torch.zeros(x.images, dtype=torch.int64, device=x.out.device)
    done = struck(x.operator, x.inputs, out=x.out, keys=keys, images=images, strange=strange)
    return strange if done else None


def _keys(x: Application, arrived: Arrived) -> Tensor | None:
    if arrived.keys is not None or arrived.hits is None:
        return arrived.keys
    column = keys_of(arrived.hits, arrived.cost)
    return None if column is None else carry(column, x.out.device)


def _later(hits: Hits) -> bool:
    """Whether a step after products and running sums is hit."""
    return bool(len(hits.step)) and int(hits.step.max()) > 1
