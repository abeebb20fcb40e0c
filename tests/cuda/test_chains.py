"""Chains with flips in them on a device: word for word what the loops of the host and the scalar reference compute."""

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.faults.chains import int_chains
from radhard.faults.device.keys import NONE
from radhard.kernels import cuda as kernels
from radhard.kernels.chains import chains_of_rows
from tests.reference.gemm import gemm


def octets(*shape: int, seed: int, dtype: torch.dtype = torch.int8) -> Tensor:
    limits = (0, 256) if dtype == torch.uint8 else (-128, 128)
    return torch.randint(*limits, shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def draw(units: int, k: int, sums: int, *, flips: int, seed: int, product_bits: int = 16) -> np.ndarray:
    """Distinct keys, ascending: products and sums of some units, many of them in one chain, top bits often."""
    rng = np.random.default_rng(seed)
    unit, t = rng.integers(0, units, flips), rng.integers(0, k, flips)
    of_sum = rng.integers(0, 2, flips) * (sums > 0)
    time = np.where(of_sum == 1, 2 * rng.integers(1, max(sums, 1) + 1, flips) + 1, 2 * t)
    width = np.where(of_sum == 1, 32, product_bits)
    bit = np.where(rng.random(flips) < 0.3, width - 1, rng.integers(0, 64, flips) % width)
    return np.unique(unit << 27 | time << 6 | bit)


def columns(keys: np.ndarray, of_sum: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mine = keys[(keys >> 6 & 1) == of_sum]
    return mine >> 27, (mine >> 7 & 0xFFFFF) - of_sum, mine & 63


def on_host(a: Tensor, b: Tensor, bias: Tensor | None, keys: np.ndarray, *, product_bits: int = 16) -> np.ndarray:
    """Accumulators [m n] of all outputs."""
    (m, k), n = a.shape, len(b)
    unit, total = np.arange(m * n), np.empty((m * n, 1), np.int64)
    added = np.empty(0, np.int64) if bias is None else np.tile(bias.numpy().astype(np.int64), m)
    rows = (a.numpy(), unit // n, b.numpy(), unit % n)
    flips = (columns(keys, 0), columns(keys, 1))
    int_chains(*rows, added, np.array([k]), *flips, (product_bits, 32), 0, m * n, total)
    return total[:, 0]


def scattered(keys: np.ndarray, seed: int) -> Tensor:
    """The keys with none between units, and behind them."""
    rng = np.random.default_rng(seed)
    starts = np.flatnonzero(np.diff(keys >> 27, prepend=-1, append=-1))
    places = rng.choice(starts, 5)
    return torch.from_numpy(np.insert(keys, np.sort(places), NONE))


@pytest.mark.parametrize(
    ("k", "dtype", "biased", "product_bits"),
    [
        (1, torch.int8, True, 16),
        (1, torch.uint8, False, 16),
        (2, torch.uint8, True, 16),
        (127, torch.int8, False, 20),
        (300, torch.uint8, True, 32),
        (16, torch.int8, True, 16),
        (64, torch.uint8, False, 16),
        (80, torch.uint8, True, 17),
        (336, torch.int8, True, 32),
    ],
)
def test_many_flips_in_few_chains(
    k: int, dtype: torch.dtype, biased: bool, product_bits: int, device: torch.device
) -> None:
    m, n = 6, 5
    a, b = octets(m, k, seed=k, dtype=dtype), octets(n, k, seed=k + 1)
    bias = torch.randint(-(2**31), 2**31, (n,), generator=torch.Generator().manual_seed(k)).int() if biased else None
    keys = draw(m * n, k, k - 1 + biased, flips=100, seed=k, product_bits=product_bits)
    out = torch.full((m, n + 3), 77, dtype=torch.int32, device=device)[:, :n]  # rows may lie apart
    chains = chains_of_rows(*(x.to(device) for x in (a, b)), out, bias=None if bias is None else bias.to(device))
    by_words = k % 16 == 0
    assert kernels.reads_words(chains) == by_words
    kernels.flip_chains(chains, scattered(keys, seed=k).to(device), product_bits=product_bits, by_words=by_words)
    hit = np.unique(keys >> 27)
    expected = np.full(m * n, 77)
    expected[hit] = on_host(a, b, bias, keys, product_bits=product_bits)[hit]
    np.testing.assert_array_equal(out.cpu().reshape(-1).numpy(), expected)
    faults = [
        ("add", int(u * (k - 1 + biased) + at), int(bit)) for u, at, bit in zip(*columns(keys, 1), strict=True)
    ] + [("mul", int(u * k + t), int(bit)) for u, t, bit in zip(*columns(keys, 0), strict=True)]
    scalar = gemm(
        [a.tolist()],
        [b.T.tolist()],
        None if bias is None else [bias.tolist()],
        faults,
        product_bits=product_bits,
    )
    np.testing.assert_array_equal(expected[hit], np.array(scalar).reshape(-1)[hit])


def test_one_flip_each_of_words_at_their_extremes(device: torch.device) -> None:
    m, n, k = 40, 3, 48
    a = torch.full((m, 64), 255, dtype=torch.uint8, device="cpu")
    b = torch.tensor([-128, 127, -1], dtype=torch.int8, device="cpu")[:, None].repeat(1, k)
    at = np.arange(m * n)
    keys = at << 27 | np.where(at % 3 == 0, 2 * (at % k), 2 * (1 + at % (k - 1)) + 1) << 6 | at % 16
    out = torch.zeros(m, n, dtype=torch.int32, device=device)
    chains = chains_of_rows(a.to(device)[:, :k], b.to(device), out)
    assert kernels.reads_words(chains)
    kernels.flip_chains(chains, torch.from_numpy(keys).to(device), product_bits=16, by_words=True)
    np.testing.assert_array_equal(out.cpu().reshape(-1).numpy(), on_host(a[:, :k], b, None, keys))
