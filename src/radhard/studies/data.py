"""The images of a verb: a name, a folder, tensors, a Dataset or a DataLoader."""

from dataclasses import replace
from pathlib import Path

from radhard.errors import InputError, as_option
from radhard.models.data.dataset import Dataset
from radhard.models.data.in_memory import InMemory, is_pixels, read_whole
from radhard.models.data.listing import Listing
from radhard.models.data.preprocessing import Preprocessing
from radhard.models.data.splits import EMBEDDED, DataChoice, Split
from radhard.models.loaded import ImageShape, LoadedModel
from radhard.studies.options import DataOptions, ModelOptions

Data = str | Path | InMemory
"""`fashion-mnist`, a folder or file, `timm:NAME`; or tensors, a Dataset or a DataLoader (`InMemory`)."""

_OF_FILES = ("data_root", "split", "calibration_split", "skip_bad", "labels", "classes")


def held(data: Data) -> Dataset | Listing | None:
    """What is in memory, read; None for a name or a folder. Errors are those of `read_whole`."""
    return None if isinstance(data, str | Path) else read_whole(data)


def shape_of(data: Data, whole: Dataset | Listing | None) -> ImageShape | None:
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


def choice_of(
    data: Data, options: DataOptions, *, whole: Dataset | Listing | None, part: Split = "evaluate"
) -> DataChoice:
    """Which images are seen. `whole`: what is `held` of the data. InputError for options of files beside it."""
    if whole is not None:
        _check_options(options, name=whole.name)
    return DataChoice(
        data=str(data) if isinstance(data, str | Path) else EMBEDDED,
        root=options.data_root,
        split=options.split,
        samples=options.samples,
        seed=options.data_seed,
        calibration=_calibration(options.calibration),
        calibration_split=options.calibration_split,
        labels=options.labels,
        classes=options.classes,
        bad="skip" if options.skip_bad else "stop",
        part=part,
    )


def _calibration(given: str | InMemory | None) -> str | Dataset | Listing | None:
    """A name as it is, images in memory read."""
    return given if given is None or isinstance(given, str) else read_whole(given)


def _check_options(options: DataOptions, *, name: str) -> None:
    unset = DataOptions()
    for field in _OF_FILES:
        if (value := getattr(options, field)) != getattr(unset, field):
            raise InputError(f"{as_option(field)} {value}: it is of files, and {name} is in memory; leave it out")
