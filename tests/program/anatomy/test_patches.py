"""Which unit stands for which patch: by hand, and by changing the pixels of one patch and seeing what changes."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from radhard.campaign.patches import MOST_PATCHES, grid_of, words_of_image
from radhard.errors import InputError
from radhard.faults import NOWHERE, Where, patch_names
from radhard.machine import Clean, Operator, Site
from radhard.program import Program, capture, image_words, run, token_grid
from radhard.program.anatomy.patches import patch_of
from tests.reference.patches import Grid, multihead_place, patch_at, tiny_vit_place, window
from tests.support.models import MultiheadViT, images, seeded, tiny_program

GRIDS: list[Grid] = [(4, 4), (2, 2), (1, 1), (8, 8), (3, 3), (4, 2), (1, 5)]


def program_of(model: nn.Module, *shape: int) -> Program:
    return capture(seeded(model), torch.randn(2, *shape, generator=torch.Generator().manual_seed(3)))


def named(program: Program, grid: Grid) -> dict[str, list[str]]:
    """Site -> the name of the patch of each unit."""
    names = (*patch_names(grid), NOWHERE)
    return {site.name: [names[patch] for patch in patches] for site, patches in program.patches(grid).items()}


# --- by hand ---


@pytest.mark.parametrize("recipe", ["float", "int8"])
@pytest.mark.parametrize("grid", GRIDS)
def test_a_token_keeps_its_patch(grid: Grid, recipe: str) -> None:
    program = tiny_program(recipe)
    found = named(program, grid)
    assert list(program.patches(grid)) == list(program.costs)
    for site, cost in program.costs.items():
        wanted = [patch_at(tiny_vit_place(site.name, unit), grid) for unit in range(cost.units)]
        assert found[site.name] == wanted, site.name
    assert "none" in found["blocks.1.attn.matmul"]
    assert set(found["head"]) == {"none"}


@pytest.mark.parametrize("grid", [(2, 2), (1, 1), (4, 4), (2, 1)])
def test_a_batch_that_is_folded_into_another_axis(grid: Grid) -> None:
    """[tokens, batch, channels]: the units of one image are as many, in the order of its tokens."""
    program = tiny_program("float", MultiheadViT)
    assert {site.batch_axis for site in program.sites} == {0, 1}
    assert any(site.blocks > 1 for site in program.sites)
    found = named(program, grid)
    for site, cost in program.costs.items():
        wanted = [patch_at(multihead_place(site.name, unit), grid) for unit in range(cost.units)]
        assert found[site.name] == wanted, site.name


class Then(nn.Module):
    """A module on the image, and a head that mixes all of what comes out."""

    def __init__(self, first: nn.Module, width: int) -> None:
        super().__init__()
        self.first = first
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.first(x).flatten(1))


CONVOLUTIONS = [
    {"size": 3, "padding": 1},
    {"size": 3},
    {"size": 3, "stride": 2, "padding": 1},
    {"size": 7, "stride": 2, "padding": 3},
    {"size": 2},
    {"size": 2, "stride": 2},
    {"size": 4, "stride": 3, "padding": 2},
    {"size": 4, "stride": 4},
    {"size": 6, "padding": 5},
    {"size": 3, "dilation": 3, "padding": 3},
    {"size": 4, "dilation": 2, "padding": 1, "stride": 2},
    {"size": 1, "padding": 2},
    {"size": 5, "stride": 5},
]


@pytest.mark.parametrize("sizes", CONVOLUTIONS, ids=str)
def test_a_convolution_stands_for_the_middle_of_its_window(sizes: dict[str, int]) -> None:
    """12 x 10 pixels; units in the order group, position, filter."""
    groups, filters, dilation = 2, 6, sizes.get("dilation", 1)
    options = {key: value for key, value in sizes.items() if key != "size"}
    conv = nn.Conv2d(4, filters, sizes["size"], groups=groups, **options)
    h, w = conv(torch.zeros(1, 4, 12, 10)).shape[2:]
    program = program_of(Then(conv, filters * h * w), 4, 12, 10)
    rows = [window(i, pixels=12, **sizes) for i in range(h)]
    columns = [window(j, pixels=10, **sizes) for j in range(w)]
    for grid in ((2, 2), (3, 4), (12, 10)):
        wanted = [
            patch_at(None if y is None or x is None else (y, x), grid)
            for _ in range(groups)
            for y in rows
            for x in columns
            for _ in range(filters // groups)
        ]
        assert named(program, grid)["first"] == wanted
        assert ("none" in wanted) == (sizes.get("padding", 0) > dilation * (sizes["size"] // 2))


def test_a_convolution_across_with_windows_of_other_sizes() -> None:
    conv = nn.Conv2d(1, 1, (3, 2), stride=(1, 2), padding=(1, 0))
    program = program_of(Then(conv, 8 * 4), 1, 8, 8)
    wanted = [
        patch_at((window(i, pixels=8, size=3, padding=1), window(j, pixels=8, size=2, stride=2)), (8, 4))  # type: ignore[arg-type]
        for i in range(8)
        for j in range(4)
    ]
    assert named(program, (8, 4))["first"] == wanted


@pytest.mark.parametrize(
    "sizes",
    [dict(zip(("size", "stride", "padding"), it, strict=True)) for it in ((2, 2, 0), (3, 2, 1), (3, 1, 0), (4, 3, 0))],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d])
def test_a_pool_stands_for_all_of_its_window(kind: type, sizes: dict[str, int]) -> None:
    """Max-pooling only moves words: it is read off the convolution behind it."""
    pool = kind(sizes["size"], stride=sizes["stride"], padding=sizes.get("padding", 0))
    h, w = pool(torch.zeros(1, 2, 12, 12)).shape[2:]
    program = program_of(Then(nn.Sequential(pool, nn.Conv2d(2, 3, 1)), 3 * h * w), 2, 12, 12)
    edge = [window(i, pixels=12, taps="all", **sizes) for i in range(h)]
    for grid in ((2, 2), (4, 3)):
        wanted = [patch_at((y, x), grid) for y in edge for x in edge]  # type: ignore[arg-type]
        found = named(program, grid)
        assert found["first.1"] == [name for name in wanted for _ in range(3)]
        if kind is nn.AvgPool2d:
            assert found["first.0"] == wanted * 2


class Widely(nn.Module):
    """Means over so many pixels of 8."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(size, stride=1)
        self.head = nn.Linear(2 * (9 - size) ** 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(x).flatten(1))


