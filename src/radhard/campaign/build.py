"""From a model's name to the bench that campaigns work on: capture, calibrate, quantise, data."""

from typing import get_args

import torch
from torch import Tensor

from radhard.campaign.bench import Bench
from radhard.errors import InputError
from radhard.models.fashion import Dataset, fashion_mnist
from radhard.models.load import LoadedModel
from radhard.program import Program, Recipe, capture, quantize

RECIPES: tuple[Recipe, ...] = get_args(Recipe)
DATA = ("fashion-mnist",)
CALIBRATION_IMAGES = 512
CALIBRATION_BATCH = 256


def build(loaded: LoadedModel, *, recipe: str, data: str = "fashion-mnist", images: int = 1) -> Bench:
    """A loaded model -> the bench with its float program, an integer one and the test images of `data`.

    The integer program is that of `recipe`, or int8 beside the recipe float. Calibration sees the data's own
    calibration images, never test images. Raises InputError for an unknown recipe or data, for images
    of another shape than the model takes, and if more `images` are wanted than there are.
    """
    wanted = read_recipe(recipe)
    if data not in DATA:
        raise InputError(f"data {data!r} is not known; it is one of {', '.join(DATA)}")
    test = fashion_mnist("test")
    check_shape(loaded, test)
    if images > len(test):
        raise InputError(f"{images} images are asked for, {test.name} has {len(test)}; ask for no more")
    original = capture(loaded.module, calibration_batches(loaded)[0], name=loaded.name)
    integer = "int8" if wanted == "float" else wanted
    programs = {"float": original, integer: quantize(original, calibration_batches(loaded), recipe=integer)}
    return Bench(model=loaded.name, programs=programs, data=test, mean=loaded.mean, std=loaded.std)


def build_program(loaded: LoadedModel, *, recipe: str) -> Program:
    """A loaded model -> its program for counting, calibrated on noise if the data do not fit it."""
    wanted = read_recipe(recipe)
    fits = tuple(fashion_mnist("calibration").images.shape[1:]) == tuple(loaded.input_shape)
    batches = calibration_batches(loaded) if fits else noise(loaded)
    original = capture(loaded.module, batches[0], name=loaded.name)
    return original if wanted == "float" else quantize(original, batches, recipe=wanted)


def calibration_batches(loaded: LoadedModel) -> list[Tensor]:
    """The first CALIBRATION_IMAGES images set apart for it, float32 [CALIBRATION_BATCH, C, H, W] each."""
    data = fashion_mnist("calibration")
    indices = torch.split(torch.arange(CALIBRATION_IMAGES), CALIBRATION_BATCH)
    return [data.batch(part, mean=loaded.mean, std=loaded.std) for part in indices]


def noise(loaded: LoadedModel, *, seed: int = 0) -> list[Tensor]:
    """One batch of two images of normal noise, float32 [2, C, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn((2, *loaded.input_shape), generator=generator)]


def read_recipe(name: str) -> Recipe:
    """The recipe of that name. InputError for one that is not known."""
    for recipe in RECIPES:
        if recipe == name:
            return recipe
    raise InputError(f"recipe {name!r} is not known; it is one of {', '.join(RECIPES)}")


def check_shape(loaded: LoadedModel, data: Dataset) -> None:
    """Raise InputError if the images of `data` are not of the shape that the model takes."""
    shape, taken = tuple(data.images.shape[1:]), tuple(loaded.input_shape)
    if shape != taken:
        raise InputError(
            f"model {loaded.name} takes images of shape {taken}, those of {data.name} have {shape}; choose a "
            "model trained for them, such as fashion-vit"
        )
