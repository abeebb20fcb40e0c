"""Models as people write them by hand: blocks whose forward does it all, modules of one level, names that say little.

Each takes images [B, 1, 8, 8] and gives logits [B, 5]; the tokens are 16 patches of 2 x 2, of 16 channels, 2 heads of
8 each.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

DIM, HEADS, HEAD_DIM, TOKENS, CLASSES = 16, 2, 8, 16, 5


def split(x: Tensor) -> Tensor:
    """[B, N, D] -> [B, heads, N, d]."""
    return x.view(x.shape[0], -1, HEADS, HEAD_DIM).transpose(1, 2)


def merge(x: Tensor) -> Tensor:
    """[B, heads, N, d] -> [B, N, D]."""
    return x.transpose(1, 2).flatten(2)


class Trunk(nn.Module):
    """Patches, two blocks in a list that is called what no list is, a mean, and the classifier."""

    def __init__(self, block: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.cut = nn.Conv2d(1, DIM, 2, stride=2)
        self.pieces = nn.ModuleList([block(), block()])
        self.last = nn.LayerNorm(DIM)
        self.out = nn.Linear(DIM, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.cut(images).flatten(2).transpose(1, 2)
        for piece in self.pieces:
            x = piece(x)
        return self.out(self.last(x).mean(1))


class Piece(nn.Module):
    """A pre-norm block with everything in its own forward; `attend` is what variants write otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.LayerNorm(DIM)
        self.b = nn.LayerNorm(DIM)
        self.up = nn.Linear(DIM, 32)
        self.down = nn.Linear(32, DIM)
        self.make()

    def make(self) -> None:
        self.three = nn.Linear(DIM, 3 * DIM)
        self.back = nn.Linear(DIM, DIM)

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = self.three(x).chunk(3, dim=-1)
        weights = (split(q) @ split(k).transpose(-2, -1) * HEAD_DIM**-0.5).softmax(-1)
        return self.back(merge(weights @ split(v)))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.a(x))
        return x + self.down(functional.gelu(self.up(self.b(x))))


class Separate(Piece):
    def make(self) -> None:
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(DIM, DIM) for _ in range(4))

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = (split(w(x)) for w in (self.wq, self.wk, self.wv))
        q = q * HEAD_DIM**-0.5
        return self.wo(merge((q @ k.transpose(-2, -1)).softmax(-1) @ v))


class Unbound(Piece):
    def attend(self, x: Tensor) -> Tensor:
        b, n, _ = x.shape
        q, k, v = self.three(x).reshape(b, n, 3, HEADS, HEAD_DIM).permute(2, 0, 3, 1, 4).unbind(0)
        return self.back(merge(((q / math.sqrt(HEAD_DIM)) @ k.mT).softmax(-1) @ v))


class Cut(Piece):
    def attend(self, x: Tensor) -> Tensor:
        q, k, v = torch.split(self.three(x), DIM, dim=2)
        return self.back(merge(functional.softmax(split(q) @ split(k).mT, dim=-1) @ split(v)))


class Einsum(Piece):
    def attend(self, x: Tensor) -> Tensor:
        q, k, v = self.three(x).view(x.shape[0], -1, 3, HEADS, HEAD_DIM).unbind(2)
        weights = torch.einsum("bihd,bjhd->bhij", q, k).mul(HEAD_DIM**-0.5).softmax(-1)
        return self.back(torch.einsum("bhij,bjhd->bihd", weights, v).flatten(2))


class Fused(Piece):
    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, dim=-1))
        return self.back(merge(functional.scaled_dot_product_attention(q, k, v)))


class SingleHead(Piece):
    def attend(self, x: Tensor) -> Tensor:
        q, k, v = self.three(x).chunk(3, dim=-1)
        return self.back(torch.softmax(q @ k.transpose(1, 2) / 4, dim=-1) @ v)