def test_what_covers_half_of_the_image_stands_for_no_patch() -> None:
    """Four of eight pixels are 3 / 8 from middle to middle, five are a half."""
    for size, nowhere in ((3, False), (4, False), (5, True), (6, True), (8, True)):
        program = program_of(Widely(size), 2, 8, 8)
        assert {name == NOWHERE for name in named(program, (2, 2))["pool"]} == {nowhere}
        assert set(named(program, (2, 2))["head"]) == {NOWHERE}


@pytest.mark.parametrize(("size", "pixels"), [(3, 6), (2, 4), (1, 2), (4, 8)])
def test_the_mean_of_four_tokens_stands_for_none(size: int, pixels: int) -> None:
    """The middles of their windows may be no more than half of the image apart."""
    program = program_of(Mean(nn.Conv2d(1, 4, size, stride=size)), 1, pixels, pixels)
    found = named(program, (2, 2))
    assert found["conv"] == [name for name in patch_names((2, 2)) for _ in range(4)]
    for site in ("mean", "head.load", "head"):
        assert set(found[site]) == {NOWHERE}


class Mean(nn.Module):
    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.head = nn.Linear(conv.out_channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(2, 4)
        self.conv = nn.Conv2d(4, 3, 1)
        self.head = nn.Linear(3 * 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(self.norm(x)).flatten(1))


def test_a_group_of_channels_stands_for_no_patch_but_its_pixels_go_on_to() -> None:
    found = named(program_of(Normalised(), 4, 4, 4), (2, 2))
    assert found["norm"] == ["none", "none"]
    pixels = [f"{y // 2},{x // 2}" for y in range(4) for x in range(4)]
    assert found["conv"] == [name for name in pixels for _ in range(3)]


class ConstantFirst(nn.Module):
    """A constant plus a map, a constant times it, a constant that is narrower, and one that is wider than a scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 2, 4, 4))
        self.scale = nn.Parameter(torch.zeros(2, 1, 1))
        self.rows = nn.Parameter(torch.zeros(4, 1))
        self.head = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.rows - self.scale * (self.position + x[:, :1])).flatten(1))


def test_a_constant_stands_for_nothing_though_it_comes_first() -> None:
    program = program_of(ConstantFirst(), 1, 4, 4)
    found = named(program, (4, 4))
    pixels = [f"{y},{x}" for y in range(4) for x in range(4)]
    sites = [site.name for site in program.sites if site.operator in ("add", "mul")]
    assert len(sites) == 3
    for site in sites:
        assert found[site] == pixels * 2
    assert set(found["head"]) == {NOWHERE}


class Folded(nn.Module):
    """Four quarters of the image, each an image of its own to a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, padding=1)
        self.head = nn.Linear(2 * 64, 3)

    def forward(self, x: Tensor) -> Tensor:
        quarters = x.reshape(-1, 1, 2, 4, 2, 4).permute(0, 2, 4, 1, 3, 5).reshape(-1, 1, 4, 4)
        return self.head(self.conv(quarters).reshape(x.shape[0], -1))


