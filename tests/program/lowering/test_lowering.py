"""What models do beside the usual: each module against eager PyTorch, in float and in int8."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from radhard.errors import CaptureError
from radhard.machine import Site
from radhard.operators import BatchNorm
from radhard.program import Program, capture, quantize, register_move, run
from radhard.program.coverage import counted_by_torch, coverage
from radhard.report.coverage import coverage_record
from tests.support.models import images, seeded


class Between(nn.Module):
    """A convolution, what is tried, and a linear layer: what is tried reads int8 words, and writes some."""

    def __init__(self, tried: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.before = nn.Conv2d(1, 4, 3, padding=1)
        self.tried = tried
        self.after = nn.LazyLinear(5)

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.tried(self.before(x)).flatten(1))


def heads(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    q = x.flatten(2).transpose(1, 2).unflatten(2, (2, 2)).transpose(1, 2)  # [b, 2, 64, 2]
    return q, 0.5 * q.flip(2), q.roll(1, 2)


def pairs(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    q = x.flatten(2).unsqueeze(3)  # four heads [b, 4, 64, 1], and keys and values of two
    return q, q[:, :2], q[:, 2:]


ALLOWED = torch.ones(64, 64, dtype=torch.bool).triu(-3)
TRIED: dict[str, Callable[[Tensor], Tensor]] = {
    "attention, boolean mask": lambda x: functional.scaled_dot_product_attention(*heads(x), attn_mask=ALLOWED),
    "attention, additive mask": lambda x: functional.scaled_dot_product_attention(
        *heads(x), attn_mask=torch.zeros(64, 64).masked_fill(~ALLOWED, -100.0)
    ),
    "attention, causal": lambda x: functional.scaled_dot_product_attention(*heads(x), is_causal=True),
    "attention, shared keys": lambda x: functional.scaled_dot_product_attention(
        heads(x)[0], *(y[:, :1] for y in heads(x)[1:]), enable_gqa=True
    ),
    "attention, keys shared by pairs": lambda x: (
        pairs(x)[0] + functional.scaled_dot_product_attention(*pairs(x), enable_gqa=True)
    ),
    "attention, scaled": lambda x: functional.scaled_dot_product_attention(*heads(x), scale=3.0),
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x.sigmoid()),
    "conv1d": lambda x: functional.conv1d(x.flatten(2), torch.ones(4, 2, 3) / 6, padding=2, stride=2, groups=2),
    "addmm": lambda x: torch.addmm(torch.ones(3), x.flatten(1), torch.eye(256)[:, :3], beta=2, alpha=0.5),
    "addcmul": lambda x: torch.addcmul(x, x, x.flip(1), value=0.5),
    "norm of vectors": lambda x: x / (x.norm(dim=1, keepdim=True) + 1),
    "variance": lambda x: x.var((2, 3), keepdim=True),
    "standard deviation": lambda x: x.std(1, correction=0),
    "group norm": lambda x: functional.group_norm(x, 2),
    "group norm, scaled": lambda x: functional.group_norm(
        x, 2, weight=torch.arange(4.0), bias=torch.linspace(-1, 1, 4), eps=0.1
    ),
    "instance norm": functional.instance_norm,
    "instance norm, scaled": lambda x: functional.instance_norm(
        x, weight=torch.arange(4.0), bias=torch.linspace(-1, 1, 4), eps=1e-3
    ),
    "rms norm": lambda x: functional.rms_norm(x, (8,), eps=1e-5),
    "batch norm before": lambda x: functional.batch_norm(x.relu(), torch.arange(4.0), torch.arange(4.0) + 1),
    "silu": functional.silu,
    "mish": functional.mish,
    "elu": functional.elu,
    "selu": functional.selu,
    "softplus": functional.softplus,
    "leaky relu": lambda x: functional.leaky_relu(x, 0.1),
    "prelu": lambda x: functional.prelu(x, torch.linspace(0.1, 0.4, 4)),
    "relu6": functional.relu6,
    "hard swish": functional.hardswish,
    "hard sigmoid": functional.hardsigmoid,
    "hard tanh": functional.hardtanh,
    "tanh": torch.tanh,
    "quick gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "square": torch.square,
    "cube": lambda x: x**3,
    "glu": lambda x: functional.glu(x, 1),
    "log softmax": lambda x: functional.log_softmax(x, 1),
    "sum": lambda x: x.sum((2, 3)),
    "1 - x": lambda x: 1 - x,
    "-x": lambda x: -x,
    "|x|": torch.abs,
    "maximum": lambda x: torch.maximum(x, x.flip(1)),
    "amax": lambda x: x.amax((2, 3)),
    "where": lambda x: torch.where(x > 0.1, x, 0.25 * x),
    "max pool, padded": lambda x: functional.max_pool2d(x, 3, 2, 1),
    "pad with ones": lambda x: functional.pad(x, (1, 0, 2, 1), value=1.0),
    "pad by reflection": lambda x: functional.pad(x, (1, 1, 1, 1), mode="reflect"),
    "average pool, ceil": lambda x: functional.avg_pool2d(x, 3, 2, ceil_mode=True),
    "average pool, ceil, no window in the padding": lambda x: functional.avg_pool2d(x, 2, 3, 1, ceil_mode=True),
    "average pool, inside": lambda x: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "adaptive to 4": lambda x: functional.adaptive_avg_pool2d(x, 4),
    "adaptive to 8": lambda x: functional.adaptive_avg_pool2d(x, 8),
    "adaptive to 3": lambda x: functional.adaptive_avg_pool2d(x, 3),
    "adaptive to more": lambda x: functional.adaptive_avg_pool2d(x, (11, 5)),
    "a power that is no whole number": lambda x: (x.abs() + 0.1) ** 1.7,
    "local response norm": lambda x: functional.local_response_norm(x, 3, alpha=0.5, beta=0.75, k=1.5),
    "local response norm, even": lambda x: functional.local_response_norm(x, 2),
    "fold": lambda x: functional.fold(x.flatten(2).repeat(1, 4, 1), (9, 9), 2),
    "fold as VOLO": lambda x: functional.fold(x.flatten(2).repeat(1, 9, 1), (16, 15), 3, padding=1, stride=2),
    "fold without meeting": lambda x: functional.fold(x.flatten(2).repeat(1, 4, 1), (16, 16), 2, stride=2),
    "fold, dilated": lambda x: functional.fold(
        x.flatten(2).repeat(1, 6, 1), (12, 17), (3, 2), dilation=(2, 3), padding=(0, 1), stride=(1, 2)
    ),
    "adaptive in one axis": lambda x: functional.adaptive_avg_pool1d(x.flatten(2), 16),
    "adaptive maximum": lambda x: functional.adaptive_max_pool2d(x, 2),
    "pixel shuffle": lambda x: functional.pixel_shuffle(x, 2),
    "unfold": lambda x: functional.unfold(x, 3, padding=1),
    "nearest": lambda x: functional.interpolate(x, scale_factor=2),
    "bilinear": lambda x: functional.interpolate(x, size=(12, 12), mode="bilinear"),
    "bicubic": lambda x: functional.interpolate(x, size=(6, 6), mode="bicubic"),
    "rows chosen": lambda x: x[:, [2, 0, 1]],
    "ones of its sizes": lambda x: x * (torch.ones_like(x).cumsum(2) / 8),
    "a mask of its sizes": lambda x: x + x.new_zeros(8, 8).masked_fill(torch.arange(8) > 3, -1.0),
}
EACH = pytest.mark.parametrize("tried", TRIED.values(), ids=TRIED.keys())


def made(tried: Callable[[Tensor], Tensor]) -> nn.Module:
    model = Between(tried)
    with torch.no_grad():
        model(images(2))
    return seeded(model)


@EACH
def test_as_eager(tried: Callable[[Tensor], Tensor]) -> None:
    """For another batch than it was captured with; int8 within a few percent of the logits' size."""
    model, x = made(tried), images(6, seed=1)
    with torch.no_grad():
        wanted = model(x)
    program = capture(model, images(1))
    torch.testing.assert_close(run(program, x).logits, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))
    whole = run(quantize(program, [images(32, seed=2)]), x).logits
    assert (whole - wanted).abs().mean() < 0.08 * float(wanted.abs().mean()) + 0.01
    assert_every_node_is_accounted(program)


