"""What the commands share that load a model: weights, shape and normalisation other than its source says."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from radhard.cli import parse
from radhard.errors import InputError
from radhard.models.data.preprocessing import Size
from radhard.models.load import LoadedModel
from radhard.models.load import load as load_model
from radhard.models.loaded import Shape, Weights
from radhard.program import NONE, Overrides, read_overrides

MOST_PIXELS = 2**26
"""Words of one image, over all its channels: 8,192 x 8,192 of one."""

LARGEST = 1e6
"""A mean or standard deviation of pixels in [0, 1] is no larger, nor a deviation smaller than one over it."""


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """The model options of a command; None leaves to the source what it says. `anatomy`: of each model that has one."""

    weights: Weights = "random"
    checkpoint_key: str | None = None
    input_shape: Shape | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: int | Size | Literal["none"] | None = None
    crop_pct: float | None = None
    interpolation: str | None = None
    anatomy: Mapping[str, Overrides] = field(default_factory=dict)

    def load(self, name: str, checkpoint: Path | None = None) -> LoadedModel:
        """The model `name` so. Errors are those of `radhard.models.load.load`."""
        loaded = load_model(
            name,
            checkpoint,
            checkpoint_key=None if checkpoint is None else self.checkpoint_key,
            weights=self.weights,
            input_shape=self.input_shape,
            mean=self.mean,
            std=self.std,
            resize=self.resize,
            crop_pct=self.crop_pct,
            interpolation=self.interpolation,
        )
        return replace(loaded, overrides=self.anatomy.get(name, NONE))


def model_choice(params: Mapping[str, Any]) -> ModelChoice:
    """The model options in a command's `ctx.params` as one value. InputError for numbers that cannot be read."""
    key = params["checkpoint_key"]
    if key is not None and not params["checkpoint"]:
        raise InputError(f"--checkpoint-key {key}: it is of a checkpoint, and none is given (--checkpoint FILE)")
    input_shape, mean, std = params["input_shape"], params["mean"], params["std"]
    resize = params.get("resize")  # commands that take no images have none
    return ModelChoice(
        weights="pretrained" if params["pretrained"] else "random",
        checkpoint_key=key,
        input_shape=None if input_shape is None else shape(input_shape),
        mean=None if mean is None else numbers(mean, option="--mean"),
        std=None if std is None else numbers(std, option="--std"),
        resize=None if resize is None else edges(resize),
        crop_pct=params.get("crop_pct"),
        interpolation=params.get("interpolation"),
        anatomy={name: read_overrides(path) for name, path in _anatomies(params).items()},
    )


def _anatomies(params: Mapping[str, Any]) -> dict[str, Path]:
    """The file of --anatomy of each model that has one."""
    given = params.get("anatomy") or []  # `quantize` has none
    models = params["models"] if "models" in params else [params["model"]]
    return {models[0]: given} if isinstance(given, Path) else parse.of_models(given, models=models, option="--anatomy")


def tell_assumed(loaded: LoadedModel, *, console: Console) -> None:
    """Say what nothing stated about the model, and how to state it; nothing where all is known."""
    if loaded.assumed:
        console.print(
            f"{loaded.name} does not state its {', '.join(loaded.assumed)}: assumed are images "
            f"{list(loaded.input_shape)}, mean {list(loaded.mean)}, std {list(loaded.std)} (--input-shape, --mean, "
            "--std)",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )


def shape(text: str) -> Shape:
    """`3,224,224` -> (3, 224, 224)."""
    parts = [part.strip() for part in text.split(",")]
    sizes = [parse.whole(part, most=MOST_PIXELS) for part in parts]
    if len(sizes) != 3 or not all(sizes) or math.prod(size or 0 for size in sizes) > MOST_PIXELS:
        raise InputError(
            f"--input-shape {text}: write channels,height,width, such as 3,224,224, together {MOST_PIXELS:,} at most"
        )
    channels, height, width = (size or 0 for size in sizes)
    return channels, height, width


def edges(text: str) -> int | Size | Literal["none"]:
    """`248` -> 248, `32x48` -> (32, 48), height first, `none` -> "none"."""
    if text == "none":
        return "none"
    height, times, width = text.partition("x")
    if not (height.isdecimal() and int(height)) or (times and not (width.isdecimal() and int(width))):
        raise InputError(
            f"--resize {text}: write pixels of the shorter edge, such as 248, of both, such as 32x32, or none"
        )
    return (int(height), int(width)) if times else int(height)


def numbers(text: str, *, option: str) -> tuple[float, ...]:
    """`0.5` or `0.485,0.456,0.406` -> the numbers; those of --std are above 0."""
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text}: write one number, or one a channel, such as 0.485,0.456,0.406") from None
    for number in found:
        if not abs(number) <= LARGEST or (option == "--std" and not number >= 1 / LARGEST):
            least = f"{1 / LARGEST:g}" if option == "--std" else f"{-LARGEST:g}"
            raise InputError(f"{option} {text}: {number:g} is not in the range of pixels, {least} to {LARGEST:g}")
    return found
