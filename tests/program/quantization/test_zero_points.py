"""Words with zero points: which values stand on them, and their words at both ends of the grid, in every wrapper."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from radhard.deploy import harden
from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Gemm, Operator
from radhard.operators import Gelu, Linear, Quantized, Softmax
from radhard.program import Apply, Program, capture, quantize, run
from radhard.program.quantization.zero_points import barely_negative, read_by_softmax
from radhard.protection import Block, LbAbft, Protection, RowAbft, StandardAbft, Tmr
from radhard.protection.schemes.row_check import RowCheckAbft
from tests.support.flips import flips_of
from tests.support.hardened import all_products
from tests.support.models import images, seeded, tiny_program
from tests.support.watched import watched

BARELY: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": functional.gelu,
    "gelu by tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "hard swish": functional.hardswish,
    "quick gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "silu by hand": lambda x: x.sigmoid() * x,
    "moved": lambda x: functional.gelu(x).transpose(2, 3)[:, :, 1:5],
    "dropped out": lambda x: functional.dropout(functional.gelu(x), training=False),
    "averaged": lambda x: functional.silu(x).mean(3, keepdim=True),
    "pooled": lambda x: functional.adaptive_avg_pool2d(functional.silu(x), 2),
}
OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "images": lambda x: x,
    "relu": lambda x: x.relu(),  # cannot be negative: 0 is its zero point
    "tanh": lambda x: x.tanh(),
    "gated": lambda x: functional.silu(x) * x.tanh(),
    "gate of a negative": lambda x: x * torch.sigmoid(-1.702 * x),
    "gate of another": lambda x: x * torch.sigmoid(x + 1.0),
    "sum": lambda x: functional.gelu(x) + x,
}


class Of(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.head = function, nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(x).reshape(x.shape[0], -1, 4)).mean(1)


@pytest.mark.parametrize("name", [*BARELY, *OTHERS])
def test_what_is_barely_negative(name: str) -> None:
    plain = capture(seeded(Of((BARELY | OTHERS)[name])), images(2))
    (head,) = [node for node in plain.graph.graph.nodes if node.target is torch.ops.aten.linear.default]
    assert (head.args[0] in barely_negative(plain.graph)) == (name in BARELY)
    mine = quantize(plain, [images(16, seed=2)])
    (x,) = [inputs[0] for operator, inputs, _ in watched(mine, images(4)).values() if isinstance(operator, Linear)]
    assert x is not None
    assert x.dtype == (torch.uint8 if name in BARELY or name == "relu" else torch.int8)
    wanted, got = run(plain, images(16, seed=2)).logits, run(mine, images(16, seed=2)).logits
    assert (got - wanted).abs().max() < 0.05 * wanted.abs().max()


def test_a_convolution_and_a_product_of_activations_read_no_zero_point() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 2, 1), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = functional.gelu(x)
            return self.head((y @ y.transpose(2, 3)).mean((1, 2)) + self.conv(y).mean((1, 2)))

    mine = quantize(capture(seeded(Both()), images(2)), [images(16)])
    seen = {operator.name: inputs for operator, inputs, _ in watched(mine, images(2)).values()}
    assert seen["conv2d"][0].dtype == seen["matmul"][0].dtype == seen["matmul"][1].dtype == torch.int8


SCORES: dict[str, Callable[[Tensor, nn.Module], Tensor]] = {
    "as they are": lambda s, _: s.softmax(-1),
    "scaled": lambda s, _: (s * 0.3 / 2.0).softmax(-1),
    "with a bias": lambda s, _: (s + torch.arange(8.0)).softmax(-1),
    "masked": lambda s, _: s.masked_fill(torch.ones(8, 8).triu(1).bool(), -100.0).softmax(-1),
    "moved": lambda s, _: s.transpose(1, 2).reshape(-1, 8).softmax(-1).reshape(-1, 8, 8),
}
NO_SCORES: dict[str, Callable[[Tensor, nn.Module], Tensor]] = {
    "no softmax": lambda s, _: s.tanh(),
    "added to what softmax makes": lambda s, _: s.softmax(-1) + s,
    "read by a layer first": lambda s, mix: mix(s).softmax(-1),
}


class Attention(nn.Module):
    def __init__(self, function: Callable[[Tensor, nn.Module], Tensor]) -> None:
        super().__init__()
        self.function, self.head = function, nn.Linear(8, 3)
        self.q, self.k, self.mix = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]
        return self.head((self.function(self.q(x) @ self.k(x).transpose(1, 2), self.mix) @ x).mean(1))


@pytest.mark.parametrize("name", [*SCORES, *NO_SCORES])
def test_scores_of_a_softmax(name: str) -> None:
    plain = capture(seeded(Attention((SCORES | NO_SCORES)[name])), images(2))
    aten = torch.ops.aten
    products = [node for node in plain.graph.graph.nodes if node.target in (aten.matmul.default, aten.linear.default)]
    found = [node for node in products if read_by_softmax(node)]
    first = next(node for node in products if node.target is aten.matmul.default)
    if name == "read by a layer first":
        (layer,) = found
        assert layer.target is aten.linear.default
    else:
        assert found == ([first] if name in SCORES else [])
    mine = quantize(plain, [images(16, seed=2)])
    zeros = [
        operator.write_back.grid.zero for operator, *_ in watched(mine, images(2)).values() if is_product(operator)
    ]
    assert sum(zero > 0 for zero in zeros) == len(found)


# --- words at the ends of their grids ---


def is_product(operator: Operator) -> bool:
    return isinstance(operator, Gemm | Linear) and operator.write_back is not None


class Unbounded(nn.Module):
    """Attention and GELU without a normalisation: their words go as far as the images."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.fc, self.head = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]
        x = (self.q(x) @ self.k(x).transpose(1, 2)).softmax(-1) @ x
        return self.head(functional.gelu(self.fc(x))).mean(1)


