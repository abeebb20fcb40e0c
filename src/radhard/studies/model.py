"""The model of a verb: a module, an exported program, a captured program, or a name to load."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from radhard.campaign.cache.cache import Cache, user_cache
from radhard.campaign.cache.folder import Tell
from radhard.campaign.cache.origin import origin
from radhard.campaign.cache.remembered import remembered
from radhard.errors import InputError, as_option
from radhard.machine import Clean
from radhard.models.data.fashion import fashion_mnist
from radhard.models.data.preprocessing import Preprocessing, restated
from radhard.models.load import load
from radhard.models.loaded import ImageShape, LoadedModel, WeightSource, assumed_normalisation, check_size, normalised
from radhard.models.sources.from_archive import shapes_of
from radhard.program import NONE, Program, run
from radhard.program.capture.accepted import check_module, check_state, unwrapped_module
from radhard.program.capture.agreement import logits_of
from radhard.studies.options import ModelOptions

Model = str | Path | nn.Module | ExportedProgram | Program | LoadedModel
"""A name as `radhard.load` takes it, a file, a module in eval mode, a program; or what `radhard.load` gave."""


def loaded_model(
    model: Model, options: ModelOptions, *, images: ImageShape | None = None, cache: Cache | None = None
) -> LoadedModel:
    """The model with what the options say of it. `images`: the shape of those that it is to see, where it is known.

    What a `cache` knows of a name is taken from there, and the model not built. A module stays as it was. Raises
    ModelError and InputError as `radhard.load` does; InputError for a module in training mode or without a known shape
    of images, and for options that say what a module or program says itself.
    """
    if isinstance(model, str | Path):
        return _named(str(model), options, images=images, cache=cache)
    _check_options(model, options)
    if isinstance(model, LoadedModel):
        return _restated(model, options)
    if isinstance(model, Program):
        shape, classes = _shape_of_program(model)
        return _own(model, options, name=model.name, shape=shape, classes=classes)
    if isinstance(model, ExportedProgram):
        shape, classes = shapes_of(model, "the exported program")
        return _own(model, options, name="exported", shape=shape, classes=classes)
    if isinstance(model, nn.Module):
        return _module(model, options, images=images)
    raise InputError(
        f"model is a {type(model).__name__}: give a torch.nn.Module, a name such as fashion-vit, FILE.py:FUNCTION, a "
        ".pt2 file, or a program"
    )


def cache_of(options: ModelOptions, *, tell: Tell | None = None) -> Cache | None:
    """The user's cache of programs, unless the options say none; `tell` is told what is wrong with its files."""
    return None if options.no_cache else user_cache(tell)


def embedded_shape() -> ImageShape:
    """(C, H, W) of the embedded images."""
    channels, height, width = fashion_mnist("calibration").images.shape[1:]
    return channels, height, width


def _named(name: str, options: ModelOptions, *, images: ImageShape | None, cache: Cache | None) -> LoadedModel:
    def at(shape: ImageShape | None) -> LoadedModel:
        weights: WeightSource = "pretrained" if options.pretrained else "random"
        stated = {
            "checkpoint_key": options.checkpoint_key,
            "weights": weights,
            "input_shape": shape,
            "mean": options.mean,
            "std": options.std,
            "resize": options.resize,
            "crop_pct": options.crop_pct,
            "interpolation": options.interpolation,
        }

        def build() -> LoadedModel:
            return load(
                name,
                options.checkpoint,
                checkpoint_key=options.checkpoint_key,
                weights=weights,
                input_shape=shape,
                mean=options.mean,
                std=options.std,
                resize=options.resize,
                crop_pct=options.crop_pct,
                interpolation=options.interpolation,
            )

        return remembered(cache, lambda: origin(name, checkpoint=options.checkpoint, options=stated), build=build)

    loaded = at(options.input_shape)
    if images is not None and images != loaded.input_shape and "input_shape" in loaded.assumed:
        loaded = at(images)  # nothing states the shape but the images
    return replace(loaded, overrides=options.anatomy or NONE)


def _module(model: nn.Module, options: ModelOptions, *, images: ImageShape | None) -> LoadedModel:
    module = unwrapped_module(model)
    name = type(module).__name__
    shape = options.input_shape or images
    if shape is None:
        raise InputError(
            f"model {name} does not say what images it takes: give their shape, "
            "ModelOptions(input_shape=(channels, height, width)), or images as tensors"
        )
    check_module(module, name=name)
    check_state(module, name=name, device=torch.device("cpu"))
    with torch.no_grad():
        logits = logits_of(module, torch.zeros(2, *check_size(shape, of="input_shape")), name=name)
    if logits.ndim != 2 or len(logits) != 2:
        raise InputError(f"model {name} returns {list(logits.shape)} for 2 images, where logits [2, classes] are meant")
    return _own(module, options, name=name, shape=shape, classes=logits.shape[1])


def _own(
    module: nn.Module | ExportedProgram | Program, options: ModelOptions, *, name: str, shape: ImageShape, classes: int
) -> LoadedModel:
    """A model that says nothing of the pixels that it takes."""
    if options.input_shape not in (None, shape):
        raise InputError(f"--input-shape {options.input_shape}: model {name} takes images {list(shape)}; leave it out")
    mean, std = assumed_normalisation(shape[0])
    made = LoadedModel(
        name=name,
        module=module,
        input_shape=shape,
        mean=mean,
        std=std,
        classes=classes,
        weights=f"those of the {type(module).__name__} that was given",
        preprocessing=Preprocessing(size=shape[1:]),
        assumed=("mean", "std"),
    )
    return _restated(made, options)


def _restated(model: LoadedModel, options: ModelOptions) -> LoadedModel:
    """The model with other normalisation, preprocessing and anatomy, where the options state them."""
    pixels = restated(
        model.preprocessing, resize=options.resize, crop_pct=options.crop_pct, interpolation=options.interpolation
    )
    model = replace(normalised(model, mean=options.mean, std=options.std), preprocessing=pixels)
    return model if options.anatomy is None else replace(model, overrides=options.anatomy)


def _check_options(model: object, options: ModelOptions) -> None:
    """Raise InputError for options of a model that is loaded by its name."""
    stated: dict[str, object] = {"checkpoint": options.checkpoint, "checkpoint_key": options.checkpoint_key}
    stated["pretrained"] = options.pretrained or None
    if isinstance(model, Program):
        stated["anatomy"] = options.anatomy
    for field, value in stated.items():
        if value is not None:
            raise InputError(
                f"{as_option(field)} {value}: the {type(model).__name__} that is given has its own; leave it out"
            )


def _shape_of_program(program: Program) -> tuple[ImageShape, int]:
    if len(program.input_shape) != 3:
        raise InputError(f"program {program.name} takes {list(program.input_shape)}, where images [C, H, W] are meant")
    channels, height, width = program.input_shape
    host = program.on_host
    logits = run(host, torch.zeros(1, channels, height, width), Clean()).logits
    return (channels, height, width), logits.shape[1]
