"""Capture: the user's module untouched, every operation at a site of its place, every row with its image."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from radhard.errors import CaptureError, InputError
from radhard.faults import Faults, Faulty, trace
from radhard.machine import Clean, Operator
from radhard.models.vision import import_timm
from radhard.operators import Lowered, Mul, lowers
from radhard.program import Apply, Program, capture, register_move, run
from tests.support.models import DIM, MultiheadViT, TinyViT, images, seeded, tiny_program

LOGITS = {"rtol": 1e-5, "atol": 1e-5}


def test_the_module_is_untouched() -> None:
    model = seeded(TinyViT())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [parameter.requires_grad for parameter in model.parameters()]
    kinds = [type(module) for module in model.modules()]
    forward = model.forward
    capture(model, images(3))
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert [parameter.requires_grad for parameter in model.parameters()] == gradients
    assert [type(module) for module in model.modules()] == kinds
    assert not any(module.training for module in model.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model.modules())
    assert model.forward == forward


@pytest.mark.parametrize("kind", [TinyViT, MultiheadViT])
def test_agrees_with_the_eager_model_for_any_batch(kind: type) -> None:
    model, program = seeded(kind()), tiny_program("float", kind)
    for size in (1, 2, 9):
        x = images(size, seed=size)
        with torch.no_grad():
            torch.testing.assert_close(run(program, x).logits, model(x), **LOGITS)


def test_a_change_of_the_module_afterwards_does_not_matter_to_a_copy() -> None:
    model = seeded(TinyViT())
    program = capture(copy.deepcopy(model), images(1))
    with torch.no_grad():
        wanted = model(images(2))
        model.head.weight.zero_()
    torch.testing.assert_close(run(program, images(2)).logits, wanted, **LOGITS)


def block(number: int) -> list[tuple[str, str, str, str]]:
    """(site, operator, layer, module) of a block, in order."""
    layer = f"blocks.{number}"
    attention = [
        ("norm1", "layer_norm", "NLF"),
        ("attn.qkv.load", "load", "MHA-LF"),
        ("attn.qkv", "linear", "MHA-LF"),
        ("attn.mul", "mul", "MHA-LF"),
        ("attn.matmul.load", "load", "MHA-LF"),
        ("attn.matmul.load#2", "load", "MHA-LF"),
        ("attn.matmul", "matmul", "MHA-LF"),
        ("attn.softmax", "softmax", "NLF"),
        ("attn.matmul.load#3", "load", "MHA-LF"),
        ("attn.matmul.load#4", "load", "MHA-LF"),
        ("attn.matmul#2", "matmul", "MHA-LF"),
        ("attn.proj.load", "load", "MHA-LF"),
        ("attn.proj", "linear", "MHA-LF"),
        ("add", "add", "Residual"),
    ]
    feed_forward = [
        ("norm2", "layer_norm", "NLF"),
        ("mlp.fc1.load", "load", "FF-LF"),
        ("mlp.fc1", "linear", "FF-LF"),
        ("mlp.act", "gelu", "NLF"),
        ("mlp.fc2.load", "load", "FF-LF"),
        ("mlp.fc2", "linear", "FF-LF"),
        ("add#2", "add", "Residual"),
    ]
    return [(f"{layer}.{name}", operator, layer, module) for name, operator, module in attention + feed_forward]


def stem(patch: str) -> list[tuple[str, str, str, str]]:
    return [
        (f"{patch}.load", "load", "stem", "Embed"),
        (patch, "conv2d", "stem", "Embed"),
        ("add", "add", "stem", "Embed"),
    ]


HEAD = [
    ("norm", "layer_norm", "head", "NLF"),
    ("head.load", "load", "head", "Head"),
    ("head", "linear", "head", "Head"),
]


def anatomy_of(program: Program) -> list[tuple[str, str, str, str]]:
    return [(site.name, site.operator, site.layer, site.module) for site in program.sites]


def test_anatomy_of_the_tiny_vit() -> None:
    program = tiny_program("float")
    assert anatomy_of(program) == [*stem("patch_embed"), *block(0), *block(1), *HEAD]
    assert not any(site.guessed for site in program.sites)


def test_anatomy_of_a_timm_vit() -> None:
    shape = {"img_size": 16, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 5}
    model = import_timm().create_model("vit_tiny_patch16_224", **shape).eval()
    x = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    program = capture(model, x)
    assert anatomy_of(program) == [*stem("patch_embed.proj"), *block(0), *block(1), *HEAD]
    assert not any(site.guessed for site in program.sites)
    with torch.no_grad():
        torch.testing.assert_close(run(program, x).logits, model(x), **LOGITS)


def test_both_products_of_attention_keep_their_operands() -> None:
    """[B, heads, tokens, tokens] and [B, heads, tokens, dim]: 17 tokens, 2 heads of 8."""
    program = tiny_program("float")
    costs = {site.name: cost for site, cost in program.costs.items()}
    assert costs["blocks.0.attn.matmul"].operations("mul") == 2 * 17 * 17 * 8
    assert costs["blocks.0.attn.matmul#2"].operations("mul") == 2 * 17 * 8 * 17
    assert costs["blocks.0.attn.softmax"].operations("special") == 2 * 17 * 18
    assert costs["blocks.0.attn.matmul.load#2"].operations("load") == 17 * DIM


class Elsewhere(nn.Module):
    """Names that no rule knows."""

    def __init__(self) -> None:
        super().__init__()
        self.weird = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.weird(x)


def test_what_no_rule_names_is_guessed_and_an_override_is_not() -> None:
    model = seeded(Elsewhere())
    by_name = {site.name: site for site in capture(model, images(1)).sites}
    assert by_name["weird.1"].guessed
    assert (by_name["weird.1"].layer, by_name["weird.1"].module) == ("weird", "FC")
    told = capture(model, images(1), anatomy={"weird.1": ("first", "Embed"), "weird.*": ("second", "Head")})
    by_name = {site.name: site for site in told.sites}
    assert (by_name["weird.1"].layer, by_name["weird.1"].module) == ("first", "Embed")
    assert (by_name["weird.3"].layer, by_name["weird.3"].module) == ("second", "Head")
    assert not by_name["weird.1"].guessed


class Windows(nn.Module):
    """As Swin: the batch and four windows of it in one axis, windows inside."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(16, 16)
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        b = x.shape[0]
        x = x.reshape(b, 2, 4, 2, 4).permute(0, 1, 3, 2, 4).reshape(b * 4, 16)
        x = torch.softmax(self.mix(x), dim=-1)
        return self.head(x.reshape(b, 64))


