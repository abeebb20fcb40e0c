"""The addresses of upsets: for each image a number below a population, uniform.

It is w3 << 32 | w2 modulo the population, of the words of Philox with the counter

    (image bits 0-31,  key,  0,  stream << 29 | image bits 32-52)

and the key of seed and trial. `key` is a CRC-32 of a text that says what the population is; `stream` is 6 or 7, which
no kind of operation has. So an upset depends on nothing else: not on the batch, the order or the device.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Literal

from radhard.errors import InputError
from radhard.kernels.philox import philox, stream_key

REGISTERS: Literal[6] = 6
WORDS: Literal[7] = 7


def positions(
    population: int, text: str, *, stream: Literal[6, 7], images: Sequence[int], seed: int, trial: int
) -> Iterator[tuple[int, int]]:
    """Each of `images` and its number below `population`. InputError for a number out of range."""
    for image, number, _ in positions_and_rest(population, text, stream=stream, images=images, seed=seed, trial=trial):
        yield image, number


def positions_and_rest(
    population: int, text: str, *, stream: Literal[6, 7], images: Sequence[int], seed: int, trial: int
) -> Iterator[tuple[int, int, int]]:
    """The same, and for each image a number below 2^64, uniform: w1 << 32 | w0, which decides what else is drawn."""
    if not 0 < population < 2**63:
        raise InputError(f"{population:.3g} places of upsets an image: from 1 to 2**63 - 1 have addresses")
    key, of_population = stream_key(seed=seed, trial=trial), zlib.crc32(text.encode())
    for image in images:
        if not 0 <= image < 2**53:
            raise InputError(f"image={image}: give an integer from 0 to 2**53 - 1")
        first, second, low, high = philox(image & 0xFFFFFFFF, of_population, 0, stream << 29 | image >> 32, *key)
        yield image, (int(high) << 32 | int(low)) % population, int(second) << 32 | int(first)
