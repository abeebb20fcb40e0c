"""Counts of masked flips: against every flip of small products, one multiplication after the other."""

import numpy as np
import pytest

from radhard.kernels.masked import count_masked
from tests.reference.gemm import gemm

GRIDS = [(0, -128, 127), (0, 0, 255), (-7, -128, 127), (3, 3, 255)]
NONE = np.empty(0, np.int32)


def written(total: int, factor: np.float32, grid: tuple[int, int, int], *, rounds: bool) -> float:
    """float32(total) times the factor; in words rounded half to even, moved and saturated."""
    value = np.float32(np.float32(total) * factor)
    if not rounds:
        return float(value)
    zero, low, high = grid
    return min(max(round(float(value)) + zero, low), high)


def enumerated(
    a: np.ndarray, b: np.ndarray, bias: np.ndarray, factor: np.ndarray, grid: tuple[int, int, int], **how: int
) -> tuple[int, int]:
    """Masked flips of products and of sums: each flip alone in the scalar product."""
    (m, k), n, product_bits = a.shape, b.shape[0], how["product_bits"]
    left, right = [a.tolist()], [b.T.tolist()]
    added = [bias.tolist()] if len(bias) else None
    sums = k if len(bias) else k - 1

    def words(faults: list[tuple[str, int, int]]) -> list[float]:
        (rows,) = gemm(left, right, added, faults, product_bits)
        return [
            written(total, factor[j], grid, rounds=bool(how["rounds"])) for row in rows for j, total in enumerate(row)
        ]

    clean, found = words([]), []
    for kind, operations, width in (("mul", k, how["of_products"]), ("add", sums, how["of_sums"])):
        flips = [(kind, index, bit) for index in range(m * n * operations) for bit in range(width)]
        found.append(sum(words([flip]) == clean for flip in flips))
    return found[0], found[1]


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_those_of_every_flip(seed: int) -> None:
    draw = np.random.default_rng(seed)
    m, k, n = (int(draw.integers(1, limit)) for limit in (3, 7, 3))
    unsigned, biased, rounds = seed % 2 == 1, seed % 3 != 0, seed % 4 != 3
    a = draw.integers(0, 256, (m, k), np.uint8) if unsigned else draw.integers(-128, 128, (m, k), np.int8)
    b = draw.integers(-128, 128, (n, k), np.int8)
    reach = 2**31 - 1 if seed % 5 == 0 else 2**15  # now and then the sum wraps
    bias = draw.integers(-reach, reach, n, np.int32) if biased else NONE
    factor = np.exp(draw.uniform(-9, -2, n)).astype(np.float32)
    grid = GRIDS[seed % len(GRIDS)]
    product_bits = (16, 16, 20, 32)[seed % 4]
    of_products, of_sums = ((product_bits, 32), (8, 24))[seed % 2]
    exposed = np.array([(1 << of_products) - 1, (1 << of_sums) - 1], np.uint32)
    zero, low, high = (np.float32(value) for value in grid)
    found = count_masked(a, np.ascontiguousarray(b.T), bias, factor, zero, low, high, rounds, product_bits, exposed)
    how = {"product_bits": product_bits, "of_products": of_products, "of_sums": of_sums, "rounds": rounds}
    assert found == enumerated(a, b, bias, factor, grid, **how)
    assert min(found) >= 0


def test_counts_are_of_some_flips_and_not_of_all() -> None:
    """One output of two products, 1 x 1 + 1 x 1, times 1/4: the word of 2 is 0 (half to even), as is that of 0 to 2."""
    one, exposed = np.ones((1, 2), np.int8), np.array([0xFFFF, 0xFFFFFFFF], np.uint32)
    quarter = np.array([0.25], np.float32)
    zero, low, high = np.float32(0), np.float32(-128), np.float32(127)
    # a product: bit 0 is 1, and takes 1 away -> 1, masked; bit 1 adds 2 -> 4, a 1. The sum, 2: bit 0 adds 1 -> 3, a 1;
    # bit 1 takes 2 away -> 0, masked
    assert count_masked(one, np.ascontiguousarray(one.T), NONE, quarter, zero, low, high, True, 16, exposed) == (2, 1)