class TokensOutside(nn.Module):
    """Tokens outside the batch, as [tokens, batch, channels] and folded as [tokens batch, channels]."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(8, 8)
        self.again = nn.Linear(8, 8)
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(x.reshape(-1, 8, 8).transpose(0, 1))
        x = self.again(x.reshape(-1, 8)).reshape(8, -1, 8)
        return self.head(x.transpose(0, 1).flatten(1))


@pytest.mark.parametrize(
    ("kind", "site", "axis", "rows", "blocks"),
    [
        (Windows, "mix", 0, 4, 1),
        (Windows, "softmax", 0, 4, 1),
        (Windows, "head", 0, 1, 1),
        (TokensOutside, "mix", 1, 1, 1),
        (TokensOutside, "again", 0, 8, 8),
        (TokensOutside, "head", 0, 1, 1),
    ],
)
def test_rows_are_attributed(kind: type, site: str, axis: int, rows: int, blocks: int) -> None:
    program = capture(seeded(kind()), images(2))
    (found,) = [one for one in program.sites if one.name == site]
    assert (found.batch_axis, found.rows_per_image, found.blocks) == (axis, rows, blocks)


@pytest.mark.parametrize("kind", [Windows, TokensOutside, MultiheadViT])
def test_a_fault_of_an_image_stays_in_the_image(kind: type) -> None:
    """Image 3 alone is faulty, at all sites and at a rate that hits everything; then the others must be clean."""
    program = capture(seeded(kind()), images(2))
    x = images(5)
    clean = run(program, x).logits
    faults = Faults(ber=1e-3, seed=1, kinds={"mul", "add", "load"})

    of_image_3 = trace(program, faults, torch.arange(5)).only(np.array([3]))
    got = run(program, x, Faulty(Clean(), of_image_3)).logits
    assert torch.equal(got[[0, 1, 2, 4]], clean[[0, 1, 2, 4]])
    assert not torch.equal(got[3], clean[3])
    alone = run(program, x[3:4], Faulty(Clean(), faults), ids=torch.tensor([3])).logits
    torch.testing.assert_close(got[3:4], alone, rtol=1e-4, atol=1e-4, equal_nan=True)


class Mixes(nn.Module):
    def __init__(self, mixed: str) -> None:
        super().__init__()
        self.mixed = mixed
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if self.mixed == "mean":
            x = x - x.mean(0)
        elif self.mixed == "neighbour":
            x = x + torch.roll(x, 1, 0)
        else:
            x = x + torch.softmax(x, dim=0)
        return self.head(x)


@pytest.mark.parametrize(("mixed", "site"), [("mean", "'mean'"), ("neighbour", "'add'"), ("softmax", "'softmax'")])
def test_a_model_that_mixes_images_is_refused(mixed: str, site: str) -> None:
    with pytest.raises(CaptureError, match=f"site {site}"):
        capture(seeded(Mixes(mixed)), images(2))


class Cumulative(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Cumsum()
        self.head = nn.Linear(64, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stage(x.flatten(1)))


class Cumsum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(1)


def test_an_unregistered_operation_is_named() -> None:
    with pytest.raises(CaptureError, match=r"aten\.cumsum\.default in module 'stage'.*lowers\(op\)") as error:
        capture(seeded(Cumulative()), images(2))
    assert "register_move" in str(error.value)


def test_registering_twice_raises() -> None:
    aten = torch.ops.aten
    for op in (aten.linear.default, aten.permute.default):
        with pytest.raises(ValueError, match="registered already"):
            lowers(op)(lambda x: Lowered(operator=Mul(), inputs=(x,)))
    with pytest.raises(ValueError, match="registered"):
        register_move(aten.permute.default)


def test_an_operation_registered_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    from radhard.operators import aten

    monkeypatch.setattr(aten, "_KNOWN", dict(aten._KNOWN))

    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.square(x.flatten(1))

    assert [site.operator for site in capture(Square().eval(), images(2)).sites] == ["power"]
    lowers(torch.ops.aten.square.default)(lambda x: Lowered(operator=Mul(), inputs=(x, x)))
    program = capture(Square().eval(), images(2))
    assert torch.equal(run(program, images(2)).logits, images(2).flatten(1) ** 2)
    assert [site.operator for site in program.sites] == ["mul"]


def test_an_operation_registered_as_another_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    from radhard.operators import aten

    monkeypatch.setattr(aten, "_KNOWN", dict(aten._KNOWN))

    class Digamma(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.digamma(x.flatten(1))

    with pytest.raises(CaptureError, match="digamma"):
        capture(Digamma().eval(), images(2))
    lowers(torch.ops.aten.digamma.default)(lambda x: Lowered(operator=Mul(), inputs=(x, x)))
    with pytest.raises(CaptureError, match="the program of Digamma gives other answers than the module"):
        capture(Digamma().eval(), images(2))


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) * 2 if x.sum() > 0 else x.flatten(1)


def test_what_cannot_be_captured() -> None:
    with pytest.raises(
        CaptureError,
        match=r"refuses Branches .* at .*test_capture\.py, line \d+, in forward: `return x\.flatten\(1\) \* 2 if",
    ):
        capture(Branches().eval(), images(2))
    with pytest.raises(InputError, match=r"TinyViT is in training mode.*eval\(\)"):
        capture(seeded(TinyViT()).train(), images(2))
    for example in (images(2).double(), images(0), torch.zeros(3), "images"):
        with pytest.raises(InputError, match="example"):
            capture(seeded(TinyViT()), example)
    with pytest.raises(CaptureError, match=r"TinyViT does not take images \[3, 8, 8\].* at .*models\.py, line \d+"):
        capture(seeded(TinyViT()), torch.zeros(2, 3, 8, 8))


class Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 2, x + 1


class Constant(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


def test_what_a_model_must_return() -> None:
    with pytest.raises(CaptureError, match=r"Two returns a tuple .*lambda module, images, out: out\[0\]"):
        capture(Two().eval(), images(2))
    with pytest.raises(CaptureError, match="nothing that depends"):
        capture(Constant().eval(), images(2))


def test_bad_images_and_identities() -> None:
    program = tiny_program("float")
    for shape in ((2, 1, 8, 9), (2, 3, 8, 8), (1, 8, 8)):
        with pytest.raises(InputError, match=r"takes \[B, 1, 8, 8\]"):
            run(program, torch.zeros(shape))
    with pytest.raises(InputError, match=r"float64.*\.float\(\)"):
        run(program, images(2).double())
    for ids in (torch.arange(3), torch.arange(2, dtype=torch.int32), torch.zeros(2, 1, dtype=torch.int64)):
        with pytest.raises(InputError, match="ids"):
            run(program, images(2), ids=ids)


def test_a_module_called_twice_has_numbered_sites() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(64, 64)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(torch.relu(self.fc(x.flatten(1))))

    program = capture(seeded(Twice()), images(2))
    assert [site.name for site in program.sites if site.operator == "linear"] == ["fc", "fc#2"]


def test_a_float_program_under_faults() -> None:
    program = tiny_program("float")
    got = run(program, images(8), Faulty(Clean(), Faults(ber=1e-5, seed=3)))
    clean = run(program, images(8))
    assert not torch.equal(got.logits, clean.logits)
    assert program.backends == {}
    assert all(isinstance(step.operator, Operator) for step in program.steps if isinstance(step, Apply))


class Gram(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return x @ x.transpose(0, 1)


def test_an_output_with_two_axes_of_images_is_refused() -> None:
    with pytest.raises(CaptureError, match=r"matmul.*no one axis carries the images"):
        capture(Gram().eval(), images(2))
