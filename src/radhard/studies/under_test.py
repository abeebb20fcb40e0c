"""Builds the model under test of a verb: loads, captures, calibrates, and takes the images."""

from collections.abc import Mapping
from typing import Literal

from radhard.campaign import build
from radhard.campaign.contents import unused
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.scales import given, of_plans, of_store, shipped
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Where
from radhard.machine import MARKED
from radhard.machine.device import CPU, choose_device, device_name, why_no_gpu
from radhard.models.data.splits import EMBEDDED, Split
from radhard.models.loaded import LoadedModel
from radhard.program import Program
from radhard.protection import Plan
from radhard.studies.data import Data, as_taken, choice_of, held, shape_of
from radhard.studies.model import Model, cache_of, loaded_model
from radhard.studies.options import DataOptions, ModelOptions
from radhard.studies.progress import Note, Preparing, Report, silent

DEFAULT_IMAGES = 1000


def under_test(
    model: Model,
    data: Data | None = None,
    *,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    images: int | None = None,
    device: str = "cpu",
    store: Store | None = None,
    plans: Mapping[str, Plan] | None = None,
    part: Split = "evaluate",
    places: Where = EVERYWHERE,
    scales: Literal["known", "new"] = "known",
    progress: Report | None = None,
) -> ModelUnderTest:
    """The programs of `model` by recipe, float and quantised, and the images of `data` (default: the embedded ones).

    Calibration sees images set apart for it, never those that are evaluated. Scales "known" are those of the options,
    the `plans`, the `store` or the model, where one of these has them; "new" ones are calibrated here. At least
    `images` are wanted. `part`: the images that "evaluate", or those on which a plan is to "select". `places`: layers
    and modules that are selected by name. `progress` is told what was assumed, what was done to the pixels, and what
    the store holds of the model and cannot be used. Errors are those of `radhard.load`, of
    `radhard.models.data.splits.split_data` and of `radhard.capture`.
    """
    model_options, data_options = model_options or ModelOptions(), data_options or DataOptions()
    data, report = EMBEDDED if data is None else data, progress or silent
    chosen = choose_device(device)
    if (line := device_chosen(device)) is not None:
        report(Note(model="", line=line))
    name = name_of(model)
    report(Preparing(model=name))
    known = given(model_options.scales)
    whole = held(data)
    cache = cache_of(model_options, tell=lambda text: report(Note(model=name, line=text)))
    loaded = loaded_model(model, model_options, images=shape_of(data, whole), cache=cache)
    loaded = as_taken(loaded, whole, options=model_options)
    if scales == "known":
        known += [*of_plans(plans or {}), *(of_store(store) if store else ()), *shipped(loaded)]
    model_under_test = build.build(
        loaded,
        recipe=model_options.recipe,
        data=choice_of(data, data_options, whole=whole, part=part),
        whole=whole,
        images=images or 1,
        progress=lambda done, total: report(Preparing(model=name, done=done, total=total)),
        known=known,
        device=chosen,
        cache=cache,
    )
    _check_digests(model_under_test, model_options, data_options, part=part)
    lines = (
        *_of_cache(model_under_test),
        *assumed(loaded),
        *_of_data(model_under_test),
        *_of_scales(model_under_test),
        *_of_recipe(model_under_test, model_options),
        *guessed(model_under_test.programs[recipe_of(model_under_test, model_options)], places),
        *(unused(store, model_under_test) if store and part == "evaluate" else ()),  # parts of a plan have others
    )
    for line in lines:
        report(Note(model=loaded.name, line=line))
    return model_under_test


def recipe_of(model_under_test: ModelUnderTest, options: ModelOptions) -> str:
    """The recipe that the options state; else that of a model that is quantised already; else int8."""
    return options.recipe or next((recipe for recipe in model_under_test.programs if recipe != "float"), "float")