@pytest.fixture(scope="module")
def far() -> Tensor:
    """Images that reach further than those that calibrated."""
    return 40.0 * images(6, seed=8)


@pytest.fixture(scope="module")
def unbounded() -> Program:
    """Calibrated on others: these saturate its words at both ends."""
    return quantize(capture(seeded(Unbounded()), images(2)), [images(16, seed=2)])


def test_scores_and_gelu_saturate_at_both_ends(unbounded: Program, far: Tensor) -> None:
    """By hand: the accumulator in int64, scaled, rounded, moved by the zero point, cut at 0 and 255."""
    seen, ends, of_gelu = watched(unbounded, far), set(), set()
    for operator, inputs, out in seen.values():
        if isinstance(operator, Gemm) and operator.write_back is not None and operator.write_back.grid.zero:
            a, b = (x.numpy().astype(np.int64) for x in inputs[:2] if x is not None)
            value = (a @ b).astype(np.float32) * operator.write_back.multiplier.numpy()
            zero = operator.write_back.grid.zero
            np.testing.assert_array_equal(out.numpy(), np.clip(np.rint(value) + zero, 0, 255).astype(np.uint8))
            ends |= {int(out.min()), int(out.max())}
        if isinstance(operator, Quantized) and isinstance(operator.inner, Gelu):
            assert operator.writes is not None
            assert operator.writes.grid.zero > 0
            assert out.dtype == torch.uint8
            of_gelu |= {int(out.min()), int(out.max())}
    assert ends == {0, 255}
    assert min(of_gelu) == 0
    assert max(of_gelu) in (254, 255)  # what it reads is saturated itself


def test_softmax_reads_scores_less_their_zero_point(unbounded: Program) -> None:
    seen = watched(unbounded, images(3))
    (scores,) = [s for name, s in seen.items() if name == "softmax"]
    operator, (x, *_), out = scores
    assert isinstance(operator, Quantized)
    assert isinstance(operator.inner, Softmax)
    reads = operator.reads[0]
    assert reads is not None
    assert reads.grid.zero > 0
    assert operator.writes is not None
    assert x is not None
    wanted = torch.softmax((x.double() - reads.grid.zero) * reads.scale, -1) / operator.writes.scale
    assert (out.double() - wanted).abs().max() < 0.5001


def test_saturated_words_are_deployed_counted_hit_and_protected(unbounded: Program, far: Tensor) -> None:
    clean = run(unbounded, far).logits
    module = harden(unbounded, all_products(unbounded))
    assert torch.equal(module(far), clean)
    assert not module.counters[:, 1:].any()
    faults = Faults(ber=1e-4, seed=1, kinds=frozenset({"mul", "add", "load"}))
    whole = run(unbounded, far, Faulty(Clean(), faults)).logits
    assert not torch.equal(whole, clean)
    parts = [run(unbounded, far[i : i + 1], Faulty(Clean(), faults), ids=torch.tensor([i])).logits for i in range(6)]
    assert torch.equal(whole, torch.cat(parts))


@pytest.mark.parametrize(
    "scheme", [LbAbft, RowAbft, StandardAbft, RowCheckAbft, Tmr], ids=lambda scheme: scheme.__name__
)
def test_every_scheme_repairs_products_of_words_with_zero_points(scheme: type) -> None:
    """One flip of a high bit in each of the scores' and of the layer that reads GELU's words: put right."""
    vit, x = tiny_program("int8"), images(4, seed=3)
    names = ["blocks.0.attn.matmul", "blocks.0.mlp.fc2"]
    made = scheme(block=Block(m=4, k=3, n=4)) if scheme in (LbAbft, RowAbft) else scheme()
    protection = Protection.of(dict.fromkeys(names, made), checks="immune")
    clean = run(vit, x).logits
    assert torch.equal(run(vit, x, protection.on(Clean())).logits, clean)
    sites = {step.site.name for step in vit.steps if isinstance(step, Apply)}
    assert set(names) <= sites
    rows = [(image, name, "add", 5, 24) for image in range(4) for name in names]
    machine = protection.on(Faulty(Clean(), flips_of(rows)))
    plain = run(vit, x, Faulty(Clean(), flips_of(rows))).logits
    assert not torch.equal(plain, clean)
    assert torch.equal(run(vit, x, machine).logits, clean)
