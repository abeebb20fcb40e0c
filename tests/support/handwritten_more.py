"""More models as people write them by hand: attentions of other forms, MLPs written out, blocks of other orders."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.support.handwritten import (
    CLASSES,
    DIM,
    HEAD_DIM,
    HEADS,
    Attend,
    OneLevel,
    Piece,
    PostNorm,
    Trunk,
    merge,
    perceptron,
    split,
)


class Elementwise(Piece):
    """Both products of attention as sums of elementwise ones."""

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, -1))
        weights = (q.unsqueeze(3) * k.unsqueeze(2)).sum(-1).softmax(-1)
        return self.back(merge((weights.unsqueeze(-1) * v.unsqueeze(2)).sum(3)))


class Unprojected(Piece):
    """Queries, keys and values are the tokens themselves."""

    def make(self) -> None:
        """Nothing to project with."""

    def attend(self, x: Tensor) -> Tensor:
        return (x @ x.mT / 4).softmax(-1) @ x


class SharedKeys(Piece):
    """One head of keys and values for all heads of queries."""

    def make(self) -> None:
        self.ask, self.tell, self.back = nn.Linear(DIM, DIM), nn.Linear(DIM, 2 * HEAD_DIM), nn.Linear(DIM, DIM)

    def attend(self, x: Tensor) -> Tensor:
        k, v = (t.unsqueeze(1).expand(-1, HEADS, -1, -1) for t in self.tell(x).chunk(2, -1))
        return self.back(merge(functional.scaled_dot_product_attention(split(self.ask(x)), k, v)))


class Windows(Piece):
    """Attention within four windows of four tokens, folded into the batch."""

    def attend(self, x: Tensor) -> Tensor:
        b = x.shape[0]
        x = x.view(b, 2, 2, 2, 2, DIM).permute(0, 1, 3, 2, 4, 5).reshape(b * 4, 4, DIM)
        q, k, v = map(split, self.three(x).chunk(3, -1))
        y = self.back(merge((q @ k.mT).softmax(-1) @ v))
        return y.view(b, 2, 2, 2, 2, DIM).permute(0, 1, 3, 2, 4, 5).reshape(b, 16, DIM)


class Within(Piece):
    """A depthwise convolution of the values beside AV, a norm, and a gate before the projection."""

    def make(self) -> None:
        super().make()
        self.c, self.gate = nn.LayerNorm(DIM), nn.Linear(DIM, DIM)
        self.near = nn.Conv2d(DIM, DIM, 3, padding=1, groups=DIM)

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = self.three(x).chunk(3, -1)
        beside = self.near(v.transpose(1, 2).unflatten(2, (4, 4))).flatten(2).transpose(1, 2)
        y = merge((split(q) @ split(k).mT).softmax(-1) @ split(v)) + beside
        return self.back(self.c(y) * torch.sigmoid(self.gate(x)))


class LogSoftmax(Piece):
    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, -1))
        return self.back(merge(functional.log_softmax(q @ k.mT, -1).exp() @ v))


class EinsumOfHeads(Piece):
    """Re-attention: maps are mixed by a parameter."""

    def make(self) -> None:
        super().make()
        self.mix = nn.Parameter(torch.eye(HEADS))

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, -1))
        return self.back(merge(torch.einsum("bhij,hg->bgij", (q @ k.mT).softmax(-1), self.mix) @ v))


class OneProjection(Piece):
    """One linear layer makes q, k, v and the MLP's hidden values; one takes both away."""

    def make(self) -> None:
        self.three, self.back = nn.Linear(DIM, 3 * DIM + 32), nn.Linear(DIM + 32, DIM)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v, hidden = self.three(self.a(x)).split([DIM, DIM, DIM, 32], -1)
        y = merge((split(q) @ split(k).mT).softmax(-1) @ split(v))
        return x + self.back(torch.cat([y, functional.gelu(hidden)], -1))


class TwoProjections(OneProjection):
    """One linear layer makes all; each branch has one of its own at its end."""

    def make(self) -> None:
        self.three, self.back = nn.Linear(DIM, 3 * DIM + 32), nn.Linear(DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v, hidden = self.three(self.a(x)).split([DIM, DIM, DIM, 32], -1)
        y = merge((split(q) @ split(k).mT).softmax(-1) @ split(v))
        return x + self.back(y) + self.down(functional.gelu(hidden))


class Macaron(Piece):
    """Half an MLP before the attention, half of one after it."""

    def make(self) -> None:
        super().make()
        self.c, self.up0, self.down0 = nn.LayerNorm(DIM), nn.Linear(DIM, 32), nn.Linear(32, DIM)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.down0(functional.silu(self.up0(self.c(x))))
        x = x + self.attend(self.a(x))
        return x + 0.5 * self.down(functional.silu(self.up(self.b(x))))


class Twice(Piece):
    """Attention of tokens, then attention of channels."""

    def make(self) -> None:
        super().make()
        self.c, self.three2, self.back2 = nn.LayerNorm(DIM), nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.a(x))
        q, k, v = (split(t) for t in self.three2(self.c(x)).chunk(3, -1))
        x = x + self.back2(merge(((q.mT @ k).softmax(-1) @ v.mT).mT))
        return x + self.down(functional.gelu(self.up(self.b(x))))


class WrittenGelu(Piece):
    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.a(x))
        u = self.up(self.b(x))
        return x + self.down(u * 0.5 * (1 + torch.erf(u / math.sqrt(2))))


