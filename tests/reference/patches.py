"""Whose patch, by hand: the units of the tiny transformers, and of convolutions and pools, in exact fractions.

A place is a point (y, x) of the image, 0 to 1 from its top left corner; None where a unit stands for no pixel or for
the whole image.
"""

from collections.abc import Callable
from fractions import Fraction

Place = tuple[Fraction, Fraction] | None
Grid = tuple[int, int]


def patch_at(place: Place, grid: Grid) -> str:
    """The name of the patch; on the edge between two it is the later one."""
    if place is None:
        return "none"
    return f"{int(place[0] * grid[0])},{int(place[1] * grid[1])}"


def middle(number: int, columns: int) -> Place:
    """Of cell `number` of a square image cut into columns x columns cells."""
    y, x = divmod(number, columns)
    return Fraction(2 * y + 1, 2 * columns), Fraction(2 * x + 1, 2 * columns)


def _pixel(unit: int) -> Place:
    return middle(unit, 8)


def _tokens(width: int) -> Callable[[int], Place]:
    """Units [17, width] of tokens, the class token first."""

    def place(unit: int) -> Place:
        token = unit // width
        return None if token == 0 else middle(token - 1, 4)

    return place


def _heads(width: int) -> Callable[[int], Place]:
    """Units [2, 17, width]: of each head, of each token (the query, the one that attends), so many."""
    return lambda unit: _tokens(1)(unit // width % 17)


def _keys(unit: int) -> Place:
    """Units [2, 8, 17] of keys, transposed."""
    return _tokens(1)(unit % 17)


# of the tiny vision transformer: 8 x 8 pixels, 4 x 4 patches, a class token, 16 channels, 2 heads
_STEM: dict[str, Callable[[int], Place]] = {
    "patch_embed.quantize": _pixel,
    "patch_embed.load": _pixel,
    "patch_embed": lambda unit: middle(unit // 16, 4),  # [16 positions, 16 filters]
    "dequantize": lambda unit: middle(unit // 16, 4),
    "add": _tokens(16),
    "norm": _tokens(1),
}
_BLOCK: dict[str, Callable[[int], Place]] = {
    "norm1": _tokens(1),
    "attn.qkv.load": _tokens(16),
    "attn.qkv": _tokens(48),
    "attn.requantize": _heads(8),
    "attn.mul": _heads(8),
    "attn.requantize#2": _keys,
    "attn.mul#2": _keys,
    "attn.matmul.load": _heads(8),
    "attn.matmul.load#2": _keys,
    "attn.matmul": _heads(17),
    "attn.softmax": _heads(1),
    "attn.matmul.load#3": _heads(17),
    "attn.matmul.load#4": _heads(8),
    "attn.matmul#2": _heads(8),
    "attn.proj.load": _tokens(16),
    "attn.proj": _tokens(16),
    "add": _tokens(16),
    "norm2": _tokens(1),
    "mlp.fc1.load": _tokens(16),
    "mlp.fc1": _tokens(32),
    "mlp.act": _tokens(32),
    "mlp.fc2.load": _tokens(32),
    "mlp.fc2": _tokens(16),
    "add#2": _tokens(16),
}


def tiny_vit_place(site: str, unit: int) -> Place:
    """Where a unit of a site of `tests.support.models.TinyViT` stands, whatever the recipe."""
    if site.startswith("head") or site == "dequantize#2":
        return None
    if site.startswith("blocks."):
        return _BLOCK[site.split(".", 2)[2]](unit)
    return _STEM[site](unit)


# of the one around nn.MultiheadAttention: 4 x 4 pixels a patch, no class token, [tokens, batch, channels]
_MULTIHEAD: dict[str, Callable[[int], int]] = {
    "patch_embed": lambda unit: unit // 16,
    "norm": lambda unit: unit,
    "self_attention.linear.load": lambda unit: unit // 16,
    "self_attention.linear": lambda unit: unit // 48,
    "self_attention.mul": lambda unit: unit // 8 % 4,
    "self_attention.matmul.load": lambda unit: unit // 8 % 4,
    "self_attention.matmul.load#2": lambda unit: unit % 4,
    "self_attention.matmul": lambda unit: unit // 4 % 4,
    "self_attention.softmax": lambda unit: unit % 4,
    "self_attention.matmul.load#3": lambda unit: unit // 4 % 4,
    "self_attention.matmul.load#4": lambda unit: unit // 8 % 4,
    "self_attention.matmul#2": lambda unit: unit // 8 % 4,
    "self_attention.linear.load#2": lambda unit: unit // 16,
    "self_attention.linear#2": lambda unit: unit // 16,
    "add": lambda unit: unit // 16,
}


def multihead_place(site: str, unit: int) -> Place:
    """Where a unit of a site of `tests.support.models.MultiheadViT` stands."""
    if site == "patch_embed.load":
        return _pixel(unit)
    return middle(_MULTIHEAD[site](unit), 2) if site in _MULTIHEAD else None


def window(
    i: int, *, pixels: int, size: int, stride: int = 1, padding: int = 0, dilation: int = 1, taps: str = "middle"
) -> Fraction | None:
    """Where window `i` along one axis stands: the mean of its first and last tap (of its "middle", or of "all") that
    lie inside the image; None if none does."""
    chosen = sorted({(size - 1) // 2, size // 2}) if taps == "middle" else list(range(size))
    inside = [at for tap in chosen if 0 <= (at := stride * i + dilation * tap - padding) < pixels]
    if not inside:
        return None
    return (Fraction(2 * inside[0] + 1, 2 * pixels) + Fraction(2 * inside[-1] + 1, 2 * pixels)) / 2
