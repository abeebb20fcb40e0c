"""The zoo: small models trained on the embedded Fashion-MNIST, each with its weights and its model card.

A new model is one entry of `ZOO`, and its two files in `weights/`, which `radhard.models.train.train` writes.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from radhard.errors import ModelError
from radhard.models import fashion
from radhard.models.vision import import_timm

_WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True, kw_only=True)
class ZooEntry:
    """`build` -> the untrained module; `input_shape` (C, H, W); `mean` and `std` one a channel, in [0, 1]."""

    build: Callable[[], nn.Module]
    weights: Path
    summary: str
    input_shape: tuple[int, int, int] = (1, 28, 28)
    mean: tuple[float, ...] = fashion.MEAN
    std: tuple[float, ...] = fashion.STD
    classes: int = len(fashion.CLASS_NAMES)

    @property
    def card(self) -> Path:
        """The model card, beside the weights."""
        return self.weights.with_suffix(".md")


def _fashion_vit() -> nn.Module:
    import_timm()
    from timm.models.vision_transformer import VisionTransformer

    module: nn.Module = VisionTransformer(
        img_size=28, patch_size=4, in_chans=1, num_classes=10, embed_dim=96, depth=6, num_heads=3, mlp_ratio=2
    )
    return module


ZOO: Mapping[str, ZooEntry] = {
    "fashion-vit": ZooEntry(
        build=_fashion_vit,
        weights=_WEIGHTS / "fashion-vit.safetensors",
        summary="timm's VisionTransformer: patch 4, embedding 96, 6 blocks, 3 heads, MLP ratio 2",
    ),
}


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
