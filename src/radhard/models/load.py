"""Loads a model by name: from the zoo, timm, torchvision, Hugging Face or a user's file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch

from radhard.errors import InputError, ModelError
from radhard.models.data.preprocessing import PixelSize, restated
from radhard.models.deepvit import VARIANTS
from radhard.models.loaded import ImageShape, LoadedModel, Wanted, WeightSource, check_size, normalised
from radhard.models.seeding import drawn_from
from radhard.models.sources.from_archive import from_archive
from radhard.models.sources.from_file import from_file
from radhard.models.sources.from_hugging_face import from_hugging_face
from radhard.models.sources.from_timm import from_timm
from radhard.models.sources.from_torchvision import from_torchvision
from radhard.models.sources.from_zoo import from_deepvit, from_zoo
from radhard.models.zoo import ZOO, listed

__all__ = ["LoadedModel", "load", "source_of"]

ModelSource = Callable[[Wanted], LoadedModel]

PREFIXES: Mapping[str, ModelSource] = {"timm": from_timm, "torchvision": from_torchvision, "hf": from_hugging_face}
_WEIGHTS_ALONE = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")


def load(
    name: str,
    checkpoint: str | Path | None = None,
    *,
    checkpoint_key: str | None = None,
    seed: int = 0,
    weights: WeightSource = "random",
    input_shape: ImageShape | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    resize: int | PixelSize | Literal["none"] | None = None,
    crop_pct: float | None = None,
    interpolation: str | None = None,
) -> LoadedModel:
    """The model `name` in eval mode, float32. `name` is one of the zoo or of DeepViT's variants, a name of timm's,
    `timm:NAME`, `torchvision:NAME`, `hf:NAME`, a Hugging Face folder, `FILE.py:FUNCTION`, or `FILE.pt2`.

    The zoo, Hugging Face and .pt2 files bring their weights. Those of timm, torchvision and DeepViT are random,
    drawn from `seed` alone, or "pretrained": downloaded. A `checkpoint` replaces any but a .pt2's; where its file
    holds several sets of weights, `checkpoint_key` says which. `input_shape` (C, H, W), `mean` and `std` (one a
    channel, or one for all) replace what the source says; so do `resize`, `crop_pct` and `interpolation`, as
    `radhard.models.data.preprocessing.restated` takes them. torch's global
    generator is left as it was. ModelError for an unknown name and for what cannot be built or is not safe to
    load, InputError for a shape that the model does not take.

    >>> import radhard as rh
    >>> rh.load("fashion-resnet20").classes
    10
    """
    if weights not in ("random", "pretrained"):
        raise InputError(f"weights {weights!r} are not known; they are 'random' or 'pretrained'")
    if input_shape is not None and (len(input_shape) != 3 or min(input_shape) < 1):
        raise InputError(f"input_shape {input_shape!r}: give channels, height and width, each at least 1")
    if input_shape is not None:
        check_size(input_shape, of="input_shape")
    if checkpoint_key is not None and checkpoint is None:
        raise InputError(f"checkpoint_key {checkpoint_key!r}: it is of a checkpoint, and none is given (--checkpoint)")
    wanted = Wanted(
        name=name,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        checkpoint_key=checkpoint_key,
        weights=weights,
        seed=seed,
        input_shape=input_shape,
    )
    with drawn_from(torch.Generator().manual_seed(seed)):
        model = source_of(name)(wanted)
    pixels = restated(model.preprocessing, resize=resize, crop_pct=crop_pct, interpolation=interpolation)
    return replace(normalised(model, mean=mean, std=std), preprocessing=pixels)


def source_of(name: str) -> ModelSource:
    """Where a model of that name comes from. ModelError for a name of no known form."""
    if name in ZOO:
        return from_zoo
    if name in VARIANTS:
        return from_deepvit
    prefix, colon, _ = name.partition(":")
    if colon and prefix in PREFIXES:
        return PREFIXES[prefix]
    path = Path(name)
    if ".py:" in name or path.suffix == ".py":
        return from_file
    if path.suffix == ".pt2":
        return from_archive
    if path.is_dir():
        return from_hugging_face
    if path.suffix in _WEIGHTS_ALONE:
        raise ModelError(
            f"model {name!r} is a file of weights: name its architecture, and give it by --checkpoint {name}"
        )
    if colon:
        raise ModelError(
            f"model {name!r}: {prefix!r} is no source of models; they are {listed(PREFIXES)}, FILE.py:FUNCTION and "
            "FILE.pt2"
        )
    return from_timm