def test_a_convolution_of_parts_folded_into_the_batch() -> None:
    program = program_of(Folded(), 1, 8, 8)
    found = named(program, (4, 4))
    wanted = [
        f"{(4 * row + y) // 2},{(4 * column + x) // 2}"
        for row in range(2)
        for column in range(2)
        for y in range(4)
        for x in range(4)
        for _ in range(2)
    ]
    assert found["conv"] == wanted


class Gated(nn.Module):
    """A gate from the whole image, times the map: as torchvision writes squeeze and excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        self.gate = nn.Conv2d(2, 2, 1)
        self.head = nn.Linear(2 * 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return self.head((torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True))) * x).flatten(1))


class Rotated(nn.Module):
    """Channels turned by angles, as rotary embeddings do: half of them negated first."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 4, stride=4)
        self.sine = nn.Parameter(torch.zeros(4, 4))
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).flatten(2).transpose(1, 2)
        return self.head((torch.cat([-x[..., 2:], x[..., :2]], -1) * self.sine).mean(1))


class ClassAttention(nn.Module):
    """The class token alone attends to all: its queries stand for no patch, and so does what they make."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 4, stride=4)
        self.cls = nn.Parameter(torch.zeros(1, 1, 4))
        self.q = nn.Linear(4, 4)
        self.k = nn.Linear(4, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).flatten(2).transpose(1, 2)
        cls = self.cls.expand(x.shape[0], -1, -1)
        x = torch.cat([cls, x], 1)
        return self.head(((self.q(cls) @ self.k(x).transpose(1, 2)).softmax(-1) @ x)[:, 0])


def test_a_map_under_a_gate_keeps_its_pixels() -> None:
    found = named(program_of(Gated(), 1, 4, 4), (4, 4))
    assert found["mul"] == [f"{y},{x}" for y in range(4) for x in range(4)] * 2


def test_what_is_negated_keeps_its_patch() -> None:
    found = named(program_of(Rotated(), 1, 8, 8), (2, 2))
    assert found["mul"] == [name for name in patch_names((2, 2)) for _ in range(4)]


def test_where_no_query_stands_for_a_patch_the_keys_decide() -> None:
    program = program_of(ClassAttention(), 1, 8, 8)
    found = named(program, (2, 2))
    (products, *_) = (site.name for site in program.sites if site.operator == "matmul")
    assert found["k"][4:] == [name for name in patch_names((2, 2)) for _ in range(4)]
    assert found[products] == [NOWHERE, *patch_names((2, 2))]


# --- by changing pixels ---


class Watching(Clean):
    """Keeps every site's output, and the unit that each of its elements is from."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs: dict[Site, Tensor] = {}
        self.units: dict[Site, Tensor] = {}

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        out = super().apply(operator, inputs, site)
        units, labels = operator.units(inputs), torch.full(out.shape, -1.0)
        number, width = torch.arange(units.count), out.numel() // units.count
        values = number.float()
        units.scatter(labels, number, values if width == 1 else values[:, None].expand(-1, width))
        self.outputs[site], self.units[site] = out, labels.long()
        return out