def assert_every_node_is_accounted(program: Program) -> None:
    calls = [node for node in program.graph.graph.nodes if node.op == "call_function"]
    assert len(program.accounts) == len(calls)
    computing = {name for account in program.accounts for name in account.sites}
    assert computing == {site.name for site in program.sites}
    record = coverage_record(coverage(program), torch_macs=None)
    assert sum(row["nodes"] for row in record["rows"]) == record["nodes"] == len(calls)


class Normed(nn.Module):
    """Norms that fold into what is before them, and two that cannot: one after a ReLU, one of a shared output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding="same", bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.grouped = nn.Conv2d(6, 6, 3, groups=3)
        self.second = nn.BatchNorm2d(6, affine=False)
        self.third = nn.BatchNorm2d(6)
        self.fourth = nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.grouped(self.norm(self.conv(x)).relu()))
        x = x + self.third(x.relu())
        return self.head(self.fourth(x.mean((2, 3))))


def test_batch_norms_fold_into_convolutions() -> None:
    model, draw = seeded(Normed()), torch.Generator().manual_seed(4)
    for norm in (model.norm, model.second, model.third, model.fourth):
        norm.running_mean.copy_(torch.randn(6, generator=draw))
        norm.running_var.copy_(torch.rand(6, generator=draw) + 0.1)
    program, x = capture(model, images(1)), images(5, seed=1)
    with torch.no_grad():
        torch.testing.assert_close(run(program, x).logits, model(x), rtol=1e-4, atol=1e-5)
    norms = [site.name for site in program.sites if site.operator == BatchNorm.name]
    assert norms == ["third", "fourth"]
    folded = next(s for s in program.steps if isinstance(getattr(s, "site", None), Site) and s.site.name == "conv")
    weight = program.constants[folded.inputs[1].number]
    factor = model.norm.weight.double() / torch.sqrt(model.norm.running_var.double() + model.norm.eps)
    torch.testing.assert_close(weight, (model.conv.weight * factor.view(-1, 1, 1, 1)).float(), rtol=6e-8, atol=0)
    assert torch.equal(model.conv.weight, seeded(Normed()).conv.weight)  # the user's is left as it was


class Shared(nn.Module):
    """A convolution whose output a norm reads, and an addition: nothing may be folded into it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        self.norm = nn.BatchNorm2d(6, eps=0.5)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.head((x + self.norm(x)).mean((2, 3)))


