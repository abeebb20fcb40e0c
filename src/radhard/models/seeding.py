"""Seeded initialisation of weights, for libraries that use torch's global generator."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def drawn_from(generator: torch.Generator) -> Iterator[None]:
    """Within it, what would draw from torch's global CPU generator draws from `generator`.

    Constructors of `nn.Module` take no generator, so its state is lent to the global one for their duration;
    the global one is then as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(generator.get_state())
        yield
        generator.set_state(torch.default_generator.get_state())
