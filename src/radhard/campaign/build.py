"""Builds the model under test from a model's name: loads data, captures, calibrates, quantises."""

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor

from radhard.campaign.cache.cache import Cache
from radhard.campaign.cache.prepared import CalibrationImages, Original, images_digest, original, quantized, scales
from radhard.campaign.model_under_test import ModelUnderTest, calibration_batches
from radhard.campaign.scales import KnownScales, shipped
from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.decode import DecodeProgress
from radhard.models.data.fashion import fashion_mnist
from radhard.models.data.listing import Listing
from radhard.models.data.pixels import pixels_of
from radhard.models.data.splits import DataChoice, split_data
from radhard.models.loaded import LoadedModel
from radhard.program import IntegerRecipe, Program, Recipe

RECIPES: tuple[Recipe, ...] = get_args(Recipe)
INTEGER: tuple[IntegerRecipe, ...] = get_args(IntegerRecipe)


def build(
    loaded: LoadedModel,
    *,
    recipe: str | None,
    data: DataChoice | None = None,
    whole: Dataset | Listing | None = None,
    images: int = 1,
    progress: DecodeProgress | None = None,
    known: Sequence[KnownScales] | None = None,
    device: str | torch.device = "cpu",
    cache: Cache | None = None,
) -> ModelUnderTest:
    """A loaded model -> it with its float program, an integer one and the images of `data` (default: embedded).

    The integer program is that of `recipe`, or int8 beside the recipe float and where that is None; a model that is
    quantised already is its only program, of its own recipe. Calibration sees images set apart for it, never those that
    are evaluated. `whole`: images in memory, which take the place of those that `data` names. `progress` is told of
    images decoded. `known`: scales that may take the place of calibration; default: those that the model brings. The
    programs are on `device`, which calibrates too. What the `cache` holds is not made again. Raises InputError for an
    unknown recipe or another one than the model's, for data that do not fit the model, and if more `images` are wanted
    than there are.
    """
    wanted = None if recipe is None else read_recipe(recipe)
    supplied = split_data(data or DataChoice(), loaded, whole=whole, progress=progress)
    evaluated = supplied.evaluated
    if images > len(evaluated):
        raise InputError(
            f"{images} images are asked for, {evaluated.name} has {len(evaluated)}: ask for fewer (--images)"
        )
    calibrating = _of_data(supplied.calibration, loaded)
    start = original(loaded, calibrating, cache=cache)
    _check_recipe(start, loaded, recipe=wanted)
    programs: dict[str, Program] = {start.program.recipe: start.program}
    found, kept = None, start.kept
    if start.program.recipe == "float":  # a program that is quantised already is the only one
        integer = _integer(wanted)
        known = shipped(loaded) if known is None else known
        found = scales(known, start, recipe=integer, calibrating=calibrating, cache=cache)
        programs[integer], kept = quantized(
            loaded, start, recipe=integer, found=found, calibrating=calibrating, device=device, cache=cache
        )
    elif any(one.when == "given" for one in known or ()):
        raise InputError(f"--scales: {loaded.name} is quantised already, and has its own; leave --scales out")
    return ModelUnderTest(
        model=loaded.name,
        programs=programs,
        data=evaluated,
        mean=loaded.mean,
        std=loaded.std,
        calibrated_on=_calibrated_on(supplied.calibrated_on, found, calibrating=calibrating, cache=cache),
        scales_from="" if found is None else found.source,
        calibration=supplied.calibration,
        pixels=pixels_of(evaluated, loaded=loaded),
        from_cache=kept,
    ).on(device)


def build_program(loaded: LoadedModel, *, recipe: str | None, cache: Cache | None = None) -> Program:
    """A loaded model -> its program for counting, calibrated on noise if the embedded images do not fit it."""
    wanted = None if recipe is None else read_recipe(recipe)
    embedded = fashion_mnist("calibration")
    fits = tuple(embedded.images.shape[1:]) == tuple(loaded.input_shape)
    calibrating = _of_data(embedded, loaded) if fits else _of_noise(loaded)
    start = original(loaded, calibrating, cache=cache)
    _check_recipe(start, loaded, recipe=wanted)
    if start.program.recipe == wanted or (wanted is None and start.program.recipe != "float"):
        return start.program
    integer = _integer(wanted)
    found = scales(shipped(loaded), start, recipe=integer, calibrating=calibrating, cache=cache)
    program, _ = quantized(
        loaded, start, recipe=integer, found=found, calibrating=calibrating, device="cpu", cache=cache
    )
    return program


def _calibrated_on(own: str, found: KnownScales | None, *, calibrating: CalibrationImages, cache: Cache | None) -> str:
    """Which images the scales are from: the `own` ones that were set apart here, or those of scales that were given."""
    if found is None or found.when == "same images":
        return own
    calibration = found.calibration
    if calibration.images and calibration.images == images_digest(calibrating, cache):
        return own
    which = f"SHA-256 {calibration.images[:12]} ..." if calibration.images else "which are not named"
    return f"{calibration.count:,} other images ({which}), by the scales of {found.source.removeprefix('--scales ')}"


def _of_data(data: Dataset, loaded: LoadedModel) -> CalibrationImages:
    identity = {"images": data.digest, "mean": list(loaded.mean), "std": list(loaded.std)}
    return CalibrationImages(
        identity=identity, read=lambda: calibration_batches(data, mean=loaded.mean, std=loaded.std)
    )


def _of_noise(loaded: LoadedModel) -> CalibrationImages:
    return CalibrationImages(identity={"noise": list(loaded.input_shape)}, read=lambda: noise(loaded))


def _integer(recipe: Recipe | None) -> IntegerRecipe:
    """The recipe itself where it is one of integers, else int8."""
    return next((known for known in INTEGER if known == recipe), "int8")


def _check_recipe(start: Original, loaded: LoadedModel, *, recipe: Recipe | None) -> None:
    """Raise InputError if the model is quantised and a stated recipe is not for that, or the other way round."""
    program = start.program
    if recipe is None:
        return
    if isinstance(loaded.module, Program):
        if (program.recipe == "float" and recipe == "pt2e") or program.recipe not in ("float", recipe):
            raise InputError(
                f"program {program.name} is of the recipe {program.recipe}, which {recipe!r} is not: take the recipe "
                f"{program.recipe}, or give the float program"
            )
    elif (program.recipe == "pt2e") != (recipe == "pt2e"):
        state, fix = ("quantised already", "pt2e") if program.recipe == "pt2e" else ("not quantised by PT2E", "int8")
        raise InputError(f"model {loaded.name} is {state}: recipe {recipe!r} is not for it; take --recipe {fix}")


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
