"""The recipe `int8`: which words are unsigned, and which activations are in a write-back, recomputed by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.fx import Interpreter
from torch.nn import functional

from radhard.analysis.anatomy import anatomy
from radhard.deploy import harden
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Faults, Faulty
from radhard.machine import Clean, Counting
from radhard.operators import Conv2d, Gemm, Linear
from radhard.program import Apply, Calibration, Program, capture, quantize, run
from radhard.program.coverage import coverage
from radhard.program.quantization.unsigned import never_negative
from radhard.protection import Block, HuangAbraham, LbAbft, Protection, RowAbft, StandardAbft, Tmr
from radhard.words import Words
from tests.support.hardened import all_products
from tests.support.models import TinyViT, images, seeded
from tests.support.watched import watched

SURE: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda x: x.softmax(-1),
    "relu": lambda x: x.relu(),
    "relu6": functional.relu6,
    "sigmoid": lambda x: x.sigmoid(),
    "hard sigmoid": functional.hardsigmoid,
    "clamp from 0": lambda x: x.clamp(0.0, 0.7),
    "clamp from above 0": lambda x: x.clamp(min=0.2),
    "hardtanh from 0": lambda x: functional.hardtanh(x, 0.0, 2.0),
    "moved": lambda x: functional.pad(x.relu().flatten(2).transpose(1, 2)[:, 1:], (0, 1)),
    "joined": lambda x: torch.cat([x.relu(), x.sigmoid()], 1),
    "split": lambda x: x.relu().chunk(2, -1)[1],
    "pooled": lambda x: functional.max_pool2d(functional.avg_pool2d(x.relu(), 2), 2, padding=1),
    "mean": lambda x: x.softmax(-1).mean((2, 3), keepdim=True),
    "sum": lambda x: x.relu() + x.sigmoid() + 0.5,
    "product": lambda x: x.relu() * x.sigmoid() * 2.0,
    "kept by an upper bound": lambda x: x.relu().clamp(max=3.0),
    "square": lambda x: x**2,
    "absolute": lambda x: x.abs(),
    "exponential": lambda x: x.exp(),
}
UNSURE: dict[str, Callable[[Tensor], Tensor]] = {
    "images": lambda x: x + 0.0,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "hard swish": functional.hardswish,
    "tanh": lambda x: x.tanh(),
    "clamp from below 0": lambda x: x.clamp(-0.1, 1.0),
    "clamp to below 0": lambda x: x.relu().clamp(max=-0.25),
    "difference": lambda x: x.relu() - x.sigmoid(),
    "negative factor": lambda x: x.relu() * -2.0,
    "negative term": lambda x: x.relu() + -0.5,
    "padded with -1": lambda x: functional.pad(x.relu(), (1, 1), value=-1.0),
    "joined with images": lambda x: torch.cat([x.relu(), x], 1),
    "product with images": lambda x: x.relu() * x,
    "cube": lambda x: x**3,
    "logarithm": lambda x: (x.relu() + 0.1).log(),
}


class Of(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.head = function, nn.Linear(1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(x).flatten(1).mean(1, keepdim=True)) + x.mean((1, 2, 3))[:, None]


class Least(Interpreter):
    """The least value of every node."""

    def __init__(self, graph: torch.fx.GraphModule) -> None:
        super().__init__(graph)
        self.least: dict[torch.fx.Node, float] = {}

    def run_node(self, n: torch.fx.Node) -> object:
        out = super().run_node(n)
        if isinstance(out, Tensor) and out.is_floating_point():
            self.least[n] = float(out.min())
        return out


@pytest.mark.parametrize("name", [*SURE, *UNSURE])
def test_what_cannot_be_negative(name: str) -> None:
    graph = capture(seeded(Of((SURE | UNSURE)[name])), images(2)).graph
    known, seen = never_negative(graph), Least(graph)
    with torch.no_grad():
        seen.run(images(64))
    assert all(seen.least[node] >= 0 for node in known if node in seen.least)
    (head,) = [node for node in graph.graph.nodes if node.target is torch.ops.aten.linear.default]
    assert (head.args[0] in known) == (name in SURE)


class Net(nn.Module):
    """Convolutions with every activation that a write-back may hold, and with one that feeds two."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.act2 = nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.ReLU6()
        self.conv3 = nn.Conv2d(6, 8, 1)
        self.conv4, self.act4 = nn.Conv2d(8, 8, 3, stride=2), nn.Hardswish()
        self.conv5 = nn.Conv2d(8, 8, 1)
        self.fc1, self.fc2 = nn.Linear(8, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.conv1(x)).relu()
        x = self.act2(4 * self.conv2(x))
        x = self.act2(self.conv2(x))
        x = self.conv3(x).clamp(-0.5, 0.75)
        x = self.act4(self.conv4(x))
        y = self.conv5(x)
        x = y.relu() + y
        return self.fc2(self.fc1(x.mean((2, 3))).relu())


