"""Applies flips on a device: recomputes the hit units of an application, by kernels or on the host."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from radhard.faults.device.keys import Arrived, carry, hits_of, is_product, keys_of
from radhard.faults.device.striking_proof import Way, wrong
from radhard.faults.device.struck import struck
from radhard.faults.hit_chains import hit_chains
from radhard.faults.locate import Hits
from radhard.faults.reading import Application, read_on_device, read_on_host
from radhard.kernels.chains import Chains, served
from radhard.kernels.on_device import on_device
from radhard.words import Words


def strike(x: Application, arrived: Arrived, words: Words) -> Tensor | None:
    """Write into `x.out` what the flips make of it -> values [B] that they made non-finite; None: none.

    They have been added to `x.counted` if it is what is returned.
    """
    return _strike(on_device(x.out), x, arrived, words, trusted=proven)


def proven(kernels: Any, way: Way, device: torch.device) -> bool:
    """Whether the kernels that strike in this way write on `device` what the host reads: tried once."""

    def proof() -> str:
        return wrong(lambda *given: _strike(kernels, *given, trusted=lambda _, other, __: other == way), device, way)

    said: bool = device.type != "cuda" or kernels.proven(f"strike {way}", device, proof)
    return said


def _strike(
    kernels: Any, x: Application, arrived: Arrived, words: Words, *, trusted: Callable[[Any, Way, torch.device], bool]
) -> Tensor | None:
    chains = () if kernels is None else _chains(x, arrived)
    by_words = bool(chains) and all(map(kernels.reads_words, chains)) and trusted(kernels, "words", x.out.device)
    if by_words or (chains and trusted(kernels, "rows" if chains[0].window is None else "windows", x.out.device)):
        keys = _keys(x, arrived)
        assert keys is not None  # of chains that are served they hold all
        for one in chains:
            kernels.flip_chains(one, keys, product_bits=words.product.bits, by_words=by_words)
        return None
    hits, first = arrived.hits, x.operator.first_step
    if hits is None:
        if arrived.keys is None or (first and is_product(arrived.cost.steps)):  # whose keys are of its first two steps
            return None
        if kernels is not None and (non_finite := _strike_definition(x, arrived)) is not None:
            return non_finite
        hits = hits_of(arrived.keys, arrived.cost)
    if first:
        hits = hits.since(first)
    if not len(hits.units):
        return None
    if kernels is not None and arrived.hits is not None and (non_finite := _strike_definition(x, arrived)) is not None:
        return non_finite
    if kernels is None and not first and hit_chains(x.operator.chains(x.inputs, x.out), hits, words):
        return None
    if kernels is None or not trusted(kernels, "definitions", x.out.device):
        return read_on_host(x, hits, words)
    return read_on_device(x, hits, words)


def _chains(x: Application, arrived: Arrived) -> tuple[Chains, ...]:
    """The chains of 8-bit words that the flips hit, and no other step: else none."""
    chains = x.operator.chains(x.inputs, x.out)
    if not all(served(one) for one in chains) or (arrived.hits is None and arrived.keys is None):
        return ()
    if chains and arrived.hits is not None and _later(arrived.hits) and chains[0].back is not None:
        return ()
    return chains


def _strike_definition(x: Application, arrived: Arrived) -> Tensor | None:
    """What `struck` found non_finite, if it serves the operator."""
    if x.operator.first_step or x.site.part is not None or is_product(arrived.cost.steps):
        return None
    keys = _keys(x, arrived)
    if keys is None:
        return None
    images = x.site.image_units(x.site.batch_grid(arrived.cost.grid, x.images))
    non_finite = x.counted
    if (
        non_finite is None
        or non_finite.device != x.out.device
        or non_finite.stride() != (1,)
        or len(non_finite) != x.images
    ):
        non_finite = torch.zeros(x.images, dtype=torch.int64, device=x.out.device)
    done = struck(x.operator, x.inputs, out=x.out, keys=keys, images=images, non_finite=non_finite)
    return non_finite if done else None


def _keys(x: Application, arrived: Arrived) -> Tensor | None:
    if arrived.keys is not None or arrived.hits is None:
        return arrived.keys
    column = keys_of(arrived.hits, arrived.cost)
    return None if column is None else carry(column, x.out.device)


def _later(hits: Hits) -> bool:
    """Whether a step after products and running sums is hit."""
    return bool(len(hits.step)) and int(hits.step.max()) > 1
