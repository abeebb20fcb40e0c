"""What biases take back: shifts measured layer by layer, against a slow reference in loops over words and channels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.special import erf
from torch import Tensor, nn

from radhard.program import Calibration, Program, capture, quantize, run
from tests.support.models import images, seeded

Numbers = npt.NDArray[np.float64]
COUNT = 24


class Three(nn.Module):
    """A convolution, GELU, and two linear layers: words of images, with a zero point, and signed ones."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 2, stride=2)
        self.act = nn.GELU()
        self.fc = nn.Linear(3, 4, bias=False)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x)).flatten(2).transpose(1, 2)
        return self.head(self.fc(x).mean(1))


def net() -> nn.Module:
    model = seeded(Three())
    with torch.no_grad():
        for layer in (model.conv, model.fc, model.head):  # one weight of each channel is large: the others are coarse
            layer.weight.flatten(1)[:, 0] += 6.0
    return model


def quantised(model: nn.Module, x: Tensor) -> Program:
    return quantize(capture(model, x[:2], name="net"), [x[:10], x[10:]])


# --- the reference ---


def nearest(value: float, scale: float, zero: int, low: int, high: int) -> float:
    """The number that the nearest word stands for."""
    word = min(max(int(np.rint(value / scale)) + zero, low), high)
    return (word - zero) * scale


def words_of(x: Numbers, found: tuple[float, int], *, unsigned: bool = False) -> Numbers:
    low, high = (0, 255) if unsigned else (-128, 127)
    out = [nearest(float(value), *found, low, high) for value in x.reshape(-1)]
    return np.array(out).reshape(x.shape)


def stored(weight: Numbers) -> Numbers:
    """Each channel's weights on its own 255 words."""
    out = np.zeros_like(weight)
    for channel, row in enumerate(weight):
        scale = float(np.float32(np.abs(row).max()) / np.float32(127))
        for place, value in enumerate(row):
            out[channel, place] = nearest(float(value), scale, 0, -127, 127)
    return out


def layer(x: Numbers, weight: Numbers, bias: Numbers) -> Numbers:
    """Rows [n, k] times a weight [c, k], plus a bias [c], sum by sum."""
    out = np.zeros((len(x), len(weight)))
    for row in range(len(x)):
        for channel in range(len(weight)):
            total = float(bias[channel])
            for place in range(x.shape[1]):
                total += float(x[row, place]) * float(weight[channel, place])
            out[row, channel] = total
    return out


def gelu(x: Numbers) -> Numbers:
    return np.array(0.5 * x * (1 + erf(x / np.sqrt(2))))


def patches(x: Tensor) -> Numbers:
    """Images [n, 1, 8, 8] -> the 16 patches of each, [16 n, 4]: what the convolution's filters meet."""
    corners = [(i, r, c) for i in range(len(x)) for r in range(0, 8, 2) for c in range(0, 8, 2)]
    return np.array([x[i, 0, r : r + 2, c : c + 2].flatten().numpy() for i, r, c in corners], dtype=np.float64)


def reference(
    model: nn.Module, x: Tensor, scales: dict[str, tuple[float, int]], *, corrected: bool
) -> dict[str, Numbers]:
    """The shift of each channel of each layer; with `corrected` of layers whose predecessors are corrected."""
    weights = {
        name: one.weight.detach().double().flatten(1).numpy()
        for name, one in model.named_children()
        if isinstance(one, nn.Linear | nn.Conv2d)
    }
    biases = {name: np.zeros(len(w)) for name, w in weights.items()}
    biases |= {name: getattr(model, name).bias.detach().double().numpy() for name in ("conv", "head")}
    exact, found = patches(x), {}
    rounded = words_of(exact, scales["images"])
    for name in ("conv", "fc", "head"):
        exact = layer(exact, weights[name], biases[name])
        rounded = layer(rounded, stored(weights[name]), biases[name])
        found[name] = rounded.mean(0) - exact.mean(0)
        if corrected:
            rounded = rounded - found[name]
        if name == "conv":
            rounded = words_of(rounded, scales["conv.conv2d"])
            exact, rounded = gelu(exact), words_of(gelu(rounded), scales["transpose"], unsigned=True)
        if name == "fc":
            exact = exact.reshape(len(x), 16, -1).mean(1)
            rounded = words_of(rounded, scales["fc.linear"]).reshape(len(x), 16, -1).mean(1)
            rounded = words_of(rounded, scales["mean"])
    return found


