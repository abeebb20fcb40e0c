"""The schemas of `torch.ops.radhard` are made of signatures: saved models name them, so they stay as they were."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from radhard.kernels.library import schema_of
from radhard.kernels.operands import OPERANDS

_PRODUCT = "int[] grid, ScalarType dtype"
_CHECKED = "str policy, str site, Tensor(a!) events"
_STORED = "Tensor x, Tensor weight, Tensor bias, Tensor columns, Tensor rows, Tensor multiplier"
_SHAPE = "int[] size, int[] stride, int[] padding, int[] dilation, int groups, int pad"
_BLOCKS = "int[] block, str recovery, int retries, bool visible, int width"
SCHEMAS = {
    "linear": f"Tensor x, Tensor weight, Tensor bias, Tensor multiplier, {_PRODUCT}",
    "linear_checked": f"{_STORED}, {_PRODUCT}, {_CHECKED}",
    "conv2d": f"Tensor x, Tensor weight, Tensor bias, Tensor multiplier, {_SHAPE}, {_PRODUCT}",
    "conv2d_checked": f"{_STORED}, {_SHAPE}, {_PRODUCT}, {_CHECKED}",
    "matmul": f"Tensor a, Tensor b, Tensor multiplier, {_PRODUCT}",
    "matmul_checked": f"Tensor a, Tensor b, Tensor multiplier, {_PRODUCT}, {_CHECKED}",
    "patches": f"Tensor x, {_SHAPE}",
    "blocks_checked": "Tensor a, Tensor weight, Tensor bias, Tensor columns, Tensor rows, Tensor sums, "
    f"Tensor weighted, Tensor multiplier, int groups, {_BLOCKS}, {_PRODUCT}, {_CHECKED}",
    "matmul_blocks_checked": f"Tensor a, Tensor b, Tensor multiplier, {_BLOCKS}, {_PRODUCT}, {_CHECKED}",
    "look_up": "Tensor x, Tensor table",
    "look_up_within": "Tensor x, Tensor table, Tensor flagged, int[] clear, float[] bounds, float[] instead, "
    "Tensor(a!) events",
    "write_back": f"Tensor total, Tensor multiplier, {_PRODUCT}",
    "quantize": "Tensor x, float factor, int[] grid, ScalarType? dtype=None",
    "quantize_within": "Tensor x, float factor, int[] grid, float low, float high, str outside, Tensor(a!) events, "
    "ScalarType? dtype=None",
    "within": "Tensor x, float low, float high, str outside, Tensor(a!) events",
    "reread": "Tensor x, int copy",
    "vote": "Tensor a, Tensor b, Tensor c, str policy, str site, Tensor(a!) events, str? by=None",
}
"""What deployed models that are saved already call; `by` of a vote came later, and may be left out."""


@pytest.mark.parametrize("name", SCHEMAS)
def test_saved_models_find_the_operators_that_they_call(name: str) -> None:
    assert str(getattr(torch.ops.radhard, name).default._schema) == f"radhard::{name}({SCHEMAS[name]}) -> Tensor"


def test_every_operator_has_its_operands() -> None:
    assert set(SCHEMAS) == set(OPERANDS)


def test_a_schema_is_made_of_a_signature() -> None:
    def some(x: Tensor, sizes: Sequence[int], of: Tensor | None, dtype: torch.dtype | None = None) -> Tensor:
        raise NotImplementedError

    assert schema_of(some) == "some(Tensor x, int[] sizes, Tensor? of, ScalarType? dtype=None) -> Tensor"
