"""The images of a verb: names and folders as the command line takes them, or what a Python program holds."""

from dataclasses import replace
from pathlib import Path

from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.decode import Progress
from radhard.models.data.in_memory import InMemory, is_pixels, made_to_fit, read_whole
from radhard.models.data.listing import Listing
from radhard.models.data.picture import Frame
from radhard.models.data.preprocessing import Preprocessing
from radhard.models.data.splits import EMBEDDED, DataChoice, Part, Supply, check_shape, supply, supply_in_memory
from radhard.models.loaded import LoadedModel, Shape
from radhard.studies.options import DataOptions, ModelOptions

Data = str | Path | InMemory
"""`fashion-mnist`, a folder or file, `timm:NAME`; or tensors, a Dataset or a DataLoader (`InMemory`)."""

_OF_FILES = ("data_root", "split", "calibration_split", "skip_bad", "labels", "classes")


def held(data: Data) -> Dataset | Listing | None:
    """What is in memory, read; None for a name or a folder. Errors are those of `read_whole`."""
    return None if isinstance(data, str | Path) else read_whole(data)


def shape_of(data: Data, whole: Dataset | Listing | None) -> Shape | None:
    """(C, H, W) of images that no model resizes; None where a folder or pictures of PIL hold any size."""
    if isinstance(whole, Dataset):
        channels, height, width = whole.images.shape[1:]
        return channels, height, width
    return (1, 28, 28) if data == EMBEDDED else None


def as_taken(loaded: LoadedModel, whole: Dataset | Listing | None, *, options: ModelOptions) -> LoadedModel:
    """The model that takes floats as they are, but for a mean or std that the options state: others did the rest."""
    if whole is None or is_pixels(whole):
        return loaded
    channels = loaded.input_shape[0]
    return replace(
        loaded,
        mean=loaded.mean if options.mean else (0.0,) * channels,
        std=loaded.std if options.std else (1.0,) * channels,
        preprocessing=Preprocessing(size=loaded.input_shape[1:]),
        assumed=(),
    )


def supplied(
    data: Data,
    loaded: LoadedModel,
    *,
    whole: Dataset | Listing | None,
    options: DataOptions,
    part: Part = "evaluate",
    progress: Progress | None = None,
) -> Supply:
    """The images that are evaluated and those that calibrate. `whole`: what is `held` of the data.

    Raises InputError as `radhard.models.data.splits.supply` does, and for options of files beside what is in memory.
    """
    choice = _choice(data, options, part=part)
    if whole is None:
        return supply(choice, loaded, progress=progress)
    _check_options(options, name=whole.name)
    fitting = _fitting(whole, loaded, progress=progress)
    if choice.calibration is not None and not is_pixels(whole):
        raise InputError(
            f"calibration {choice.calibration}: the images are floats as the model takes them, and those are pixels; "
            "give images that calibrate as tensors, too, or leave them out to set a share apart"
        )
    return supply_in_memory(choice, loaded, whole=fitting, progress=progress)


def _choice(data: Data, options: DataOptions, *, part: Part) -> DataChoice:
    return DataChoice(
        data=str(data) if isinstance(data, str | Path) else EMBEDDED,
        root=options.data_root,
        split=options.split,
        samples=options.samples,
        seed=options.data_seed,
        calibration=options.calibration,
        calibration_split=options.calibration_split,
        labels=options.labels,
        classes=options.classes,
        bad="skip" if options.skip_bad else "stop",
        part=part,
    )


def _fitting(whole: Dataset | Listing, loaded: LoadedModel, *, progress: Progress | None) -> Dataset:
    frame = Frame(preprocessing=loaded.preprocessing, channels=loaded.input_shape[0], mean=loaded.mean)
    fitting = made_to_fit(whole, frame=frame, progress=progress)
    check_shape(loaded, fitting)
    return fitting


def _check_options(options: DataOptions, *, name: str) -> None:
    unset = DataOptions()
    for field in _OF_FILES:
        if (value := getattr(options, field)) != getattr(unset, field):
            raise InputError(f"{field} {value}: it is of files, and {name} is in memory; leave it out")