def test_shifts_are_those_of_words_in_loops() -> None:
    model, x = net(), images(COUNT, seed=3)
    known = quantised(model, x).calibration
    assert known is not None
    assert list(known.shifts) == ["conv", "fc", "head"]
    scales = dict(known.scales)
    wanted = reference(model, x, scales, corrected=True)
    for name, found in known.shifts.items():
        np.testing.assert_allclose(found, wanted[name], rtol=2**-6, atol=1e-9)
    alone = reference(model, x, scales, corrected=False)
    assert np.abs(alone["head"] - wanted["head"]).max() > 0.1 * np.abs(wanted["head"]).max()  # earlier layers matter


def test_results_are_right_on_average() -> None:
    """What the images that calibrate yield is, on average, the float model's: of each logit."""
    model, x = net(), images(COUNT, seed=3)
    mine = quantised(model, x)
    known = mine.calibration
    assert known is not None
    none = {name: (0.0,) * len(found) for name, found in known.shifts.items()}
    without = quantize(capture(model, x[:2], name="net"), calibration=replace(known, shifts=none))
    with torch.no_grad():
        wanted = model(x).mean(0)
    step = known.scales["head.linear"][0]
    off = (run(mine, x).logits.mean(0) - wanted).abs().max()
    assert off < 0.15 * step
    assert off < 0.2 * (run(without, x).logits.mean(0) - wanted).abs().max()


class Windows(nn.Module):
    """Rows of 8 windows an image, read by a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.fc(x.relu().reshape(-1, 2, 4))
        return self.head(rows.reshape(-1, 16, 4).mean(1))


def windows() -> nn.Module:
    model = seeded(Windows())
    with torch.no_grad():
        model.fc.weight[:, 0] += 8.0
    return model


def calibration(model: nn.Module, batches: Sequence[Tensor]) -> Calibration:
    found = quantize(capture(model, batches[0][:2]), batches).calibration
    assert found is not None
    return found


def test_a_layer_of_more_rows_than_images() -> None:
    """Windows are rows of their own: a shift is a mean over all of them, not over images."""
    model, x = windows(), images(COUNT, seed=4)
    found = calibration(model, [x])
    weight, bias = (one.detach().double().numpy() for one in (model.fc.weight, model.fc.bias))
    rows = x.relu().reshape(-1, 4).double().numpy()
    words = words_of(rows, next(iter(found.scales.values())), unsigned=True)
    wanted = layer(words, stored(weight), bias).mean(0) - layer(rows, weight, bias).mean(0)
    np.testing.assert_allclose(found.shifts["fc"], wanted, rtol=2**-6, atol=1e-9)


@pytest.mark.parametrize("sizes", [[7, 25], [1] * 32])
def test_batches_do_not_matter(sizes: list[int]) -> None:
    x = images(32, seed=5)
    assert calibration(windows(), x.split(sizes)).digest == calibration(windows(), [x]).digest


def test_the_first_images_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those beyond change nothing of the shifts, where they change no scale."""
    x = images(16, seed=5)
    of_all = calibration(windows(), [x[:4], x[4:]])
    monkeypatch.setattr("radhard.program.quantization.quantize.MEASURED", 10)
    first, more = (calibration(windows(), [x[:4], x[4:10], *rest]) for rest in ([], [x[:6], x[:3]]))
    assert first == replace(more, images=first.images, count=10)
    assert of_all.shifts != first.shifts


def test_a_shift_next_to_nothing_is_none() -> None:
    """Exact words and weights: what is left are roundings of floats, which are a processor's own."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model[1].weight.copy_(torch.randint(-127, 128, (3, 64), generator=draw) * 0.0123)
        model[1].weight[:, :2] = torch.tensor([0.0, 127 * 0.0123])
    x = torch.randint(-127, 128, (8, 1, 8, 8), generator=draw) / 2**7
    x[0, 0, 0, 0] = 127.5 / 2**7  # words are steps of 2^-7; no weight meets this one
    assert calibration(model, [x]).shifts == {"1": (0.0, 0.0, 0.0)}
    model[1].weight.data[0, 2] += 0.004
    shift, *others = calibration(model, [x]).shifts["1"]
    assert abs(shift) > 1e-6
    assert others == [0.0, 0.0]
