"""Striking an application: its hit units are written again, by the kernels of its device or read on the host."""

from typing import Any

from torch import Tensor

from radhard.faults.keys import Arrived, carry, chain_hits, keys_of
from radhard.faults.locate import Hits
from radhard.faults.reading import Application, read_on_device, read_on_host
from radhard.ops.chains import served
from radhard.ops.on_device import on_device
from radhard.words import Words


def strike(x: Application, arrived: Arrived, words: Words) -> Tensor | None:
    """Write into `x.out` what the flips make of it -> values [B] that they made non-finite; None: none."""
    kernels = on_device(x.out)
    if kernels is not None and _strike_chains(kernels, x, arrived, words):
        return None
    hits = arrived.hits
    if hits is None:
        if x.operator.first_step or arrived.keys is None:  # keys alone are of chains, which an earlier step ends
            return None
        hits = chain_hits(arrived.keys)
    if x.operator.first_step:
        hits = hits.since(x.operator.first_step)
    if not len(hits.units):
        return None
    return read_on_host(x, hits, words) if kernels is None else read_on_device(x, hits, words)


def _strike_chains(kernels: Any, x: Application, arrived: Arrived, words: Words) -> bool:
    """Whether these are chains of 8-bit words, and no other step is hit; then they are struck."""
    chains = x.operator.chains(x.inputs, x.out)
    if not chains or not all(served(one) for one in chains):
        return False
    if arrived.hits is not None and _later(arrived.hits) and chains[0].written is not None:
        return False
    keys = arrived.keys
    if keys is None and arrived.hits is not None:
        column = keys_of(arrived.hits, arrived.cost)
        assert column is not None
        keys = carry(column, x.out.device)
    for one in chains:
        kernels.flip_chains(one, keys, product_bits=words.product.bits)
    return True


def _later(hits: Hits) -> bool:
    """Whether a step after products and running sums is hit."""
    return bool(len(hits.step)) and int(hits.step.max()) > 1