@cache
def program(recipe: str = "int8") -> Program:
    return quantize(capture(seeded(Net()), images(2), name="net"), [images(32, seed=3)], recipe=recipe)


WRITES = {"conv1": (0, 255), "conv2#2": (0, 255), "conv3": (-85, 127), "fc1": (0, 255)}
"""-0.5 and 0.75 are -85 and 127 at the step that was calibrated, 0.75 / 127.5."""


def test_an_activation_that_a_product_feeds_alone_is_in_its_write_back() -> None:
    """The accumulator in int64, scaled in float32, rounded, and saturated at the words of the activation's bounds."""
    seen = watched(program(), images(6, seed=4))
    for name in WRITES:
        operator, (x, weight, bias), out = seen[name]
        assert isinstance(operator, Linear | Conv2d)
        assert operator.write_back is not None
        grid = operator.write_back.grid
        assert x is not None
        assert weight is not None
        assert bias is not None
        if isinstance(operator, Linear):
            total = x.numpy().astype(np.int64) @ weight.T.numpy().astype(np.int64) + bias.numpy()
            scale = operator.write_back.multiplier.numpy()
        else:
            top, left, bottom, right = operator.padding
            padded = functional.pad(x.double(), (left, right, top, bottom))
            exact = functional.conv2d(padded, weight.double(), bias.double(), operator.stride, groups=operator.groups)
            total, scale = exact.numpy(), operator.write_back.multiplier.numpy()[:, None, None]
        value = total.astype(np.float32) * scale
        assert (value < grid.low).any()  # the activation does something
        words = np.clip(np.rint(value), grid.low, grid.high)
        assert out.dtype == (torch.int8 if name == "conv3" else torch.uint8)
        np.testing.assert_array_equal(out.numpy(), words.astype(out.numpy().dtype))
        assert (grid.low, grid.high) == WRITES[name]


def test_the_graph_s_activations_are_accounted_for() -> None:
    written = {account.op: account.sites for account in program().accounts if account.role == "writes"}
    places = [account.sites[0] for account in program().accounts if account.role == "writes"]
    assert places == list(WRITES)
    assert "aten.clamp.default" in written
    rows = {(row.op, row.meaning): row.nodes for row in coverage(program()).rows}
    assert rows["aten.relu.default", "in the write-back of the product before it"] == 2
    found = anatomy(program(), kinds=frozenset({"mul", "add"}), where=EVERYWHERE, words=Words(), by="site")
    assert {row.name: row.writes for row in found.rows if row.writes} == {
        "conv1": "relu", "conv2#2": "hardtanh", "conv3": "clamp", "fc1": "relu",
    }  # fmt: skip
    assert not any(account.role == "writes" for account in program("int8-symmetric").accounts)
    assert not any(account.role == "writes" for account in program("int8-float").accounts)


def test_hard_swish_is_computed_of_what_the_convolution_accumulates() -> None:
    """One word is written, the one after it: what lies between is no word of 8 bits."""
    assert watched(program(), images(6, seed=4))["conv4"][2].dtype == torch.float32
    assert watched(program(), images(6, seed=4))["act4"][2].dtype == torch.int8
    assert watched(program("int8-symmetric"), images(6, seed=4))["conv4"][2].dtype == torch.int8


def test_what_feeds_two_is_written_before_its_activation() -> None:
    operator = watched(program(), images(6, seed=4))["conv5"][0]
    assert isinstance(operator, Conv2d)
    assert operator.write_back is not None
    assert (operator.write_back.dtype, operator.write_back.grid.low) == (torch.int8, -128)


@pytest.mark.parametrize("recipe", ["int8", "int8-symmetric"])
def test_logits_are_near_the_float_model_s(recipe: str) -> None:
    x = images(64, seed=5)
    with torch.no_grad():
        wanted = seeded(Net())(x)
    got = run(program(recipe), x).logits
    assert functional.cosine_similarity(got, wanted).mean() > 0.98


def products(of: Program) -> list[str]:
    return [
        step.site.name
        for step in of.steps
        if isinstance(step, Apply) and isinstance(step.operator, Linear | Conv2d | Gemm)
    ]


