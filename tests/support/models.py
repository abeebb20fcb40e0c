"""Small models, written by hand: a vision transformer, one with nn.MultiheadAttention, and their programs."""

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from radhard.program import Program, capture, quantize

CLASSES, DIM, HEADS, TOKENS = 5, 16, 2, 17


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(DIM, 3 * DIM)
        self.proj = nn.Linear(DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        x = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(b, n, c))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(DIM, 2 * DIM)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(2 * DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(DIM)
        self.attn = Attention()
        self.norm2 = nn.LayerNorm(DIM)
        self.mlp = Mlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TinyViT(nn.Module):
    """Images [B, 1, 8, 8] -> logits [B, 5]: 16 patches of 2 x 2 and a class token, two blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(1, DIM, 2, stride=2)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, DIM))
        self.pos_embed = nn.Parameter(torch.zeros(1, TOKENS, DIM))
        self.blocks = nn.ModuleList([Block(), Block()])
        self.norm = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


class MultiheadViT(nn.Module):
    """The same size around nn.MultiheadAttention, which keeps its batch in the middle: [tokens, batch, channels]."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(1, DIM, 4, stride=4)
        self.norm = nn.LayerNorm(DIM)
        self.self_attention = nn.MultiheadAttention(DIM, HEADS)
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images).flatten(2).permute(2, 0, 1)
        y = self.norm(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return self.head(x.mean(0))


class Projection(nn.Module):
    """A product of images with a matrix, and no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(64, 5))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.matrix


def seeded(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights from a generator of the test's own, in eval mode: large enough that logits differ between images."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.3 if parameter.ndim > 1 else 0.1
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * spread)
            if "norm" in name and name.endswith("weight"):
                parameter += 1.0
    return model.eval()


def images(count: int, *, seed: int = 1) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


@cache
def tiny_program(recipe: str = "float", kind: type[nn.Module] = TinyViT) -> Program:
    """A program of the tiny ViT in one of the recipes, made once: programs are never changed."""
    if recipe == "float":
        return capture(seeded(kind()), images(2))
    return quantize(tiny_program("float", kind), [images(16, seed=2)], recipe=recipe)
