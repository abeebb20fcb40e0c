"""Looking words up and writing them, against torch on the CPU."""

import pytest
import torch
from torch import Tensor

from radhard.kernels import write
from radhard.kernels.grid import SYMMETRIC, Grid
from tests.cuda.reference import plain

DRAW = torch.Generator().manual_seed(3)


def words(*shape: int, dtype: torch.dtype = torch.int8) -> Tensor:
    return torch.randint(-128, 128, shape, generator=DRAW, dtype=torch.int8).view(dtype)


def numbers(*shape: int, size: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=DRAW) * size


TABLES = {"float32": numbers(256), "int8": words(256), "uint8": words(256, dtype=torch.uint8)}
WORDS = {
    "one row": words(9001),
    "unsigned": words(5, 7, 3, dtype=torch.uint8),
    "heads of a projection": words(3, 5, 3, 32)[:, :, 1].reshape(3, 5, 4, 8).permute(0, 2, 1, 3),
    "part of rows": words(33, 100)[:, 3:90],
    "every other": words(4, 6, 10)[:, :, ::2],
    "permuted": words(4, 5, 6).permute(2, 0, 1),
    "expanded": words(1, 3, 4).expand(2, 3, 4),
    "none": words(0, 3),
    "a single one": words(1)[0],
}
NUMBERS = {
    "one row": numbers(9001, size=300.0),
    "permuted": numbers(4, 5, 6).permute(2, 0, 1),
    "every other": numbers(3, 4, 10)[:, :, ::2],
    "halves": torch.arange(-300, 301) / 2,
    "non_finite": torch.tensor([float("nan"), float("inf"), -float("inf"), 1e38, -3e38, 1e-40]),
    "none": numbers(0, 3),
}
GRIDS = {
    "int8": SYMMETRIC,
    "uint8": Grid(zero=5, low=0, high=255, dtype=torch.uint8),
    "narrow": Grid(zero=-9, low=-100, high=90),
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
@pytest.mark.parametrize("x", WORDS.values(), ids=WORDS.keys())
def test_words_are_looked_up(x: Tensor, table: Tensor, device: torch.device) -> None:
    expected = plain(write.look_up, x, table)
    for entries in (table, table.to(device)):
        moved = x.to(device)
        found = write.look_up(moved, entries)
        assert found.dtype == expected.dtype
        assert torch.equal(found.cpu(), expected)
        assert found.stride() == expected.stride() or moved.stride() != x.stride()


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS.keys())
@pytest.mark.parametrize("factor", [1.0, 1 / 0.0173, 1e3])
@pytest.mark.parametrize("x", NUMBERS.values(), ids=NUMBERS.keys())
def test_numbers_are_written(x: Tensor, factor: float, grid: Grid, device: torch.device) -> None:
    def written(x: Tensor) -> tuple[Tensor, Tensor | None]:
        return write.write_float(x, factor, grid)

    found, non_finite = written(x.to(device))
    expected, _ = plain(written, x)
    assert torch.equal(found.cpu(), expected)
    assert non_finite is not None
    assert torch.equal(non_finite.cpu(), ~(x * factor).isfinite())
    assert torch.equal(write.quantize(x.to(device), factor, grid).cpu(), expected)
