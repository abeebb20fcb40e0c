"""SECDED and parity against a decoder that looks for the nearest codeword of real data."""

from itertools import combinations

import numpy as np
import pytest

from radhard.hardware.memory_code import read_codeword
from tests.reference.memory import encoded, secded

DRAW = np.random.default_rng(7)
DATA_BITS = DRAW.integers(0, 2, 64).tolist()
STORED = encoded(DATA_BITS)


def as_read(flips: tuple[int, ...]) -> frozenset[int] | None:
    """The data bits that the reference gives wrong; None: detected."""
    given = secded([bit ^ (place in flips) for place, bit in enumerate(STORED)])
    return None if given is None else frozenset(i for i in range(64) if given[i] != DATA_BITS[i])


def of_data(found: frozenset[int] | None) -> frozenset[int] | None:
    return None if found is None else frozenset(bit for bit in found if bit < 64)


def test_every_flip_of_one_bit_is_corrected_and_of_two_detected() -> None:
    assert read_codeword([], "secded") == frozenset()
    for bit in range(72):
        assert read_codeword([bit], "secded") == frozenset()
    assert as_read((3,)) == as_read((71,)) == frozenset()
    for pair in combinations(range(72), 2):
        assert read_codeword(pair, "secded") is None
    assert as_read((3, 4)) is as_read((63, 71)) is None


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_more_flips_are_what_the_nearest_codeword_says(count: int) -> None:
    kinds = set()
    for _ in range(150):
        flips = tuple(DRAW.choice(72, count, replace=False).tolist())
        found = of_data(read_codeword(flips, "secded"))
        assert found == as_read(flips)
        kinds.add(found is None)
    neighbours = [tuple(range(first, first + count)) for first in range(0, 73 - count, 5)]
    assert all(of_data(read_codeword(flips, "secded")) == as_read(flips) for flips in neighbours)
    assert (False in kinds) == (count % 2 == 1) or kinds == {True, False}


def test_three_flips_are_often_miscorrected_to_four() -> None:
    found = read_codeword([0, 1, 2], "secded")  # positions 3, 5, 6: their XOR is 0, the parity of all
    assert found == {0, 1, 2, 71}
    found = read_codeword([0, 1, 3], "secded")  # 3, 5, 7: their XOR is 1, the first check bit
    assert found == {0, 1, 3, 64}
    found = read_codeword([1, 2, 4], "secded")  # 5, 6, 9: their XOR is 10, data bit 5
    assert found == {1, 2, 4, 5}


def test_a_parity_bit_sees_an_odd_number_of_flips() -> None:
    for count in range(1, 6):
        flips = DRAW.choice(65, count, replace=False).tolist()
        assert read_codeword(flips, "parity") == (None if count % 2 else frozenset(flips))
