"""The words of the image that a program reads first: where they are stored, and how many there are."""

from collections.abc import Collection

from radhard.errors import InputError
from radhard.hardware.fault_models.seen_words import words_of
from radhard.hardware.word_upset import WordArray
from radhard.program import Program
from radhard.program.input_sites import image_words, quantizing_sites


def image_words_of(program: Program, *, sites: Collection[str] | None = None) -> dict[str, WordArray]:
    """The words of the image by the name of the site that they are of.

    Of an integer program they are those that the image is quantised to; of a float one the float32 pixels, as the
    product loads them that reads them. InputError where the model computes with the pixels first, where several
    products load them, and where the sites are others.
    """
    loads, quantizing, found = image_words(program), quantizing_sites(program), words_of(program)
    if not quantizing and len(loads) > 1:
        raise InputError(
            f"{program.name}: {' and '.join(repr(site.name) for site in loads)} load the image: an upset of a word "
            "would be of all of them, which is not modelled for float32 pixels; quantise the program"
        )
    every = {site.name: found.outputs[site.name] for site in quantizing}
    every = every or {site.name: found.loads[site.name] for site in loads}
    chosen = {name: words for name, words in every.items() if sites is None or name in sites}
    if not chosen:
        raise InputError(f"none of the sites has words of the image; those that have: {', '.join(every)}")
    return chosen
