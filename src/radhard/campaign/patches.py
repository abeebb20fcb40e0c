"""Patches of the image as components: faults in the words of one patch only, and the default grid.

The paper protects one patch of the input at a time (Section III-E) and leaves open where the faults are. Its words are
one reading: nothing else is exposed. The other is that all operations are, and those of a patch are protected.
"""

import glob

from radhard.errors import InputError
from radhard.faults import Where
from radhard.machine import Kind
from radhard.program import Program, image_words, token_grid

MOST_PATCHES = 256
"""More are not taken unasked: each is a run of its own, and its share of the faults is too small to be seen."""

LOADS: frozenset[Kind] = frozenset({"load"})


def words_of_image(program: Program) -> Where:
    """Where faults of the kind LOADS hit the words of the input image. InputError if the program reads none."""
    return Where(sites=tuple(glob.escape(site.name) for site in image_words(program)))


def grid_of(program: Program) -> tuple[int, int]:
    """Rows and columns of the patches that a transformer makes tokens of. InputError where there is no such grid."""
    grid = token_grid(program)
    height, width = program.input_shape[-2:]
    if grid is None:
        raise InputError(
            f"{program.name} has no tokens that say how to cut its images of {height} x {width} pixels into patches: "
            "give --grid, such as 7x7 (the paper takes patches of 16 x 16 pixels)"
        )
    if grid[0] * grid[1] > MOST_PATCHES:
        raise InputError(
            f"the tokens of {program.name} make {grid[0]} x {grid[1]} patches, and each is a run of its own: give "
            "--grid, such as 14x14, or this one if you mean it"
        )
    return grid
