"""Philox against the published answers and against Python integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radhard.kernels.philox import philox
from tests.reference.philox import philox as reference

WORD = st.integers(0, 2**32 - 1)
ONES = 0xFFFFFFFF

# Random123, tests/kat_vectors: "philox4x32 10", counter, key, result.
PUBLISHED = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES, ONES, ONES, ONES), (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "result"), PUBLISHED)
def test_published_answers(counter: tuple[int, ...], key: tuple[int, ...], result: tuple[int, ...]) -> None:
    assert philox(*counter, *key) == result
    assert reference(counter, key) == result


@given(st.tuples(WORD, WORD, WORD, WORD), st.tuples(WORD, WORD))
def test_equals_python_integers(counter: tuple[int, ...], key: tuple[int, ...]) -> None:
    assert philox(*counter, *key) == reference(counter, key)
