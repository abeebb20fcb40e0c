"""How words lie in a memory and what is read of them, against cells laid out one by one and real codewords."""

import numpy as np
import pytest
import torch

from radhard.errors import InputError
from radhard.hardware import WordArray, WordMemory
from radhard.hardware.memory_code import Ecc
from tests.reference.memory import around, laid_out, read

SHAPES = [
    [(0, 0), (1, 0)],
    [(0, 0), (0, 1)],
    [(0, 0), (-1, 0), (0, -1)],
    [(0, 0), (1, 0), (0, 1), (1, 1), (2, 2)],
    [(0, 0), (70, 3)],
    [(0, 0), (4, 0)],
    [(0, 0), (4, 0), (8, 0)],
]


def memory_of(count: int, dtype: torch.dtype, line: int, interleave: int, ecc: Ecc) -> WordMemory:
    return WordMemory(words=WordArray(dtype=dtype, shape=(count,)), line=line, interleave=interleave, ecc=ecc)


@pytest.mark.parametrize(
    ("count", "dtype", "line", "interleave", "ecc"),
    [
        (29, torch.int8, 8, 1, "none"),
        (29, torch.int8, 8, 4, "none"),
        (5, torch.float32, 4, 2, "none"),
        (3, torch.uint8, 64, 64, "none"),
        (45, torch.int8, 16, 1, "secded"),
        (45, torch.int8, 32, 4, "secded"),
        (7, torch.float32, 4, 2, "secded"),
        (13, torch.bfloat16, 8, 1, "secded"),
        (45, torch.int8, 16, 2, "parity"),
    ],
)
def test_cells_and_reads_are_those_of_the_reference(
    count: int, dtype: torch.dtype, line: int, interleave: int, ecc: Ecc
) -> None:
    memory = memory_of(count, dtype, line, interleave, ecc)
    width = 8 * dtype.itemsize
    per_word = 1 if ecc == "none" else 64 // width
    cells = per_word * width + {"none": 0, "parity": 1, "secded": 8}[ecc]
    assert (memory.per_word, memory.width, memory.count) == (per_word, cells, -(-count // per_word))
    lines = laid_out(memory.count, cells, at_once=line // per_word, interleave=interleave)
    draw = np.random.default_rng(count)
    stored = [int.from_bytes(draw.bytes(width // 8), "little") for _ in range(count)]
    lost, wrong, seen = 0, 0, 0
    for shape in SHAPES:
        for _ in range(12):
            origin = int(draw.integers(memory.count)), int(draw.integers(cells))
            flipped = memory.neighbours(origin, shape)
            assert flipped == around(lines, origin, shape)
            masks = memory.read(flipped)
            assert (masks if masks is None else dict(masks)) == read(stored, width, flipped, ecc)
            lost, wrong, seen = lost + len(shape) - len(flipped), wrong + bool(masks), seen + (masks is None)
    assert lost
    assert wrong
    assert bool(seen) == (ecc != "none")


def test_neighbours_along_a_line_are_bits_of_as_many_words() -> None:
    """By hand: bit b of word w of a group of N lies at column b N + w, and the next line is 64 words further."""
    memory = memory_of(200, torch.int8, 64, 4, "none")
    assert memory.column((5, 3)) == (0, 32 + 3 * 4 + 1)  # the second group, behind 4 words of 8 bits
    assert memory.neighbours((5, 3), [(0, 0), (1, 0), (4, 0), (0, 1)]) == [(5, 3), (6, 3), (5, 4), (69, 3)]
    plain = memory_of(200, torch.int8, 64, 1, "none")
    assert plain.neighbours((5, 7), [(0, 0), (1, 0), (-1, 0), (0, -1)]) == [(5, 7), (6, 0), (5, 6)]
    assert plain.neighbours((199, 7), [(0, 0), (1, 0), (0, 1)]) == [(199, 7)]  # neither wrapped nor on the next line


@pytest.mark.parametrize(
    ("line", "interleave", "ecc", "message"),
    [
        (10, 4, "none", "line=10: a line holds whole groups of 4 words; give a multiple of 4, or another interleave"),
        (16, 4, "secded", "groups of 4 codewords of 8 words; give a multiple of 32"),
        (0, 1, "none", "line=0"),
        (8, 0, "none", "interleave=0: so many words lie bit by bit; give 1 or more"),
    ],
)
def test_a_line_holds_whole_groups(line: int, interleave: int, ecc: Ecc, message: str) -> None:
    with pytest.raises(InputError, match=message):
        memory_of(100, torch.int8, line, interleave, ecc)
