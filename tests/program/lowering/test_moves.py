"""Data moves on int8 words: what they give is what they would give on the numbers that the words stand for."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from radhard.program import capture, run
from radhard.program.lowering.moves import MOVES, words_of
from tests.support.models import images

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.ao.quantization.fx import _decomposed  # noqa: F401  (registers the operations)

SCALE = 0.02
TRIED: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "pad": lambda x: functional.pad(x, (1, 0, 2, 1)),
    "pad with a number": lambda x: functional.pad(x, (1, 0, 2, 1), value=0.5),
    "pad by reflection": lambda x: functional.pad(x, (1, 0, 2, 1), mode="reflect"),
    "unfold": lambda x: functional.unfold(x, 3, padding=1),
    "max pool": lambda x: functional.max_pool2d(x, 3, 2, 1),
    "nearest": lambda x: functional.interpolate(x, scale_factor=2),
    "permute": lambda x: x.transpose(2, 3),
    "absolute": torch.abs,
}
OF_ZERO = {"relu", "pad", "pad by reflection", "unfold"}
OF_NUMBERS = {"pad with a number", "absolute"}


class Words(nn.Module):
    """What is tried, on int8 words with a scale and a zero point; its result is doubled."""

    def __init__(self, tried: Callable[[Tensor], Tensor], zero: int) -> None:
        super().__init__()
        self.tried, self.zero = tried, zero

    def forward(self, x: Tensor) -> Tensor:
        kind, words = (SCALE, self.zero, -128, 127, torch.int8), torch.ops.quantized_decomposed
        x = words.dequantize_per_tensor.default(words.quantize_per_tensor.default(x, *kind), *kind)
        return 2.0 * self.tried(x)


@pytest.mark.parametrize("zero", [0, 30])
@pytest.mark.parametrize("name", TRIED)
def test_a_move_of_words_is_a_move_of_numbers(name: str, zero: int) -> None:
    model, x = Words(TRIED[name], zero).eval(), images(4)
    program = capture(model, images(1))
    torch.testing.assert_close(run(program, x).logits, model(x), rtol=1e-6, atol=1e-6)
    in_numbers = name in OF_NUMBERS or (name in OF_ZERO and zero != 0)
    operators = [site.operator for site in program.sites]
    assert operators == (["quantize", "dequantize", "mul"] if in_numbers else ["quantize", "mul"])


def test_a_padding_says_which_words_it_takes() -> None:
    aten = torch.ops.aten
    assert words_of(aten.pad.default, ("x", [1, 1])) == "zero"
    assert words_of(aten.pad.default, ("x", [1, 1], "constant", 0.0)) == "zero"
    assert words_of(aten.pad.default, ("x", [1, 1], "constant", 1.0)) == "plain"
    assert words_of(aten.pad.default, ("x", [1, 1]), mode="reflect") == "zero"
    assert words_of(aten.pad.default, ("x", [1, 1]), value=1.0) == "plain"


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8], ids=str)
@pytest.mark.parametrize(
    "given",
    [([3, 3], [2, 2], [1, 1]), ([2], [], [0]), ([3, 2], [1, 3], [1, 0], [2, 1]), ([3], [2], [1], [1], True), ([1, 5],)],
    ids=str,
)
def test_pooling_of_words_is_that_of_numbers(given: tuple[list[int], ...], dtype: torch.dtype) -> None:
    low = torch.iinfo(dtype).min
    x = torch.randint(low, low + 256, (2, 3, 11, 13), generator=torch.Generator().manual_seed(0)).to(dtype)
    x[0, 0] = low
    pool = MOVES[torch.ops.aten.max_pool2d.default].function
    expected = torch.ops.aten.max_pool2d.default(x.double(), *given).to(dtype)
    found = pool(x, *given)
    assert found.dtype == dtype
    assert torch.equal(found, expected)
