"""The flip sampler: which bits of a population flip up to a rate; exactly binomial, nested over rates.

Every bit of a stream (one image, site and kind) has a time, uniform in [0, 1]: the lowest rate at which it
flips. The times in ascending order are t_0 < t_1 < ... By Renyi's representation (*On the theory of order
statistics*, 1953), for a population of N bits,

    -log(1 - t_k) = E_0 / N + E_1 / (N-1) + ... + E_k / (N-k),    E_j = -log(U_j),    U_j uniform in (0, 1].

The bits with t_k <= rate flip. Their positions are the first entries of a Fisher-Yates shuffle of the
population (the swap of step k is drawn for arrival k), of which only the entries that moved are kept. So
arrival k depends on its stream and k alone, and flips at a lower rate are a subset of those at a higher one.

Draw j of a stream is one call of Philox with the counter

    (image bits 0-31,  site,  j bits 0-31,  kind << 29 | j bits 32-39 << 21 | image bits 32-52)

and the key of `stream_key`. Words 0 and 1 give U_j = (v + 1) / 2^53, v the high 53 bits of
word 1 << 32 | word 0; words 2 and 3 give the swap j + (word 3 << 32 | word 2) mod (N-j), uniform to within
N / 2^64. An arrival thus costs one call of Philox and at most 90 bytes, whatever the population.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from radhard.errors import InputError
from radhard.faults.room import check_room
from radhard.kernels.philox import philox, stream_key

_LIMITS = {"image": 2**53, "site": 2**32, "kind": 2**3, "population": 2**50 + 1}
_WHOLE = 7  # the kind of a stream over all sites and kinds
_WORTH_A_THREAD = 100_000  # draws, some 5 milliseconds


@dataclass(frozen=True, kw_only=True, eq=False)
class FlipTimes:
    """`stream` [F] int64 ascending, `position` [F] int64, `time` [F] float64 ascending within a stream."""

    stream: NDArray[np.int64]
    position: NDArray[np.int64]
    time: NDArray[np.float64]


def flip_times(
    *,
    seed: int,
    trial: int,
    image: NDArray[np.int64],
    site: NDArray[np.int64],
    kind: NDArray[np.int64],
    population: NDArray[np.int64],
    rate: float,
) -> FlipTimes:
    """`image`, `site`, `kind`, `population` [S] int64 -> the flips of S streams up to `rate` per bit.

    `population` counts exposed bits, at most 2^50 a stream. Draws on as many threads as torch may use (plain
    threads: unlike numba's own pool they may run beside each other and be forked); the result does not depend
    on how many. Raises InputError for a value out of range, naming it and its place.
    """
    if not 0.0 <= rate <= 1.0:
        raise InputError(f"rate={rate}: a probability per bit lies between 0 and 1")
    named = {"image": image, "site": site, "kind": kind, "population": population}
    streams = [_checked(name, values, len(image)) for name, values in named.items()]
    key = stream_key(seed=seed, trial=trial)
    total = len(image) + float(population.sum(dtype=np.float64)) * rate  # draws; the last of a stream only ends it
    check_room(total - len(image), rate=rate)
    threshold = -math.log1p(-rate) if rate < 1.0 else math.inf
    if rate == 0.0:
        threshold = -1.0
    parts = min(torch.get_num_threads(), 1 + int(total / _WORTH_A_THREAD))

    def drawn(block: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        columns = [column[block[0] : block[1]] for column in streams]
        room = 64 + int(1.1 * (columns[-1] * rate).sum())
        found: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
        found = draw(*columns, *key, threshold, room)
        return found

    if parts == 1:
        counts, position, time = drawn((0, len(image)))
    else:
        cuts = np.searchsorted(np.cumsum(1.0 + population * rate), total * np.arange(1, parts) / parts)
        blocks = list(zip([0, *cuts], [*cuts, len(image)], strict=True))
        with ThreadPoolExecutor(parts) as pool:
            counts, position, time = (np.concatenate(part) for part in zip(*pool.map(drawn, blocks), strict=True))
    return FlipTimes(stream=np.repeat(np.arange(len(counts)), counts), position=position, time=time)


def first_positions(
    *, seed: int, trial: int, image: NDArray[np.int64], site: int, population: int, count: int
) -> NDArray[np.int64]:
    """`image` [S] int64 -> positions [S, count] int64 of `count` distinct bits out of `population`, for each image.

    They are the first entries of a shuffle of the whole population, so that fewer are the first of more. The stream of
    an image has kind 7, which no operation has, and as `site` a number below 2^32 that stands for the population: two
    populations of one size are shuffled independently. InputError for a value out of range.
    """
    each = np.ones(len(image), dtype=np.int64)
    streams = {"image": image, "site": site * each, "population": population * each}
    images, sites, populations = (_checked(name, values, len(image)) for name, values in streams.items())
    if not 0 < count <= population:
        raise InputError(f"count={count}: give a number of bits from 1 to all {population} of them")
    check_room(float(count) * len(images), rate=count / population)
    found: NDArray[np.int64] = _first(images, sites, populations, *stream_key(seed=seed, trial=trial), count)
    return found


def _checked(name: str, values: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    if values.dtype != np.int64 or values.shape != (length,):
        raise InputError(f"{name} has dtype {values.dtype}, shape {values.shape}; int64 [{length}] is needed")
    values = np.ascontiguousarray(values)
    if length and int(values.view(np.uint64).max()) >= _LIMITS[name]:  # negative ones among them
        at = int(((values < 0) | (values >= _LIMITS[name])).argmax())
        raise InputError(f"{name}[{at}]={values[at]}: give an integer from 0 to {_LIMITS[name] - 1}")
    return values


@njit(cache=True, nogil=True)
def draw(image, site, kind, population, key_0, key_1, threshold, room):  # type: ignore[no-untyped-def]
    """Streams [S] -> flip_times of each [S], positions [F], times [F], one stream after the other."""
    counts = np.zeros(len(image), dtype=np.int64)
    position = np.empty(room, dtype=np.int64)
    time = np.empty(room, dtype=np.float64)
    keys = np.empty(1, dtype=np.int64)
    entries = np.empty(1, dtype=np.int64)
    start = 0
    for stream in range(len(image)):
        low, high = image[stream] & 0xFFFFFFFF, kind[stream] << 29 | image[stream] >> 32
        size = population[stream]
        end, exponential = start, 0.0
        for draw in range(size):
            packed = high | (draw >> 32) << 21
            w0, w1, w2, w3 = philox(low, site[stream], draw & 0xFFFFFFFF, packed, key_0, key_1)
            uniform = ((w1 << np.uint64(32) | w0) >> np.uint64(11)) + np.uint64(1)
            exponential -= math.log(np.float64(uniform) * 2.0**-53) / (size - draw)
            if exponential > threshold:
                break
            if end == len(time):
                position = np.concatenate((position, np.empty_like(position)))
                time = np.concatenate((time, np.empty_like(time)))
            time[end] = -math.expm1(-exponential)
            position[end] = draw + np.int64((w3 << np.uint64(32) | w2) % np.uint64(size - draw))
            end += 1
        if end - start > 1:
            bits = _table_bits(end - start)
            if len(keys) < 1 << bits:
                keys = np.empty(1 << bits, dtype=np.int64)
                entries = np.empty(1 << bits, dtype=np.int64)
            _shuffle(position[start:end], keys[: 1 << bits], entries, np.uint64(64 - bits))
        counts[stream] = end - start
        start = end
    return counts, position[:start], time[:start]


@njit(cache=True, nogil=True)
def _first(image, site, population, key_0, key_1, count):  # type: ignore[no-untyped-def]
    """Images [S] -> the first `count` entries [S, count] of the shuffle of each one's population."""
    position = np.empty((len(image), count), dtype=np.int64)
    bits = _table_bits(count)
    keys = np.empty(1 << bits, dtype=np.int64)
    entries = np.empty(1 << bits, dtype=np.int64)
    for stream in range(len(image)):
        low, high = image[stream] & 0xFFFFFFFF, _WHOLE << 29 | image[stream] >> 32
        for draw in range(count):
            packed = high | (draw >> 32) << 21
            _, _, w2, w3 = philox(low, site[stream], draw & 0xFFFFFFFF, packed, key_0, key_1)
            size = population[stream] - draw
            position[stream, draw] = draw + np.int64((w3 << np.uint64(32) | w2) % np.uint64(size))
        _shuffle(position[stream], keys, entries, np.uint64(64 - bits))
    return position


@njit(cache=True, nogil=True)
def _table_bits(count):  # type: ignore[no-untyped-def]
    """Bits of a hash table that `count` entries leave at least half empty."""
    bits = 2
    while 1 << bits < 2 * count:
        bits += 1
    return bits


@njit(cache=True, nogil=True)
def _shuffle(swaps, keys, entries, shift):  # type: ignore[no-untyped-def]
    """Swap partners [F], k <= swaps[k] < N -> in place, the first F entries of the shuffled 0, 1, 2 ... N-1.

    `keys` and `entries` are a hash table with linear probing of the entries that moved; absent ones did not.
    """
    keys[:] = -1
    for k in range(len(swaps)):
        partner = swaps[k]
        slot = _slot(partner, keys, shift)
        swaps[k] = entries[slot] if keys[slot] == partner else partner
        if partner != k:
            own = _slot(k, keys, shift)
            entries[slot] = entries[own] if keys[own] == k else k
            keys[slot] = partner


@njit(cache=True, nogil=True)
def _slot(key, keys, shift):  # type: ignore[no-untyped-def]
    """Where `key` is in the table, or the empty slot where it belongs."""
    slot = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> shift)
    while keys[slot] != key and keys[slot] != -1:
        slot = (slot + 1) & (len(keys) - 1)
    return slot