class WrittenNorm(Piece):
    """A layer normalisation in the block's own forward, weight and bias with it."""

    def make(self) -> None:
        super().make()
        self.weight, self.bias = nn.Parameter(torch.ones(DIM)), nn.Parameter(torch.zeros(DIM))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(-1, keepdim=True)
        variance = ((x - mean) ** 2).mean(-1, keepdim=True)
        x = x + self.attend((x - mean) / torch.sqrt(variance + 1e-6) * self.weight + self.bias)
        return x + self.down(functional.gelu(self.up(self.b(x))))


class Sunk(Piece):
    """A learned score beside those of the keys, which takes attention and gives no value."""

    def make(self) -> None:
        super().make()
        self.sink = nn.Parameter(torch.zeros(1, HEADS, 1, 1))

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, -1))
        scores = torch.tanh(q @ k.mT) * 30
        scores = torch.cat([scores, self.sink.expand(*scores.shape[:3], 1)], -1)
        return self.back(merge(scores.softmax(-1)[..., :-1] @ v))


class Relative(Piece):
    """Scores of positions from the queries: a product with a table."""

    def make(self) -> None:
        super().make()
        self.table = nn.Parameter(torch.zeros(16, 16, HEAD_DIM))

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, -1))
        scores = q @ k.mT + torch.einsum("bhid,ijd->bhij", q, self.table)
        return self.back(merge(scores.softmax(-1) @ v))


class Convolutions(nn.Module):
    """A residual block of a CNN, with a projection on the shortcut where it halves the map."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(into, out, 3, stride, 1), nn.Conv2d(out, out, 3, 1, 1)
        self.short = nn.Conv2d(into, out, 1, stride) if stride > 1 else nn.Identity()
        self.n = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.short(x) + self.c2(torch.relu(self.n(self.c1(x)))))


def convolutional() -> nn.Module:
    """A residual network whose names and classes say nothing."""
    body = nn.Sequential(Convolutions(4, 4, 1), Convolutions(4, 8, 2), Convolutions(8, 8, 1))
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)
    )


class ListsOfParts(nn.Module):
    """A list for each kind of part, none for the blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(1, DIM, 2, stride=2)
        self.norms = nn.ModuleList([nn.LayerNorm(DIM), nn.LayerNorm(DIM)])
        self.looks = nn.ModuleList([Attend(), Attend()])
        self.nets = nn.ModuleList([perceptron(), perceptron()])
        self.out = nn.Linear(DIM, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.cut(images).flatten(2).transpose(1, 2)
        for norm, look, net in zip(self.norms, self.looks, self.nets, strict=True):
            x = x + look(norm(x))
            x = x + net(x)
        return self.out(x.mean(1))


class TwoGates(Piece):
    """SwiGLU from two linear layers."""

    def make(self) -> None:
        super().make()
        self.gate = nn.Linear(DIM, 32)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.a(x))
        y = self.b(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y))


class Excited(nn.Module):
    """A residual block of a CNN, squeeze-and-excitation in its own forward."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(DIM, DIM, 3, padding=1), nn.Conv2d(DIM, DIM, 3, padding=1)
        self.r, self.e = nn.Linear(DIM, 4), nn.Linear(4, DIM)

    def forward(self, x: Tensor) -> Tensor:
        plane = x.transpose(1, 2).unflatten(2, (4, 4))
        y = self.c2(torch.relu(self.c1(plane)))
        gate = torch.sigmoid(self.e(torch.relu(self.r(y.mean((2, 3))))))
        return torch.relu(plane + y * gate[:, :, None, None]).flatten(2).transpose(1, 2)


class LinearByName(nn.Module):
    """A block named as timm's, its attention without a softmax."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.proj = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = map(split, self.qkv(x).chunk(3, -1))
            return self.proj(merge(torch.relu(q) @ (torch.relu(k).mT @ v)))

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(DIM), self.Attention()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attn(self.norm1(x))


class Pooled(Trunk):
    """Learned queries pool the tokens at the end."""

    def __init__(self) -> None:
        super().__init__(Piece)
        self.learned = nn.Parameter(torch.ones(1, 4, DIM))
        self.ask, self.tell, self.back = nn.Linear(DIM, DIM), nn.Linear(DIM, 2 * DIM), nn.Linear(DIM, DIM)

    def forward(self, images: Tensor) -> Tensor:
        x = self.cut(images).flatten(2).transpose(1, 2)
        for piece in self.pieces:
            x = piece(x)
        q = split(self.ask(self.learned).expand(x.shape[0], -1, -1))
        k, v = map(split, self.tell(x).chunk(2, -1))
        return self.out(self.back(merge((q @ k.mT).softmax(-1) @ v)).mean(1))


class OneLevelPostNorm(OneLevel):
    def forward(self, images: Tensor) -> Tensor:
        x = self.cut(images).flatten(2).transpose(1, 2)
        for n, m, w, o, u, d in (
            (self.n1, self.n2, self.w1, self.w2, self.w3, self.w4),
            (self.n3, self.n4, self.w5, self.w6, self.w7, self.w8),
        ):
            q, k, v = map(split, w(x).chunk(3, dim=-1))
            x = n(x + o(merge((q @ k.mT).softmax(-1) @ v)))
            x = m(x + d(functional.gelu(u(x))))
        return self.out(x.mean(1))


class Layer(Trunk):
    """A class whose name says that it is a block, around all of them."""


def trunk_called_layer() -> nn.Module:
    return nn.Sequential(Layer(PostNorm))


class Rearranged(Piece):
    """As einops writes it."""

    def attend(self, x: Tensor) -> Tensor:
        from einops import rearrange

        q, k, v = rearrange(self.three(x), "b n (s h d) -> s b h n d", s=3, h=HEADS)
        scores: Any = torch.einsum("b h i d, b h j d -> b h i j", q, k) * HEAD_DIM**-0.5
        return self.back(rearrange(scores.softmax(-1) @ v, "b h n d -> b n (h d)"))