def test_a_norm_of_an_output_that_others_read_stays() -> None:
    model = seeded(Shared())
    model.norm.running_mean.copy_(torch.linspace(-1, 1, 6))
    program, x = capture(model, images(1)), images(5, seed=1)
    assert [site.name for site in program.sites if site.operator == BatchNorm.name] == ["norm"]
    with torch.no_grad():
        torch.testing.assert_close(run(program, x).logits, model(x), rtol=1e-4, atol=1e-5)


def test_constants_are_computed_before() -> None:
    """Standardised weights, a resized position embedding: operations of constants alone are no sites."""

    class Standardised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.linspace(-1, 1, 27).view(3, 1, 3, 3))
            self.position = nn.Parameter(torch.linspace(0, 1, 48).view(1, 3, 4, 4))
            self.head = nn.Linear(108, 5)

        def forward(self, x: Tensor) -> Tensor:
            w = (self.weight - self.weight.mean((1, 2, 3), keepdim=True)) / self.weight.std((1, 2, 3), keepdim=True)
            position = functional.interpolate(self.position, size=(6, 6), mode="bicubic")
            return self.head((functional.conv2d(x, w) + position).flatten(1))

    model = seeded(Standardised())
    program = capture(model, images(1))
    assert [site.operator for site in program.sites if site.operator != "load"] == ["conv2d", "add", "linear"]
    with torch.no_grad():
        torch.testing.assert_close(run(program, images(3)).logits, model(images(3)), rtol=1e-5, atol=1e-5)
    whole = quantize(program, [images(32)])
    assert any(account.op.endswith("conv2d.default") and account.sites for account in whole.accounts)


