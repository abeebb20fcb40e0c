"""The sites that read the words of the input image, and the model's grid of patches."""

from collections.abc import Iterator

import numpy as np

from radhard.errors import InputError
from radhard.machine import Load, Site
from radhard.operators import Identity, Quantized
from radhard.program.lowering.moves import OF_SIZES
from radhard.program.program import Apply, Program, refs

ATTENTION = "MHA-LF"
"""The module of the linear functions of attention: what it reads first are the tokens."""

_OF_SIZES = frozenset(map(str, OF_SIZES))


def image_words(program: Program) -> tuple[Site, ...]:
    """The sites at which words of the image itself are read from memory, quantised perhaps but not computed.

    Raises InputError if there are none: then the model computes with its pixels before any product reads them.
    """
    found = [step.site for step in _readers(program) if isinstance(step.operator, Load)]
    if not found:
        raise InputError(
            f"{program.name} reads no word of the image from memory: it computes with the pixels first. Normalise the "
            "images outside the model (--mean, --std)"
        )
    return tuple(found)


def quantizing_sites(program: Program) -> tuple[Site, ...]:
    """The sites at which the pixels of the image are quantised: none in a float program."""
    return tuple(
        step.site
        for step in _readers(program)
        if isinstance(step.operator, Quantized) and _copies(step) and step.operator.reads[0] is None
    )


def _readers(program: Program) -> Iterator[Apply]:
    """The operators that read words of the image itself, quantised perhaps but not computed."""
    of_image = {program.input}
    for step in program.steps:
        if not {ref.number for ref in refs(step)} & of_image:
            continue
        if isinstance(step, Apply):
            yield step
            if _copies(step):
                of_image.add(step.out)
        elif step.name not in _OF_SIZES:
            of_image.add(step.out)


def _copies(step: Apply) -> bool:
    return isinstance(step.operator, Quantized) and isinstance(step.operator.inner, Identity)


def token_grid(program: Program) -> tuple[int, int] | None:
    """Rows and columns of the patches that a transformer makes tokens of; None for a model without attention."""
    first = next((site for site in program.sites if site.module == ATTENTION), None)
    if first is None:
        return None
    places = program.places()[first]
    y, x = (np.unique(high[high > 0] + 1 - low[high > 0]) for high, low in (places[:2], places[2:]))
    return len(y), len(x)