class Biased(Piece):
    """A relative bias that is added, and a mask."""

    def make(self) -> None:
        super().make()
        self.table = nn.Parameter(torch.zeros(HEADS, TOKENS, TOKENS))
        self.register_buffer("mask", torch.ones(TOKENS, TOKENS).tril().bool())

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, dim=-1))
        scores = (q @ k.mT) * HEAD_DIM**-0.5 + self.table
        return self.back(merge(scores.masked_fill(~self.mask, -1e4).softmax(-1) @ v))


class TalkingHeads(Piece):
    """Heads are mixed before the softmax by a linear layer, after it by a convolution of 1 x 1."""

    def make(self) -> None:
        super().make()
        self.pre = nn.Linear(HEADS, HEADS)
        self.post = nn.Conv2d(HEADS, HEADS, 1)

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, dim=-1))
        scores = self.pre((q @ k.mT).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.back(merge(self.post(scores.softmax(-1)) @ v))


class LinearAttention(Piece):
    """No softmax over scores: by the graph no attention."""

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, dim=-1))
        return self.back(merge(torch.relu(q) @ (torch.relu(k).mT @ v)))


class CrossAttention(Piece):
    """Queries are of the first token alone, as in class attention; keys and values of all."""

    def make(self) -> None:
        self.ask = nn.Linear(DIM, DIM)
        self.tell = nn.Linear(DIM, 2 * DIM)
        self.back = nn.Linear(DIM, DIM)

    def attend(self, x: Tensor) -> Tensor:
        k, v = self.tell(x).chunk(2, dim=-1)
        weights = (split(self.ask(x[:, :1])) @ split(k).mT).softmax(-1)
        return self.back(merge(weights @ split(v))).expand(-1, TOKENS, -1)


class Shrunken(Piece):
    """Keys and values of a map that a convolution has shrunk (PVT), queries of a depthwise one (CvT)."""

    def make(self) -> None:
        self.shrink = nn.Conv2d(DIM, DIM, 2, stride=2)
        self.near = nn.Conv2d(DIM, DIM, 3, padding=1, groups=DIM)
        self.ask, self.back = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM)
        self.tell = nn.Linear(DIM, 2 * DIM)
        self.c = nn.LayerNorm(DIM)

    def attend(self, x: Tensor) -> Tensor:
        plane = x.transpose(1, 2).unflatten(2, (4, 4))
        q = split(self.ask(self.near(plane).flatten(2).transpose(1, 2)))
        k, v = self.tell(self.c(self.shrink(plane).flatten(2).transpose(1, 2))).chunk(2, dim=-1)
        return self.back(merge((q @ split(k).mT).softmax(-1) @ split(v)))