def moved(program: Program, grid: Grid) -> dict[Site, dict[str, set[int]]]:
    """Site -> patch -> the units of one image that change with its pixels, of a grid that divides the image."""
    image = torch.randn(1, *program.input_shape, generator=torch.Generator().manual_seed(5))
    found: dict[Site, dict[str, set[int]]] = {site: {} for site in program.sites}
    before, after = Watching(), Watching()
    run(program, image, before)
    height, width = (size // count for size, count in zip(program.input_shape[1:], grid, strict=True))
    for name in patch_names(grid):
        row, column = map(int, name.split(","))
        other = image.clone()
        other[..., row * height : (row + 1) * height, column * width : (column + 1) * width] += 1.5
        run(program, other, after)
        for site, units in found.items():
            changed = before.outputs[site] != after.outputs[site]
            units[name] = set(before.units[site][changed].tolist())
    return found


class Embedded(nn.Module):
    """Patches of 4 x 4 pixels, a class token in the middle, a position, a norm, a linear layer, an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, stride=4)
        self.cls = nn.Parameter(torch.zeros(1, 1, 8))
        self.position = nn.Parameter(torch.zeros(1, 17, 8))
        self.norm = nn.LayerNorm(8)
        self.fc = nn.Linear(8, 12)
        self.act = nn.GELU()
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([x[:, :5], self.cls.expand(x.shape[0], -1, -1), x[:, 5:]], 1) + self.position
        return self.head(self.act(self.fc(self.norm(x))).mean(1))


class Windows(nn.Module):
    """Patches of 2 x 2 pixels in windows of 4 x 4 of them, rolled by 2 and padded from 6 x 6 to 8 x 8, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 2, stride=2)
        self.inside = nn.Linear(8, 5)
        self.norm = nn.LayerNorm(5)
        self.outside = nn.Linear(5, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(self.embed(x).permute(0, 2, 3, 1), (0, 0, 0, 2, 0, 2))
        b = x.shape[0]
        x = torch.roll(x, (-2, -2), (1, 2))
        x = x.view(b, 2, 4, 2, 4, 8).permute(0, 1, 3, 2, 4, 5).reshape(b * 4, 16, 8)
        x = self.norm(self.inside(x))
        x = x.view(b, 2, 2, 4, 4, 5).permute(0, 1, 3, 2, 4, 5).reshape(b, 8, 8, 5)
        x = torch.roll(x, (2, 2), (1, 2))[:, :6, :6].contiguous()
        return self.head(self.outside(x).mean((1, 2)))


class Merging(nn.Module):
    """As Swin merges: the channels of 2 x 2 tokens side by side, a norm, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 2, stride=2)
        self.norm = nn.LayerNorm(24)
        self.reduction = nn.Linear(24, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).permute(0, 2, 3, 1)
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
        return self.head(self.reduction(self.norm(x)).mean((1, 2)))


class Turned(nn.Module):
    """Axes in other orders: tokens last, tokens before the batch, a mirror image, columns before rows."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 2, stride=2)
        self.scale = nn.Parameter(torch.zeros(6, 1, 1))
        self.fc = nn.Linear(6, 5)
        self.more = nn.Linear(5, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.scale * self.embed(x).flip(3).transpose(2, 3)
        x = self.fc(x.flatten(2).permute(2, 0, 1))
        x = self.more(torch.nn.functional.gelu(x.permute(1, 2, 0)).transpose(1, 2))
        return self.head(x.mean(1))


class Unmixed(nn.Module):
    """Pixels of one channel are put side by side (space to depth), a depthwise convolution, a pool within patches."""

    def __init__(self) -> None:
        super().__init__()
        self.point = nn.Conv2d(3, 4, 1)
        self.depth = nn.Conv2d(16, 16, 1, groups=16)
        self.pool = nn.AvgPool2d(2)
        self.fc = nn.Conv2d(16, 5, 1)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.nn.functional.pixel_unshuffle(self.point(x), 2)
        return self.head(self.fc(self.pool(self.depth(x))).mean((2, 3)))


@pytest.mark.parametrize(
    ("model", "pixels", "grid", "mixed"),
    [
        (Embedded, 16, (4, 4), {"mean", "head.load", "head"}),
        (Embedded, 16, (2, 4), {"mean", "head.load", "head"}),
        (Windows, 12, (6, 6), {"mean", "head.load", "head"}),
        (Windows, 12, (2, 3), {"mean", "head.load", "head"}),
        (Merging, 16, (4, 4), {"mean", "head.load", "head"}),
        (Merging, 16, (2, 2), {"mean", "head.load", "head"}),
        (Turned, 12, (6, 6), {"mean", "head.load", "head"}),
        (Turned, 12, (3, 1), {"mean", "head.load", "head"}),
        (Unmixed, 12, (3, 3), {"mean", "head.load", "head"}),
        (MultiheadViT, 8, (2, 2), None),
    ],
)
def test_the_units_of_a_patch_are_those_that_change_with_it(
    model: type[nn.Module], pixels: int, grid: Grid, mixed: set[str] | None
) -> None:
    if mixed is None:
        program = tiny_program("float", model)
        mixed = {site.name for site in program.sites if "matmul" in site.name or "softmax" in site.name}
        mixed |= {"self_attention.linear.load#2", "self_attention.linear#2", "add", "mean", "head.load", "head"}
        mixed -= {"self_attention.matmul.load", "self_attention.matmul.load#2", "self_attention.matmul.load#4"}
    else:
        program = program_of(model(), 3, pixels, pixels)
    known, checked = program.patches(grid), 0
    for site, changed in moved(program, grid).items():
        if site.name in mixed:
            continue
        for number, name in enumerate(patch_names(grid)):
            assert set(np.flatnonzero(known[site] == number).tolist()) == changed[name], (site.name, name)
            checked += len(changed[name])
    assert checked > 100
    if model is not MultiheadViT:
        for name in mixed:
            (site,) = (site for site in program.sites if site.name == name)
            assert (known[site] == -1).all()


# --- what stands on an edge, and what has no patches ---


@pytest.mark.parametrize(("pixels", "size"), [(6, 2), (12, 4), (14, 2), (20, 4), (28, 4), (28, 1), (42, 6), (56, 8)])
def test_what_stands_on_the_edge_of_two_patches_is_the_later_ones(pixels: int, size: int) -> None:
    """For every grid, of tokens and of pixels: exact fractions, whatever float32 makes of them."""
    program = program_of(Then(nn.Conv2d(1, 1, size, stride=size), (pixels // size) ** 2), 1, pixels, pixels)
    ((_, places),) = ((site, it) for site, it in program.places().items() if site.name == "first")
    count = pixels // size
    for number in range(1, pixels + 1):
        cells = patch_of(places[:, :count], (1, number))  # the first row
        assert cells.tolist() == [int(Fraction(2 * i + 1, 2 * count) * number) for i in range(count)]


def test_a_grid_that_cuts_pixels() -> None:
    """Three rows of patches on eight of pixels: a pixel belongs to the patch that its middle is in."""
    rows = [int(Fraction(2 * y + 1, 16) * 3) for y in range(8)]
    assert rows == [0, 0, 0, 1, 1, 2, 2, 2]
    found = named(tiny_program("int8"), (3, 1))["patch_embed.load"]
    assert found == [f"{row},0" for row in rows for _ in range(8)]


def test_grids_that_are_too_fine() -> None:
    program = tiny_program("float")
    (load, *_) = program.patches((181, 181)).values()
    assert len(set(load.tolist())) == 64
    assert load.min() > 0
    with pytest.raises(InputError, match="grid of 200 x 200 patches has more than 32767"):
        program.patches((200, 200))


class Vectors(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)


def test_only_images_have_patches() -> None:
    program = program_of(Vectors(), 6)
    with pytest.raises(InputError, match=r"takes \[6\]: only images \[C, H, W\] have patches"):
        program.patches((2, 2))


# --- the grid of a transformer, and the words of an image ---


def test_the_tokens_of_a_transformer_make_a_grid() -> None:
    for recipe in ("float", "int8"):
        assert token_grid(tiny_program(recipe)) == (4, 4)
        assert grid_of(tiny_program(recipe)) == (4, 4)
    wide = program_of(OfTokens((2, 4)), 1, 8, 8)
    assert token_grid(wide) == (4, 2)


class Attention(nn.Module):
    """Named as a library names it, so that its linear functions are known."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(4, 12)
        self.proj = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.proj(functional.scaled_dot_product_attention(q, k, v))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = Attention()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attn(x)


class OfTokens(nn.Module):
    def __init__(self, patch: tuple[int, int]) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(1, 4, patch, stride=patch)
        self.blocks = nn.ModuleList([Layer()])
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        return self.head(self.blocks[0](x).mean(1))


def test_a_model_without_tokens_has_no_grid_of_its_own() -> None:
    program = program_of(Mean(nn.Conv2d(1, 4, 3, padding=1)), 1, 12, 10)
    assert token_grid(program) is None
    with pytest.raises(InputError, match=r"no tokens .* images of 12 x 10 pixels .* grid, such as 7x7"):
        grid_of(program)
    many = program_of(OfTokens((1, 1)), 1, 17, 16)
    assert token_grid(many) == (17, 16)
    assert MOST_PATCHES < 17 * 16
    with pytest.raises(InputError, match=r"17 x 16 patches, .* grid, such as 14x14"):
        grid_of(many)


class Twice(nn.Module):
    """Reads the image in two places, once shifted and mirrored, and its sizes, too."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 2, 2, stride=2)
        self.two = nn.Conv2d(1, 2, 2, stride=2)
        self.head = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.two(functional.pad(x.flip(3), (0, 1, 0, 1))[:, :, 1:, 1:])
        return self.head((self.one(x) + y + torch.zeros_like(x[:, :, ::2, ::2])).mean((2, 3)))


class Ahead(nn.Module):
    """Normalises inside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(((x - 0.5) / 0.3).flatten(1))


def test_the_words_of_the_image() -> None:
    for recipe in ("float", "int8", "int8-float"):
        assert [site.name for site in image_words(tiny_program(recipe))] == ["patch_embed.load"]
    twice = program_of(Twice(), 1, 8, 8)
    assert [site.name for site in image_words(twice)] == ["two.load", "one.load"]
    assert words_of_image(twice) == Where(sites=("two.load", "one.load"))
    assert words_of_image(twice).select(twice.sites) == image_words(twice)
    flipped = named(twice, (1, 8))["two.load"][:7]
    assert flipped == [f"0,{x}" for x in range(6, -1, -1)]
    with pytest.raises(InputError, match=r"reads no word of the image .* \(mean, std\)"):
        image_words(program_of(Ahead(), 1, 8, 8))


def test_images_do_not_matter() -> None:
    """Places are of the program alone, and asked for once."""
    program = tiny_program("float")
    assert program.patches((2, 2)) is program.patches((2, 2))
    before = {site.name: patches.tolist() for site, patches in program.patches((2, 2)).items()}
    run(program, images(3))
    assert before == {site.name: patches.tolist() for site, patches in program.patches((2, 2)).items()}
