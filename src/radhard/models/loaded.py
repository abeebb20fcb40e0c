"""What a source of models is asked for (`Wanted`), and what it returns (`LoadedModel`)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from radhard.errors import CaptureError, InputError, ModelError
from radhard.models.data.preprocessing import Preprocessing
from radhard.program import NONE, Overrides, Program
from radhard.program.capture.export import answers
from radhard.program.capture.outputs import logits_in, tensor_at, wrapper_for
from radhard.program.capture.user_code import first_line, place_of
from radhard.program.quantization.calibration import Calibration

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_LARGEST = 2**28  # values of an image: one of 3 x 9,459 x 9,459
WeightSource = Literal["random", "pretrained"]
ImageShape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a user asks of a source: the model's `name` as given, and what is to differ from the source's defaults."""

    name: str
    checkpoint: Path | None = None
    checkpoint_key: str | None = None
    weights: WeightSource = "random"
    seed: int = 0
    input_shape: ImageShape | None = None


@dataclass(frozen=True, eq=False)
class Unbuilt:
    """A model of which all is known but its module: `build` loads it, once."""

    build: "Callable[[], LoadedModel]"

    @cached_property
    def module(self) -> nn.Module | ExportedProgram | Program:
        """The module or program."""
        return self.build().built


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A module in eval mode, float32, an exported program, or a `Program`; and what it takes: `input_shape` (C, H, W).

    `mean` and `std` are one a channel, of pixels in [0, 1]; `preprocessing` comes before them. `weights` says where
    the weights are from: a file, a source or a seed. `assumed` names the fields that nothing stated. `calibrations` are
    scales that come with the weights, each for a recipe. `overrides`: what the user says of its anatomy.
    `class_names` are those of the outputs, where they are stated. `origin`: a digest of all that decides the module,
    where that is known without looking at it, else "".

    >>> import radhard as rh
    >>> loaded = rh.load("fashion-vit")
    >>> loaded.classes, loaded.input_shape
    (10, (1, 28, 28))
    """

    name: str
    module: nn.Module | ExportedProgram | Program | Unbuilt
    input_shape: ImageShape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: int
    weights: str
    preprocessing: Preprocessing
    assumed: tuple[str, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    overrides: Overrides = NONE
    class_names: tuple[str, ...] = ()
    origin: str = ""

    @property
    def built(self) -> nn.Module | ExportedProgram | Program:
        """The module or program, loaded where it has not been."""
        return self.module.module if isinstance(self.module, Unbuilt) else self.module


def check_size(shape: ImageShape, *, of: str) -> ImageShape:
    """`shape` itself. InputError for images of more values than any model takes, which would fill the memory."""
    if math.prod(shape) > _LARGEST:
        raise InputError(f"{of}: images {list(shape)} have {math.prod(shape):,} values; at most {_LARGEST:,} are taken")
    return shape


def assumed_normalisation(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std where nothing states them: ImageNet's for 3 channels, else 0 and 1 (pixels as they are)."""
    return (IMAGENET_MEAN, IMAGENET_STD) if channels == 3 else ((0.0,) * channels, (1.0,) * channels)


def normalised(
    model: LoadedModel, *, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> LoadedModel:
    """The model with another mean or std, one number a channel or one for all. InputError for another count."""
    channels = model.input_shape[0]
    given = {"mean": mean or model.mean, "std": std or model.std}
    fields: dict[str, tuple[float, ...]] = {}
    for field, values in given.items():
        if len(values) not in (1, channels):
            raise InputError(
                f"{field}: {len(values)} numbers for {channels} channel(s) of {model.name}; give one a channel "
                f"(--{field})"
            )
        fields[field] = tuple(map(float, values)) * (channels if len(values) == 1 else 1)
    if not all(value > 0 for value in fields["std"]):
        raise InputError(f"std: {fields['std']} of {model.name} must be greater than 0 (--std)")
    stated = {field for field, value in (("mean", mean), ("std", std)) if value}
    return replace(
        model,
        mean=fields["mean"],
        std=fields["std"],
        assumed=tuple(field for field in model.assumed if field not in stated),
    )


def count_classes(module: nn.Module, shape: ImageShape, *, name: str) -> int:
    """The number of logits of an image, by running two images [2, *shape] of zeros through `module` (eval mode).

    A module that returns one tensor [2, classes] in something else, or one called logits, is given a hook that returns
    it. Raises ModelError for one that fails, or that returns anything but logits, with the wrapper to write.
    """
    try:
        out = answers(module, torch.zeros(2, *shape), name=f"model {name}")
    except CaptureError:
        raise
    except Exception as error:  # whatever the module's own code raises
        if "custom C++ ops" in str(error):
            raise ModelError(
                f"model {name} calls operators of torchvision in C++ (such as nms, in detectors), which this "
                "torchvision has not beside this torch; classifiers need none of them"
            ) from error
        raise ModelError(
            f"model {name} does not take images {list(shape)}{place_of(error)} ({type(error).__name__}: "
            f"{first_line(error)}); give the shape that it takes by --input-shape"
        ) from error
    place = logits_in(out)
    logits = None if place is None else tensor_at(out, place)
    if place is None or logits is None or len(logits) != 2:
        raise ModelError(f"model {name} returns {wrapper_for(out, name=name)}")
    if not isinstance(out, Tensor):
        module.register_forward_hook(partial(_alone, place))
    return logits.shape[1]


def _alone(place: str, _module: nn.Module, _images: Any, out: Any) -> Tensor:
    """A hook: of what a module returns, the logits alone."""
    return tensor_at(out, place)
