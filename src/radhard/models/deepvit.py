"""DeepViT (Zhou et al., *DeepViT: Towards Deeper Vision Transformer*, 2021): attention maps mixed over heads.

After the softmax a 1 x 1 convolution mixes the maps of all heads, and a batch normalisation over heads follows:
re-attention. Parameters carry the official names, so that the official checkpoints load. Of the official variants,
`deepvit_s` is the one that the paper's table describes (embedding 396, 16 blocks, 12 heads, patch 16): its stem is
convolutional, only its last 5 blocks mix their heads, and it halves what enters every branch and doubles what leaves.
"""

# mypy: disable-error-code="no-any-return"
# calling a module gives Any

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_EPS = 1e-6  # of every layer normalisation


@dataclass(frozen=True, kw_only=True)
class DeepViTShape:
    """What distinguishes one DeepViT from another; `re_attention` says of each block whether it mixes its heads.

    `scaled_maps` multiplies mixed maps by head_dim ** -0.5; `branch_scale` multiplies what enters a block's branch
    and divides what leaves it.
    """

    image: int = 224
    patch: int = 16
    channels: int = 3
    classes: int = 1000
    width: int = 384
    heads: int = 12
    mlp_ratio: int = 3
    re_attention: tuple[bool, ...] = (True,) * 16
    convolutional_stem: bool = False
    scaled_maps: bool = False
    branch_scale: float = 1.0


VARIANTS: Mapping[str, DeepViTShape] = {
    "deepvit_s": DeepViTShape(
        width=396,
        re_attention=(False,) * 11 + (True,) * 5,
        convolutional_stem=True,
        scaled_maps=True,
        branch_scale=0.5,
    ),
    "deepvit_patch16_224_re_attn_16b": DeepViTShape(),
    "deepvit_patch16_224_re_attn_24b": DeepViTShape(re_attention=(True,) * 24),
    "deepvit_patch16_224_re_attn_32b": DeepViTShape(re_attention=(True,) * 32),
    "deepvit_l": DeepViTShape(
        width=420, re_attention=(False,) * 20 + (True,) * 12, convolutional_stem=True, branch_scale=0.5
    ),
}


class PatchEmbed(nn.Module):
    """Images [B, C, H, W] -> tokens [B, H W / patch^2, width]."""

    def __init__(self, shape: DeepViTShape) -> None:
        super().__init__()
        self.proj = nn.Conv2d(shape.channels, shape.width, shape.patch, shape.patch)

    def forward(self, images: Tensor) -> Tensor:
        """One projection a patch."""
        return self.proj(images).flatten(2).transpose(1, 2)


class ConvolutionalPatchEmbed(nn.Module):
    """Images [B, C, H, W] -> tokens [B, H W / patch^2, width], by three convolutions."""

    def __init__(self, shape: DeepViTShape) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(shape.channels, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(64, 64, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.proj = nn.Conv2d(64, shape.width, shape.patch // 2, shape.patch // 2)

    def forward(self, images: Tensor) -> Tensor:
        """Two convolutions at half the size, then one projection a patch."""
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.proj(x).flatten(2).transpose(1, 2)


class ReAttention(nn.Module):
    """Multi-head self-attention [B, N, width] -> [B, N, width] whose maps are mixed over heads where `mixes`."""

    def __init__(self, shape: DeepViTShape, *, mixes: bool) -> None:
        super().__init__()
        self.heads = shape.heads
        self.scale = (shape.width // shape.heads) ** -0.5
        self.map_scale = self.scale if shape.scaled_maps else 1.0
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.proj = nn.Linear(shape.width, shape.width)
        self.mixes = mixes
        if mixes:
            self.reatten_matrix = nn.Conv2d(shape.heads, shape.heads, 1)
            self.var_norm = nn.BatchNorm2d(shape.heads)

    def forward(self, x: Tensor) -> Tensor:
        """Softmax of scaled products, mixed over heads, times the values."""
        images, tokens, width = x.shape
        q, k, v = self.qkv(x).view(images, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        maps = (q @ k.transpose(-2, -1) * self.scale).softmax(dim=-1)
        if self.mixes:
            maps = self.var_norm(self.reatten_matrix(maps))
            if self.map_scale != 1.0:
                maps = maps * self.map_scale
        return self.proj((maps @ v).transpose(1, 2).reshape(images, tokens, width))


class Mlp(nn.Module):
    """Two linear layers [B, N, width] -> [B, N, width] with GELU between them."""

    def __init__(self, shape: DeepViTShape) -> None:
        super().__init__()
        self.fc1 = nn.Linear(shape.width, shape.mlp_ratio * shape.width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(shape.mlp_ratio * shape.width, shape.width)

    def forward(self, x: Tensor) -> Tensor:
        """Wider, GELU, back."""
        return self.fc2(self.act(self.fc1(x)))


class TransformerBlock(nn.Module):
    """A transformer block [B, N, width] -> [B, N, width]."""

    def __init__(self, shape: DeepViTShape, *, mixes: bool) -> None:
        super().__init__()
        self.scale = shape.branch_scale
        self.norm1 = nn.LayerNorm(shape.width, eps=_EPS)
        self.attn = ReAttention(shape, mixes=mixes)
        self.norm2 = nn.LayerNorm(shape.width, eps=_EPS)
        self.mlp = Mlp(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Attention and MLP, each beside a residual connection."""
        if self.scale == 1.0:
            x = x + self.attn(self.norm1(x))
            return x + self.mlp(self.norm2(x))
        x = x + self.attn(self.norm1(x * self.scale)) / self.scale
        return x + self.mlp(self.norm2(x * self.scale)) / self.scale


class DeepViT(nn.Module):
    """Images [B, C, H, W] -> logits [B, classes]."""

    def __init__(self, shape: DeepViTShape) -> None:
        super().__init__()
        self.num_classes = shape.classes
        self.patch_embed = (ConvolutionalPatchEmbed if shape.convolutional_stem else PatchEmbed)(shape)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, (shape.image // shape.patch) ** 2 + 1, shape.width))
        self.blocks = nn.ModuleList(TransformerBlock(shape, mixes=mixes) for mixes in shape.re_attention)
        self.norm = nn.LayerNorm(shape.width, eps=_EPS)
        self.head = nn.Linear(shape.width, shape.classes)
        for token in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(token, std=0.02)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens, blocks, and a linear classifier of the class token."""
        tokens = self.patch_embed(images)
        x = torch.cat((self.cls_token.expand(images.shape[0], -1, -1), tokens), dim=1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])