def _check_digests(
    model_under_test: ModelUnderTest, model_options: ModelOptions, data_options: DataOptions, *, part: Split
) -> None:
    """Raise InputError for another program or other images than the options state; images on which to select pass."""
    program = model_under_test.programs[recipe_of(model_under_test, model_options)].digest
    data = model_under_test.data.digest if part == "evaluate" else None
    for option, stated, found, fix in (
        (
            "--program-digest",
            model_options.program_digest,
            program,
            "the model, its weights, its calibration or the versions of torch are other ones: give those of the study, "
            "or take the digest out of its file",
        ),
        (
            "--data-digest",
            data_options.data_digest,
            data,
            "images were added, removed or changed, or are resized otherwise: give those of the study, or take the "
            "digest out of its file",
        ),
    ):
        if stated is not None and found is not None and not found.startswith(stated):
            raise InputError(f"{option} {stated}: that of {model_under_test.model} is now {found}; {fix}")


def name_of(model: Model) -> str:
    """What a model is called before it is loaded."""
    return str(getattr(model, "name", type(model).__name__)) if not isinstance(model, str) else model


def images_taken(
    model_under_test: ModelUnderTest, asked: int | None, *, default: int = DEFAULT_IMAGES, progress: Report | None
) -> int:
    """How many images are taken: as many as were `asked` for, else `default`, or all of fewer, which is told."""
    if asked is not None:
        return asked
    count = len(model_under_test.data)
    if count < default:
        text = (
            f"{model_under_test.data.name} has fewer images than the {default:,} that are taken by default: all "
            f"{count:,} are taken (--images)"
        )
        (progress or silent)(Note(model=model_under_test.model, line=text))
    return min(default, count)


def device_chosen(text: str) -> str | None:
    """Of the device "auto": which it is, and why no GPU is; None of another. Errors are those of `choose_device`."""
    device = choose_device(text)
    if text != "auto":
        return None
    return f"--device auto: {device}" + (f": {why_no_gpu()}" if device == CPU else f" ({device_name(device)})")


def guessed(program: Program, places: Where) -> list[str]:
    """What to say if layers or modules that are selected by name are guesses."""
    sources = ("layer_source",) * bool(places.layers) + ("module_source",) * bool(places.modules)
    found = [
        site.name
        for site in program.sites
        if places.names(site) and any(getattr(site, source) in MARKED for source in sources)
    ]
    if not found:
        return []
    return [
        f"{len(found)} of the selected sites, {found[0]} the first, have a layer or a module that is a guess, "
        "or that a name contradicts: `radhard inspect` marks them with ?, --anatomy states them"
    ]


def assumed(loaded: LoadedModel) -> list[str]:
    """What nothing stated about the model, and how to state it."""
    if not loaded.assumed:
        return []
    return [
        f"{loaded.name} does not state its {', '.join(loaded.assumed)}: assumed are images "
        f"{list(loaded.input_shape)}, mean {list(loaded.mean)}, std {list(loaded.std)} (--input-shape, --mean, --std)"
    ]


def _of_data(model_under_test: ModelUnderTest) -> list[str]:
    """What was done to the pixels; of images that are not embedded, which calibrated, and what was left out.

    Every unreadable image is told by name, other files in short.
    """
    lines = [] if model_under_test.pixels is None else [model_under_test.pixels.line()]
    data = model_under_test.data
    if not data.names and not data.skipped and not data.remarks:
        return lines
    lines += [f"{data.name}; int8 scales from {model_under_test.calibrated_on}", *data.remarks]
    if data.skipped:
        lines.append(f"{len(data.skipped)} image(s) could not be read and are left out: {', '.join(data.skipped)}")
    return lines


def _of_recipe(model_under_test: ModelUnderTest, options: ModelOptions) -> list[str]:
    """Of a model that decides its recipe itself: which it is."""
    recipe = recipe_of(model_under_test, options)
    return (
        []
        if options.recipe or "float" in model_under_test.programs
        else [f"{model_under_test.model}: recipe {recipe}, the model's own"]
    )


def _of_cache(model_under_test: ModelUnderTest) -> list[str]:
    return (
        [f"{model_under_test.model}: program from the cache (--no-cache makes it anew)"]
        if model_under_test.from_cache
        else []
    )


def _of_scales(model_under_test: ModelUnderTest) -> list[str]:
    if model_under_test.scales_from in ("", "the model"):
        return []
    return [f"{model_under_test.model}: scales from {model_under_test.scales_from}"]
