"""The zoo: small models trained on the embedded Fashion-MNIST, with their weights and model cards.

A new model is one entry of `ZOO`, and its two files in `weights/`, which `radhard.models.training.train.train` writes.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from torch import nn

from radhard.errors import ModelError
from radhard.models.data import fashion
from radhard.models.deepvit import DeepViT, DeepViTShape
from radhard.models.training.recipe import TrainingRecipe
from radhard.models.vision import import_timm

TEST_IMAGES = 10_000
"""Fashion-MNIST's test set, which is embedded."""

_WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True, kw_only=True)
class ZooEntry:
    """`build` -> the untrained module; `input_shape` (C, H, W); `mean` and `std` one a channel, in [0, 1].

    `recipe` trained the weights. `correct`: answers that are right, of all `TEST_IMAGES`, with no fault, by the recipe
    by which the model is quantised; "float" is the model as it is.
    """

    build: Callable[[], nn.Module]
    weights: Path
    summary: str
    recipe: TrainingRecipe
    correct: Mapping[str, int]
    input_shape: tuple[int, int, int] = (1, 28, 28)
    mean: tuple[float, ...] = fashion.MEAN
    std: tuple[float, ...] = fashion.STD
    classes: int = len(fashion.CLASS_NAMES)

    @property
    def card(self) -> Path:
        """The model card, beside the weights."""
        return self.weights.with_suffix(".md")

    @property
    def calibrations(self) -> list[Path]:
        """Its scales, a file for each integer recipe, from the embedded images that calibrate; beside the weights."""
        return sorted(self.weights.parent.glob(f"{self.weights.stem}.*.scales.json"))


def _vit() -> nn.Module:
    import_timm()
    from timm.models.vision_transformer import VisionTransformer

    module: nn.Module = VisionTransformer(
        img_size=28, patch_size=4, in_chans=1, num_classes=10, embed_dim=96, depth=6, num_heads=3, mlp_ratio=2
    )
    return module


def _swin() -> nn.Module:
    import_timm()
    from timm.models.swin_transformer import SwinTransformer

    module: nn.Module = SwinTransformer(
        img_size=28,
        patch_size=2,
        in_chans=1,
        num_classes=10,
        embed_dim=48,
        depths=(2, 4),
        num_heads=(2, 4),
        window_size=7,
        mlp_ratio=2,
        drop_path_rate=0.0,
    )
    return module


def _deepvit() -> nn.Module:
    """As DeepViT-S: a convolutional stem, branches scaled, heads mixed in the last blocks alone."""
    shape = DeepViTShape(
        image=28,
        patch=4,
        channels=1,
        classes=10,
        width=96,
        heads=6,
        mlp_ratio=2,
        re_attention=(False,) * 3 + (True,) * 2,
        convolutional_stem=True,
        scaled_maps=True,
        branch_scale=0.5,
    )
    return DeepViT(shape)


def _cait() -> nn.Module:
    import_timm()
    from timm.models.cait import Cait

    module: nn.Module = Cait(
        img_size=28,
        patch_size=4,
        in_chans=1,
        num_classes=10,
        embed_dim=96,
        depth=6,
        num_heads=4,
        mlp_ratio=2,
        mlp_ratio_token_only=2,
        init_values=0.1,
    )
    return module


def _resnet(block: Literal["BasicBlock", "Bottleneck"], blocks: tuple[int, ...]) -> nn.Module:
    """Four stages at widths 16 to 128; the stem keeps the 28 x 28 pixels, as ResNets for small images do."""
    import_timm()
    from timm.models import resnet

    module: nn.Module = resnet.ResNet(
        getattr(resnet, block),
        blocks,
        num_classes=10,
        in_chans=1,
        channels=(16, 32, 64, 128),
        stem_type="deep",  # of the stems the one whose output is 2 stem_width channels; it is replaced
        stem_width=8,
    )
    module.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
    module.bn1 = nn.BatchNorm2d(16)
    module.maxpool = nn.Identity()
    nn.init.kaiming_normal_(module.conv1.weight, mode="fan_out", nonlinearity="relu")
    return module


def _entry(
    name: str, build: Callable[[], nn.Module], summary: str, *, epochs: int, correct: tuple[int, int, int]
) -> tuple[str, ZooEntry]:
    return name, ZooEntry(
        build=build,
        weights=_WEIGHTS / f"{name}.safetensors",
        summary=summary,
        recipe=TrainingRecipe(epochs=epochs),
        correct=dict(zip(("float", "int8-symmetric", "int8"), correct, strict=True)),
    )


ZOO: Mapping[str, ZooEntry] = dict(
    (
        _entry(
            "fashion-vit",
            _vit,
            "timm's VisionTransformer: patch 4, embedding 96, 6 blocks, 3 heads, MLP ratio 2",
            epochs=22,
            correct=(9109, 9103, 9103),
        ),
        _entry(
            "fashion-swin",
            _swin,
            "timm's SwinTransformer: patch 2, embedding 48, 2 + 4 blocks, 2 and 4 heads, windows of 7 (shifted in "
            "the first stage), MLP ratio 2",
            epochs=18,
            correct=(8956, 8948, 8954),
        ),
        _entry(
            "fashion-deepvit",
            _deepvit,
            "DeepViT: convolutional stem, patch 4, embedding 96, 5 blocks of which the last 2 mix their heads, "
            "6 heads, MLP ratio 2",
            epochs=10,
            correct=(9109, 9107, 9108),
        ),
        _entry(
            "fashion-cait",
            _cait,
            "timm's Cait: patch 4, embedding 96, 6 blocks with talking heads and layer scale, 2 of class attention, "
            "4 heads, MLP ratio 2",
            epochs=12,
            correct=(9009, 8998, 9006),
        ),
        _entry(
            "fashion-resnet18",
            partial(_resnet, "BasicBlock", (2, 2, 2, 2)),
            "timm's ResNet: 8 basic blocks at widths 16 to 128",
            epochs=10,
            correct=(9356, 9352, 9348),
        ),
        _entry(
            "fashion-resnet20",
            partial(_resnet, "Bottleneck", (1, 2, 2, 1)),
            "timm's ResNet: 6 bottleneck blocks at widths 16 to 128, outputs 64 to 512",
            epochs=6,
            correct=(9244, 9252, 9245),
        ),
    )
)


def entry_of(name: str) -> ZooEntry:
    """The zoo's entry of that name, or ModelError with the near matches and the zoo's list."""
    if name not in ZOO:
        raise ModelError(f"{name!r} is not in the zoo (radhard.models.zoo.ZOO): {listed(ZOO)}.{near(name, ZOO)}")
    return ZOO[name]


def near(name: str, names: Iterable[str]) -> str:
    """A sentence with the names closest to `name`, or nothing when none is close."""
    close = difflib.get_close_matches(name, list(names), n=3)
    return f" Did you mean {listed(close)}?" if close else ""


def listed(names: Iterable[str], *, most: int = 8) -> str:
    """The first `most` names with commas, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