@pytest.mark.parametrize(
    ("tried", "what"),
    [
        (lambda x: x.cumsum(1), "cumsum"),
        (lambda x: x**9, r"power of 9"),
        (lambda x: functional.avg_pool3d(x, 2), r"average pooling over windows \[2, 2, 2\]"),
        (lambda x: functional.avg_pool2d(x, 2, divisor_override=3), "divisor of 3"),
        (lambda x: functional.dropout(x, 0.5, training=True), "dropout"),
        (
            lambda x: functional.scaled_dot_product_attention(*heads(x), dropout_p=0.5),
            r"scaled_dot_product_attention with dropout 0\.5",
        ),
        (lambda x: functional.conv2d(x[:1], x[:, :, :3, :3].flatten(0, 1)[:4].view(1, 4, 3, 3)), "conv2d|refuses"),
    ],
)
def test_what_cannot_be_lowered_is_named(tried: Callable[[Tensor], Tensor], what: str) -> None:
    with pytest.raises(CaptureError, match=what):
        capture(made(tried), images(1))


def test_a_fold_adds_what_meets_and_no_more() -> None:
    """16 x 15 pixels of 4 channels, windows of 3 every 2: 8 columns of one and 7 of two in a row, 8 and 8 rows."""
    model = made(TRIED["fold as VOLO"])
    costs = [cost for site, cost in capture(model, images(1)).costs.items() if site.operator == "sum"]
    assert sum(cost.operations("add") for cost in costs) == 4 * (8 * 7 * (2 - 1) + 8 * 8 * (2 - 1) + 8 * 7 * (4 - 1))


def test_pytorch_counts_the_same() -> None:
    """An attention of 2 heads over 64 tokens of 2 + 2, the two layers beside it; by hand and by PyTorch's counter."""
    model = made(TRIED["attention, causal"])
    products = 2 * 64 * 64 * 2 * 2
    by_hand = 64 * 4 * 9 + products + 256 * 5
    assert counted_by_torch(model, images(1)) == by_hand == coverage(capture(model, images(1))).macs


def test_pytorch_counts_where_a_parameter_s_view_enters_a_module() -> None:
    """As CaiT's class token does: its counter wants the gradient of a view that has none."""

    class Token(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.ones(1, 64))
            self.head = nn.Linear(64, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.token.expand(x.shape[0], -1)) + self.head(x.flatten(1))

    model = seeded(Token())
    assert counted_by_torch(model, images(1)) == 2 * 64 * 5
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_move_is_given_floats_unless_words_will_do() -> None:
    from radhard.program.lowering.moves import words_of

    aten = torch.ops.aten
    assert words_of(aten.permute.default, ("x", [0, 1])) == "any"
    assert words_of(aten.relu.default, ("x",)) == "zero"
    assert words_of(aten.constant_pad_nd.default, ("x", [1, 1], 0)) == "zero"
    assert words_of(aten.constant_pad_nd.default, ("x", [1, 1], -math.inf)) == "plain"
    assert words_of(aten.neg.default, ("x",)) == "plain"


BY_KEYWORD: dict[str, Callable[[Tensor], Tensor]] = {
    "pad": lambda x: functional.pad(x, (1, 0, 2, 1), value=1.0),
    "constant_pad_nd": lambda x: torch.ops.aten.constant_pad_nd(x, (1, 0, 2, 1), 1.0),
    "max_pool2d": TRIED["max pool, padded"],
    "im2col": TRIED["unfold"],
    "upsample_nearest2d": TRIED["nearest"],
}


@pytest.mark.parametrize("name", BY_KEYWORD)
def test_a_move_is_the_same_with_arguments_by_keyword(name: str) -> None:
    program, x = capture(made(BY_KEYWORD[name]), images(1)), images(4)
    wanted = run(quantize(program, [images(16)]), x).logits
    moves = [node for node in program.graph.graph.nodes if f"aten.{name}." in str(node.target)]
    assert len(moves) == 1
    names = [argument.name for argument in moves[0].target._schema.arguments]
    moves[0].kwargs = dict(zip(names[1:], moves[0].args[1:], strict=False))
    moves[0].args = moves[0].args[:1]
    program.graph.recompile()
    assert torch.equal(run(quantize(program, [images(16)]), x).logits, wanted)


def test_a_move_of_the_user_s() -> None:
    from radhard.program.lowering import moves

    op = torch.ops.aten.cummax.default
    assert op not in moves.MOVES
    register_move(op)
    try:
        model = made(lambda x: x.cummax(1).values)
        program = quantize(capture(model, images(1)), [images(16)])
        with torch.no_grad():
            wanted = model(images(4))
        assert (run(program, images(4)).logits - wanted).abs().mean() < 0.1 * wanted.abs().mean() + 0.01
    finally:
        del moves.MOVES[op]
