"""The matrix products of a program, against sizes that were worked out by hand."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from radhard.program import Program, capture, quantize
from radhard.protection import Shape, products_of
from tests.support.models import CLASSES, MultiheadViT, TinyViT, images, seeded, tiny_program


class Windows(nn.Module):
    """Swin's: 4 x 4 tokens of 8 channels, shifted, in four windows of 2 x 2, two heads in each."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(1, 8, 2, stride=2)
        self.norm = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.proj = nn.Linear(8, 8, bias=False)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.patch_embed(x).permute(0, 2, 3, 1))  # [B, 4, 4, 8]
        y = torch.roll(x, (-1, -1), (1, 2)).view(-1, 2, 2, 2, 2, 8).transpose(2, 3).reshape(-1, 4, 8)
        q, k, v = self.qkv(y).reshape(-1, 4, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 4, 8)
        y = self.proj(y).view(-1, 2, 2, 2, 2, 8).transpose(2, 3).reshape(-1, 4, 4, 8)
        return self.head((x + torch.roll(y, (1, 1), (1, 2))).mean((1, 2)))


class Residual(nn.Module):
    """A ResNet of one block: a strided convolution in groups, and one that goes around it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.conv1 = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=4)
        self.conv2 = nn.Conv2d(8, 16, (1, 3), padding=(0, 1), bias=False)
        self.down = nn.Conv2d(8, 16, 1, stride=2)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        y = self.conv2(functional.relu(self.conv1(x)))
        return self.fc(functional.relu(y + self.down(x)).mean((2, 3)))


class Encoder(nn.Module):
    """nn.TransformerEncoder as it comes: [tokens, batch, channels]."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(1, 16, 4, stride=4)
        layer = nn.TransformerEncoderLayer(16, 2, dim_feedforward=24, dropout=0.0)
        self.encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.patch_embed(x).flatten(2).permute(2, 0, 1)).mean(0))


def weight(m: int, k: int, n: int) -> tuple[int, Shape]:
    return 1, Shape(m=m, k=k, n=n, bias=True)


def attention(count: int, m: int, k: int, n: int) -> tuple[int, Shape]:
    return count, Shape(m=m, k=k, n=n, stored=False)


BLOCK = [
    weight(17, 16, 48),
    attention(2, 17, 8, 17),
    attention(2, 17, 17, 8),
    weight(17, 16, 16),
    weight(17, 16, 32),
    weight(17, 32, 16),
]
EXPECTED: dict[type[nn.Module], list[tuple[int, Shape]]] = {
    TinyViT: [weight(16, 4, 16), *BLOCK, *BLOCK, weight(1, 16, 5)],
    MultiheadViT: [
        weight(4, 16, 16),
        weight(4, 16, 48),
        attention(2, 4, 8, 4),
        attention(2, 4, 4, 8),
        weight(4, 16, 16),
        weight(1, 16, 5),
    ],
    Windows: [
        weight(16, 4, 8),
        weight(16, 8, 24),
        attention(4 * 2, 4, 4, 4),
        attention(4 * 2, 4, 4, 4),
        weight(16, 8, 8),  # none of its own: bias correction gives it one
        weight(1, 8, 5),
    ],
    Residual: [
        weight(64, 9, 8),  # the bias is the folded norm's
        (4, Shape(m=16, k=2 * 9, n=2, bias=True)),
        weight(16, 8 * 3, 16),  # as above
        weight(16, 8, 16),
        weight(1, 16, 5),
    ],
    Encoder: [
        weight(4, 16, 16),
        weight(4, 16, 48),
        attention(2, 4, 8, 4),
        attention(2, 4, 4, 8),
        weight(4, 16, 16),
        weight(4, 16, 24),
        weight(4, 24, 16),
        weight(1, 16, 5),
    ],
}


@cache
def program_of(kind: type[nn.Module]) -> Program:
    if kind in (TinyViT, MultiheadViT):
        return tiny_program("int8", kind)
    return quantize(capture(seeded(kind()), images(2)), [images(8, seed=2)], recipe="int8")


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_products_are_those_worked_out_by_hand(kind: type[nn.Module]) -> None:
    found = products_of(program_of(kind))
    assert found.refused == {}
    both = sorted((p.count, str(p.shape)) for p in found.found.values())
    assert both == sorted((count, str(shape)) for count, shape in EXPECTED[kind])


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_their_volumes_are_the_multiplications_that_are_counted(kind: type[nn.Module]) -> None:
    program = program_of(kind)
    found = products_of(program).found
    by_name = {site.name: cost.operations("mul") for site, cost in program.costs.items()}
    for name, product in found.items():
        shape = product.shape
        assert product.count * shape.m * shape.k * shape.n == by_name[name], name
        assert product.site.name == name
    assert sum(by_name[name] for name in found) == sum(
        count * shape.m * shape.k * shape.n for count, shape in EXPECTED[kind]
    )
    assert list(found) == [site.name for site in program.sites if site.name in found]


def test_products_of_floats_are_refused_with_the_reason() -> None:
    found = products_of(tiny_program("float"))
    assert found.found == {}
    assert len(found.refused) == len(EXPECTED[TinyViT])
    for name, why in found.refused.items():
        assert why.startswith(f"site {name!r}: ")
        assert "torch.float32" in why
        assert "quantise" in why