class Convolutional(nn.Module):
    """Maps instead of tokens: 1 x 1 convolutions project, and an MLP of them has a depthwise one within."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.GroupNorm(1, DIM), nn.GroupNorm(1, DIM)
        self.three, self.back = nn.Conv2d(DIM, 3 * DIM, 1), nn.Conv2d(DIM, DIM, 1)
        self.up, self.down = nn.Conv2d(DIM, 32, 1), nn.Conv2d(32, DIM, 1)
        self.near = nn.Conv2d(32, 32, 3, padding=1, groups=32)

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2).unflatten(2, (4, 4))
        q, k, v = self.three(self.a(x)).flatten(2).unflatten(1, (3, HEADS, HEAD_DIM)).unbind(1)
        x = x + self.back((v @ (q.mT @ k).softmax(-1).mT).flatten(1, 2).unflatten(2, (4, 4)))
        x = x + self.down(functional.relu(self.near(self.up(self.b(x)))))
        return x.flatten(2).transpose(1, 2)


class PostNorm(Piece):
    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x + self.attend(x))
        return self.b(x + self.down(torch.relu(self.up(x))))


class Parallel(Piece):
    """Attention and MLP beside each other, added in one sum, each scaled by a weight a channel."""

    def make(self) -> None:
        super().make()
        self.one, self.two = nn.Parameter(torch.ones(DIM)), nn.Parameter(torch.ones(DIM))

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        return x + self.one * self.attend(y) + self.two * self.down(functional.silu(self.up(self.b(x))))


class Gated(Piece):
    """SwiGLU from two halves, its activation written out; norms of queries and keys; a rotation."""

    def make(self) -> None:
        super().make()
        self.up = nn.Linear(DIM, 64)
        self.c, self.d = nn.LayerNorm(HEAD_DIM), nn.LayerNorm(HEAD_DIM)
        self.register_buffer("turn", torch.linspace(0, 1, TOKENS * HEAD_DIM).view(TOKENS, HEAD_DIM))

    def turned(self, x: Tensor) -> Tensor:
        other = torch.cat([-x[..., HEAD_DIM // 2 :], x[..., : HEAD_DIM // 2]], -1)
        return x * self.turn + other * self.turn

    def attend(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.three(x).chunk(3, dim=-1))
        return self.back(merge((self.turned(self.c(q)) @ self.turned(self.d(k)).mT).softmax(-1) @ v))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attend(self.a(x))
        gate, y = self.up(self.b(x)).chunk(2, dim=-1)
        return x + self.down(gate * torch.sigmoid(gate) * y)


class Mixer(nn.Module):
    """No attention: tokens are mixed by an MLP, then channels."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.of_tokens = nn.Sequential(nn.Linear(TOKENS, 24), nn.GELU(), nn.Linear(24, TOKENS))
        self.of_channels = nn.Sequential(nn.Linear(DIM, 32), nn.GELU(), nn.Linear(32, DIM))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.of_tokens(self.a(x).transpose(1, 2)).transpose(1, 2)
        return x + self.of_channels(self.b(x))


class OneLevel(nn.Module):
    """All in the model's own forward: two blocks without a module of theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(1, DIM, 2, stride=2)
        self.n1, self.n2, self.n3, self.n4, self.n5 = (nn.LayerNorm(DIM) for _ in range(5))
        self.w1, self.w5 = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, 3 * DIM)
        self.w2, self.w6 = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM)
        self.w3, self.w7 = nn.Linear(DIM, 32), nn.Linear(DIM, 32)
        self.w4, self.w8 = nn.Linear(32, DIM), nn.Linear(32, DIM)
        self.out = nn.Linear(DIM, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.cut(images).flatten(2).transpose(1, 2)
        for n, m, w, o, u, d in (
            (self.n1, self.n2, self.w1, self.w2, self.w3, self.w4),
            (self.n3, self.n4, self.w5, self.w6, self.w7, self.w8),
        ):
            q, k, v = map(split, w(n(x)).chunk(3, dim=-1))
            x = x + o(merge((q @ k.mT * HEAD_DIM**-0.5).softmax(-1) @ v))
            x = x + d(functional.gelu(u(m(x))))
        return self.out(self.n5(x).mean(1))


class Functional(nn.Module):
    """No modules at all: parameters, matrix products, a norm and a softmax written out."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.ParameterDict(
            {
                "patch": torch.zeros(4, DIM),
                **{f"qkv{k}": torch.zeros(DIM, 3 * DIM) for k in (0, 1)},
                **{f"bias{k}": torch.zeros(3 * DIM) for k in (0, 1)},
                **{f"proj{k}": torch.zeros(DIM, DIM) for k in (0, 1)},
                **{f"up{k}": torch.zeros(DIM, 32) for k in (0, 1)},
                **{f"down{k}": torch.zeros(32, DIM) for k in (0, 1)},
                "out": torch.zeros(DIM, CLASSES),
            }
        )

    def norm(self, x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5)

    def forward(self, images: Tensor) -> Tensor:
        w = self.w
        x = functional.unfold(images, 2, stride=2).transpose(1, 2) @ w["patch"]
        for k in (0, 1):
            q, key, v = map(split, (self.norm(x) @ w[f"qkv{k}"] + w[f"bias{k}"]).chunk(3, dim=-1))
            scores = torch.exp(q @ key.mT - 3.0)
            x = x + merge(scores / scores.sum(-1, keepdim=True) @ v) @ w[f"proj{k}"]
            x = x + torch.relu(self.norm(x) @ w[f"up{k}"]) @ w[f"down{k}"]
        return x.mean(1) @ w["out"]


