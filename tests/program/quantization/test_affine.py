"""What int8 words stand for: the bias that an accumulator is given, by sums of integers written out."""

import pytest
import torch
from torch import Tensor, nn

from radhard.errors import CaptureError
from radhard.machine import Grid
from radhard.operators import Affine
from radhard.program import RECIPES, IntegerRecipe, capture, quantize, run
from radhard.program.quantization.affine import stored_weight


def int8s(*shape: int, seed: int) -> Tensor:
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))


def reading(scale: float = 1.0, *, zero: int = 0) -> Affine:
    return Affine(scale=scale, grid=Grid(zero=zero))


@pytest.mark.parametrize("bias", [None, [0.75, -1.25, 0.0]])
@pytest.mark.parametrize("zero", [-128, -3, 0, 90])
def test_the_chain_of_words_is_the_chain_of_numbers(zero: int, bias: list[float] | None) -> None:
    """sum (x - zero) w + bias, in units of each column, is sum x w and what the accumulator is given."""
    x, w, units = int8s(2, 6, seed=0).tolist(), int8s(3, 2, 3, seed=1), [0.5, 0.25, 2.0]
    given = None if bias is None else torch.tensor(bias)
    stored = stored_weight((w, torch.tensor(units)), given, reads=reading(zero=zero), place="fc")
    assert torch.equal(stored.words, w)
    assert stored.scale.tolist() == units
    if zero == 0 and bias is None:
        assert stored.bias is None
        return
    assert stored.bias is not None
    assert stored.bias.dtype == torch.int32
    for row in x:
        for channel, filters in enumerate(w.flatten(1).tolist()):
            pairs = list(zip(row, filters, strict=True))
            meant = sum((a - zero) * b for a, b in pairs)
            meant += 0 if bias is None else (2, -5, 0)[channel]  # 0.75 / 0.5 is 1.5: half to even
            assert sum(a * b for a, b in pairs) + int(stored.bias[channel]) == meant


# x stands for 0.5 a step. A bias of 2^34 at a weight of 1 a step: 2^35 in the accumulator, 2^30 at 32 a step
@pytest.mark.parametrize(
    ("bias", "words", "scale", "kept", "given", "unit"),
    [
        (2.0**29, [127, -3], 1.0, [127, -3], 2**30, 0.5),  # fits beside its products: as it is
        (-(2.0**34), [127, -40], 1.0, [4, -1], -(2**30), 16.0),  # 127 / 32 = 3.97, 40 / 32 = 1.25
        (2.0**34, [127, -16], 32.0, [127, -16], 2**30, 16.0),  # the scale is large enough already
        (-1.0, [1, 0], 2.0**-40, [0, 0], -(2**30), 2.0**-30),  # a dead channel: nothing is left of its weights
        (2.0**30 - 64, [127, 127], 1.0, [64, 64], 2**30, 1.0),  # its products might carry it over
    ],
)
def test_a_channel_with_a_large_bias_gets_a_larger_scale(
    bias: float, words: list[int], scale: float, kept: list[int], given: int, unit: float
) -> None:
    weight = torch.tensor([words, [1, 1]], dtype=torch.int8)
    scales, biases = torch.tensor([scale, 0.25]), torch.tensor([bias, 3.0])
    stored = stored_weight((weight, scales), biases, reads=reading(0.5), place="fc")
    assert stored.words.tolist() == [kept, [1, 1]]  # the other channel is what it was
    assert stored.bias is not None
    assert stored.bias.tolist() == [given, 24]
    assert stored.scale.tolist() == pytest.approx([unit, 0.125], rel=1e-6)
    assert float(stored.bias[0]) * float(stored.scale[0]) == pytest.approx(bias, rel=1e-6)


@pytest.mark.parametrize("bias", [float("inf"), float("nan")])
def test_a_bias_that_no_scale_makes_fit_is_refused(bias: float) -> None:
    words = (torch.ones(1, 4, dtype=torch.int8), torch.ones(1))
    with pytest.raises(CaptureError, match="fc: a bias does not fit"):
        stored_weight(words, torch.tensor([bias]), reads=reading(), place="fc")


class Dead(nn.Module):
    """A convolution with BatchNorm, one channel of which is dead: its weights all but 0, its bias -1."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3)
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_dead_channel_after_batch_normalisation(recipe: IntegerRecipe) -> None:
    """Its accumulator holds its bias, the other channels are what they are without it."""
    torch.manual_seed(0)
    model = Dead().eval()
    with torch.no_grad():
        model.conv.weight[1] *= 1e-9
        model.norm.bias[1] = -1.0
        model.norm.running_var.fill_(0.5)
        model.conv.weight *= 1e-3
    x = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 1e-3
    program = quantize(capture(model, x[:2]), [x], recipe=recipe)
    with torch.no_grad():
        wanted = model(x)
    assert (run(program, x).logits - wanted).abs().max() < 0.01 * wanted.abs().max()