@pytest.mark.parametrize("of", [Net, TinyViT])
def test_deployed_counted_hit_and_protected(of: type[nn.Module]) -> None:
    """The unsigned words of a whole program in every wrapper of it."""
    mine = program() if of is Net else quantize(capture(seeded(of()), images(2)), [images(16, seed=2)])
    x, clean = images(4, seed=6), run(mine, images(4, seed=6)).logits
    module = harden(mine, all_products(mine))
    assert torch.equal(module(x), clean)
    assert not module.counters[:, 1:].any()
    counting = Counting()
    assert torch.equal(run(mine, x, counting).logits, clean)
    faults = Faults(ber=2e-4, seed=1, kinds=frozenset({"mul", "add", "load"}))
    whole = run(mine, x, Faulty(Clean(), faults)).logits
    assert not torch.equal(whole, clean)
    parts = [run(mine, x[i : i + 1], Faulty(Clean(), faults), ids=torch.tensor([i])).logits for i in range(4)]
    assert torch.equal(whole, torch.cat(parts))
    block = Block(m=4, k=3, n=4)
    rare = Faults(ber=2e-6, seed=5)
    assert not torch.equal(run(mine, x, Faulty(Clean(), rare)).logits, clean)
    for scheme in (LbAbft(block=block), RowAbft(block=block), StandardAbft(), HuangAbraham(), Tmr()):
        protection = Protection.of(dict.fromkeys(products(mine), scheme), checks="immune")
        assert torch.equal(run(mine, x, protection.on(Clean())).logits, clean)
        if not isinstance(scheme, HuangAbraham):
            machine = protection.on(Faulty(Clean(), rare))
            repaired = run(mine, x, machine).logits
            elsewhere = run(mine, x, Faulty(Clean(), rare)).logits
            assert (repaired - clean).abs().sum() <= (elsewhere - clean).abs().sum()


def test_a_right_factor_is_signed_though_it_is_not_negative() -> None:
    """Products of two activations after ReLU, as in attention without a softmax: uint8 times int8."""

    class Linearised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v, self.head = (nn.Linear(8, 8) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            x = x[:, 0]
            q, k, v = self.q(x).relu(), self.k(x).relu(), self.v(x)
            return self.head((q @ (k.transpose(1, 2) @ v)).mean(1)) + (q @ k.transpose(1, 2)).mean((1, 2))[:, None]

    model = seeded(Linearised())
    mine = quantize(capture(model, images(2)), [images(32, seed=2)])
    seen = watched(mine, images(6, seed=4))
    pairs = [(inputs[0].dtype, inputs[1].dtype) for operator, inputs, _ in seen.values() if isinstance(operator, Gemm)]
    assert pairs == [(torch.uint8, torch.int8)] * 3
    x = images(16, seed=7)
    with torch.no_grad():
        assert functional.cosine_similarity(run(mine, x).logits, model(x)).mean() > 0.98
    assert torch.equal(harden(mine, all_products(mine))(x), run(mine, x).logits)


def test_the_bias_takes_back_what_rounding_adds() -> None:
    """By hand: one filter of 9 weights, of words that are never negative, so that errors do not cancel."""

    class Thin(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(64, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.conv(x.relu()).flatten(1))

    model = seeded(Thin())
    with torch.no_grad():  # all but one are 0.4 of a step above a word
        model.conv.weight.copy_(torch.tensor([127.0, *[3.4] * 8]).view(1, 1, 3, 3) / 127)
    x = images(32, seed=9)
    mine = quantize(capture(model, images(2)), [x])
    assert mine.calibration is not None
    step, rounded = mine.calibration.scales["relu"][0], torch.tensor([127.0, *[3.0] * 8]).view(1, 1, 3, 3) / 127
    words = (x.relu() / step).round().clamp(0, 255) * step
    exact = functional.conv2d(x.relu(), model.conv.weight.detach(), padding=1)
    added = (functional.conv2d(words, rounded, padding=1) - exact).mean()
    (shift,) = mine.calibration.shifts["conv"]
    assert shift == pytest.approx(float(added), rel=0.02)
    with torch.no_grad():
        wanted = model(x)
    off = (run(mine, x).logits - wanted).mean().abs()
    without = quantize(
        capture(model, images(2)), calibration=replace(mine.calibration, shifts={"conv": (0.0,), "head": (0.0,) * 4})
    )
    assert off < 0.3 * (run(without, x).logits - wanted).mean().abs()
    assert quantize(capture(model, images(2)), calibration=mine.calibration).digest == mine.digest


def test_a_calibration_with_shifts_goes_through_json_and_is_checked() -> None:
    known = program().calibration
    assert known is not None
    assert set(known.shifts) == {"conv1", "conv2", "conv2#2", "conv3", "conv4", "conv5", "fc1", "fc2"}
    again = Calibration.from_dict(json.loads(json.dumps(known.as_dict())), place="here")
    assert again == known
    assert again.digest == known.digest != replace(known, shifts={**known.shifts, "fc2": (0.0,) * 5}).digest
    plain = capture(seeded(Net()), images(2), name="net")
    for shifts, message in (({}, "8 of its layers differ"), ({**known.shifts, "fc2": (0.0,)}, "1 shifts of 'fc2'")):
        with pytest.raises(InputError, match=message):
            quantize(plain, calibration=replace(known, shifts=shifts))
    for value in ([1.0, None], "x", [float("inf")]):
        with pytest.raises(InputError, match="here: shifts 'fc2' are"):
            Calibration.from_dict({**known.as_dict(), "shifts": {"fc2": value}}, place="here")