class Add(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + x


class Attend(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Linear(DIM, 3 * DIM)
        self.l2 = nn.Linear(DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = map(split, self.l1(x).chunk(3, dim=-1))
        return self.l2(merge((q @ k.mT).softmax(-1) @ v))


class Tokens(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).transpose(1, 2)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(DIM), nn.Linear(DIM, 32), nn.GELU(), nn.Linear(32, DIM))


def nested() -> nn.Module:
    """Nothing but nn.Sequential in nn.Sequential, and a wrapper that adds."""
    block = [nn.Sequential(Add(nn.Sequential(nn.LayerNorm(DIM), Attend())), Add(perceptron())) for _ in range(2)]
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, DIM, 2, stride=2), Tokens()),
        nn.Sequential(*block),
        nn.Sequential(nn.LayerNorm(DIM), Mean(), nn.Linear(DIM, CLASSES)),
    )


class Residual(Add):
    """The wrapper under the name that many give it."""


def wrapped() -> nn.Module:
    """As in einops-style code: a list of lists, each part in a wrapper."""

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(
                [
                    nn.ModuleList([Residual(nn.Sequential(nn.LayerNorm(DIM), Attend())), Residual(perceptron())])
                    for _ in range(2)
                ]
            )

        def forward(self, x: Tensor) -> Tensor:
            for attend, forward in self.layers:
                x = forward(attend(x))
            return x

    return nn.Sequential(
        nn.Conv2d(1, DIM, 2, stride=2), Tokens(), Transformer(), Mean(), nn.LayerNorm(DIM), nn.Linear(DIM, CLASSES)
    )


class Flat(nn.Module):
    """`layers` numbers parts, not blocks: norm, attention, norm, MLP, norm ..."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(1, DIM, 2, stride=2)
        parts = [[nn.LayerNorm(DIM), Attend(), nn.LayerNorm(DIM), perceptron()[1:]] for _ in range(2)]
        self.layers = nn.ModuleList([part for block in parts for part in block])
        self.out = nn.Linear(DIM, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.cut(images).flatten(2).transpose(1, 2)
        for k in range(0, 8, 2):
            x = x + self.layers[k + 1](self.layers[k](x))
        return self.out(x.mean(1))


class Liar(nn.Module):
    """`attn` is the MLP, `fc` the attention."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.fc = Attend()
        self.attn = perceptron()[1:]

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.fc(self.norm1(x))
        return x + self.attn(self.norm2(x))


class HeadIsABlock(nn.Module):
    """The last block is called `head`, the classifier `block`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, DIM, 2, stride=2)
        self.blocks = nn.ModuleList([Liar()])
        self.head = Liar()
        self.block = nn.Linear(DIM, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images).flatten(2).transpose(1, 2)
        return self.block(self.head(self.blocks[0](x)).mean(1))


class Multihead(Piece):
    def make(self) -> None:
        self.look = nn.MultiheadAttention(DIM, HEADS, batch_first=True)

    def attend(self, x: Tensor) -> Tensor:
        return self.look(x, x, x, need_weights=False)[0]


def encoder_layers(*, first: bool) -> nn.Module:
    def layer() -> nn.Module:
        return nn.TransformerEncoderLayer(DIM, HEADS, 32, batch_first=True, norm_first=first)

    return nn.Sequential(nn.Conv2d(1, DIM, 2, stride=2), Tokens(), layer(), layer(), Mean(), nn.Linear(DIM, CLASSES))
