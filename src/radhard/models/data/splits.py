"""Splits of a run's images: evaluation and calibration, which never overlap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from radhard.errors import InputError
from radhard.models.data.arrays import fitted
from radhard.models.data.classes import check_labels, model_labels, named_labels, read_classes
from radhard.models.data.dataset import Dataset
from radhard.models.data.decode import DecodeProgress, decode
from radhard.models.data.fashion import fashion_mnist
from radhard.models.data.identity import drawn_order
from radhard.models.data.in_memory import is_pixels, made_to_fit
from radhard.models.data.layouts import FACTORY, list_data
from radhard.models.data.listing import UNLABELLED, Listing
from radhard.models.data.picture import Frame
from radhard.models.data.same import repeated, same_pictures
from radhard.models.data.tree import alike, few
from radhard.models.loaded import LoadedModel

EMBEDDED = "fashion-mnist"
CALIBRATION_IMAGES = 512
Split = Literal["evaluate", "select"]
_LEAST = 2  # images of a calibration


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """What a user chose: `data` is `fashion-mnist`, a folder or file, or `timm:NAME` with its `root`; and its `split`.

    `labels`: "none", "folders" or a list of them, where the layout does not say it. `classes`: a file that names the
    classes in the order of the model's outputs. `samples` of it are drawn with `seed`; None takes all, of a folder or
    timm's in drawn order, too. `calibration` names another set, with its `calibration_split`, or is one in memory; None
    sets a share of the data apart. `bad` says what is done about images that cannot be read. `part`: those that
    "evaluate", from the first on, or those on which a protection is to "select" its plan: of the embedded images ones
    that nothing else sees, else from the last one back.
    """

    data: str = EMBEDDED
    root: Path | None = None
    split: str | None = None
    samples: int | None = None
    seed: int = 0
    calibration: str | Dataset | Listing | None = None
    calibration_split: str | None = None
    bad: Literal["stop", "skip"] = "stop"
    part: Split = "evaluate"
    labels: str | None = None
    classes: Path | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class DataSplits:
    """The images that are evaluated, those that calibrate, and where the latter are from, for the record."""

    evaluated: Dataset
    calibration: Dataset
    calibrated_on: str


def split_data(
    choice: DataChoice,
    loaded: LoadedModel,
    *,
    whole: Dataset | Listing | None = None,
    progress: DecodeProgress | None = None,
) -> DataSplits:
    """The images of `choice` as `loaded` takes them: uint8, preprocessed as its configuration says.

    `whole`: images in memory that take their place, in a drawn order as those of a folder.

    Raises InputError where there are too few, where some cannot be read, where labels cannot be the model's, and
    where images that would calibrate are among those that are evaluated.
    """
    if whole is not None:
        return _in_memory(choice, loaded, whole=whole, progress=progress)
    if choice.root is not None and not any((text or "").startswith(FACTORY) for text in _texts(choice)):
        raise InputError(
            f"--data-root {choice.root} goes with --data {FACTORY}NAME; a folder is given as --data itself"
        )
    if choice.data == EMBEDDED:
        _check_embedded(choice)
        evaluated = _sample_of(_embedded(choice), choice)
        if _is_as_stored(loaded):
            check_shape(loaded, evaluated)
        else:
            evaluated = fitted(evaluated, frame=_frame(loaded), progress=progress)
        return _calibrated(choice, loaded, evaluated=evaluated, locations=frozenset(), progress=progress)
    listing = list_data(choice.data, root=choice.root, split=choice.split, labels=choice.labels)
    labels = _model_labels(listing, choice, loaded)
    order = listing.order(seed=choice.seed)
    share = 0 if choice.calibration is not None else calibration_share(listing.count, name=listing.name)
    apart, rest = order[:share], order[share:]
    if choice.part == "select":
        rest = rest[::-1]
    chosen = rest[: _count(choice, len(rest), name=listing.name)]
    evaluated = decode(
        listing,
        chosen,
        name=f"{listing.name}, {len(chosen):,} of {listing.count:,} images, order {choice.seed}"
        + (", from the end" if choice.part == "select" else ""),
        frame=_frame(loaded),
        labels=labels,
        bad=choice.bad,
        progress=progress,
    )
    if evaluated.labelled:
        check_labels(evaluated.labels, classes=loaded.classes, name=listing.name)
    remarks = (listing.understood(), *_matched(listing, choice, loaded, labels), *listing.remarks, *repeated(evaluated))
    evaluated = replace(evaluated, remarks=remarks)
    if choice.calibration is not None:
        locations = frozenset(map(listing.location, chosen))
        return _calibrated(choice, loaded, evaluated=evaluated, locations=locations, progress=progress)
    text = f"{share} of the {listing.count:,} images of {listing.name}, set apart with seed {choice.seed}"
    calibration = decode(listing, apart, name=text, frame=_frame(loaded), bad=choice.bad, progress=progress)
    return _supplied(evaluated, calibration)


def check_labelled(data: Dataset, *, doing: str) -> None:
    """Raise InputError if images have no labels, which `doing` something takes, such as `reproduce`."""
    if not data.labelled:
        raise InputError(
            f"{doing} needs labels, as it decides by accuracy, and {data.name} has none: give them by --labels FILE; "
            "sweep, vulnerability, plan, compare and evaluate work without, by the share of answers that change"
        )


def calibration_share(count: int, *, name: str) -> int:
    """How many of `count` images are set apart: 512, or a fifth of fewer than 2,560. InputError for less than 2."""
    share = min(CALIBRATION_IMAGES, count // 5)
    if share < _LEAST:
        raise InputError(
            f"data {name} has {count} images: a fifth of them is too few to calibrate on; name other images with "
            "--calibration"
        )
    return share


def check_shape(loaded: LoadedModel, data: Dataset) -> None:
    """Raise InputError if the images of `data` are not of the shape that the model takes."""
    shape, taken = tuple(data.images.shape[1:]), tuple(loaded.input_shape)
    if shape != taken:
        raise InputError(
            f"model {loaded.name} takes images of shape {taken}, those of {data.name} have {shape}; choose a "
            "model trained for them, such as fashion-vit, or give --data FOLDER with images for this one"
        )


def _texts(choice: DataChoice) -> tuple[str, str]:
    return choice.data, choice.calibration if isinstance(choice.calibration, str) else ""


def _model_labels(listing: Listing, choice: DataChoice, loaded: LoadedModel) -> list[int] | None:
    """The model's output for each label of the listing; None where labels are outputs, or there are none."""
    if UNLABELLED in listing.labels:
        if choice.classes is not None:
            raise InputError(f"--classes {choice.classes}: data {listing.name} has no labels; leave it out")
        return None
    if choice.classes is None:
        return model_labels(listing.class_names, classes=loaded.classes, name=listing.name, outputs=loaded.class_names)
    names = read_classes(choice.classes)
    return named_labels(listing.class_names, names=names, classes=loaded.classes, name=listing.name)


def _matched(
    listing: Listing, choice: DataChoice, loaded: LoadedModel, labels: Sequence[int] | None
) -> tuple[str, ...]:
    """What to say of classes that are matched with a model's named outputs: how, if not in the same order."""
    if labels is None or not loaded.class_names or choice.classes is not None:
        return ()
    outputs = [loaded.class_names[label] for label in labels]
    if list(map(alike, listing.class_names)) == list(map(alike, outputs)):
        return (f"{listing.name}: classes are matched with the model's outputs by name",)
    pairs = [f"{own} is {output}" for own, output in zip(listing.class_names, outputs, strict=True)]
    return (f"{listing.name}: {few(pairs, 'classes are matched with the model outputs by order')}",)


def _check_embedded(choice: DataChoice) -> None:
    for option, value in (("--split", choice.split), ("--labels", choice.labels), ("--classes", choice.classes)):
        if value is not None:
            raise InputError(f"{option} {value}: the embedded images have their own; give a folder as --data")


def _is_as_stored(loaded: LoadedModel) -> bool:
    """Whether the embedded images are taken as they are: nothing was said of a resize."""
    return loaded.preprocessing.stated_by != "options" or loaded.preprocessing.crop_mode == "none"


def _frame(loaded: LoadedModel) -> Frame:
    return Frame(preprocessing=loaded.preprocessing, channels=loaded.input_shape[0], mean=loaded.mean)


def _count(choice: DataChoice, count: int, *, name: str) -> int:
    wanted = count if choice.samples is None else choice.samples
    if not 1 <= wanted <= count:
        raise InputError(
            f"--samples {wanted}: {name} has {count:,} images to evaluate (without those set apart for calibration); "
            "ask for no more, or name other images with --calibration"
        )
    return wanted


def _embedded(choice: DataChoice) -> Dataset:
    if choice.part == "evaluate":
        return fashion_mnist("test")
    apart = fashion_mnist("calibration")
    return apart.take(torch.arange(CALIBRATION_IMAGES, len(apart)), name="fashion-mnist/selection")


def _sample_of(data: Dataset, choice: DataChoice) -> Dataset:
    if choice.samples is None:
        return data
    count = _count(choice, len(data), name=data.name)
    order = drawn_order([str(number) for number in data.ids.tolist()], seed=choice.seed)
    name = f"{data.name}, {count:,} of {len(data):,} images, order {choice.seed}"
    return data.take(torch.tensor(order[:count]), name=name)


def _in_memory(
    choice: DataChoice, loaded: LoadedModel, *, whole: Dataset | Listing, progress: DecodeProgress | None
) -> DataSplits:
    """Those calibrate that `choice` names or holds, else a share of `whole`. The order is drawn from identities."""
    if isinstance(choice.calibration, str) and not is_pixels(whole):
        raise InputError(
            f"calibration {choice.calibration}: the images are floats as the model takes them, and those are pixels; "
            "give images that calibrate as tensors, too, or leave them out to set a share apart"
        )
    whole = made_to_fit(whole, frame=_frame(loaded), progress=progress)
    check_shape(loaded, whole)
    order = drawn_order([str(number) for number in whole.ids.tolist()], seed=choice.seed)
    share = calibration_share(len(whole), name=whole.name) if choice.calibration is None else 0
    rest = order[share:][::-1] if choice.part == "select" else order[share:]
    count = _count(choice, len(rest), name=whole.name)
    name = f"{whole.name}, {count:,} of {len(whole):,} images, order {choice.seed}"
    name += ", from the end" if choice.part == "select" else ""
    evaluated = whole.take(torch.tensor(rest[:count]), name=name)
    if evaluated.labelled:
        check_labels(evaluated.labels, classes=loaded.classes, name=whole.name)
    evaluated = replace(evaluated, remarks=(*evaluated.remarks, *repeated(evaluated)))
    if isinstance(choice.calibration, Dataset | Listing):
        if is_pixels(choice.calibration) != is_pixels(whole):
            raise InputError(
                f"calibration {choice.calibration.name} and {whole.name} are not alike: one has pixels, the other "
                "floats as the model takes them; make both the same way"
            )
        return _supplied(evaluated, _first(choice.calibration, loaded, seed=choice.seed, progress=progress))
    if choice.calibration is not None:
        return _calibrated(choice, loaded, evaluated=evaluated, locations=frozenset(), progress=progress)
    text = f"{share} of the {len(whole):,} images of {whole.name}, set apart with seed {choice.seed}"
    return _supplied(evaluated, whole.take(torch.tensor(order[:share]), name=text))


def _calibrated(
    choice: DataChoice,
    loaded: LoadedModel,
    *,
    evaluated: Dataset,
    locations: frozenset[str],
    progress: DecodeProgress | None,
) -> DataSplits:
    """With the embedded calibration images, or with those of the set that `choice.calibration` names."""
    if choice.calibration is None or choice.calibration == EMBEDDED:
        calibration = fashion_mnist("calibration").take(
            torch.arange(CALIBRATION_IMAGES), name="fashion-mnist/calibration"
        )
        if _is_as_stored(loaded):
            check_shape(loaded, calibration)
        else:
            calibration = fitted(calibration, frame=_frame(loaded), progress=progress)
        text = f"{len(calibration)} images of {calibration.name}"
        if choice.data == EMBEDDED:
            return DataSplits(evaluated=evaluated, calibration=calibration, calibrated_on=text)
        return _supplied(evaluated, replace(calibration, name=text))
    if not isinstance(choice.calibration, str):
        raise InputError(
            f"calibration {choice.calibration.name} is in memory, and data {choice.data} are files: name files that "
            "calibrate"
        )
    listing = list_data(choice.calibration, root=choice.root, split=choice.calibration_split, option="--calibration")
    order = listing.order(seed=choice.seed)[:CALIBRATION_IMAGES]
    if len(order) < _LEAST:
        raise InputError(f"--calibration {choice.calibration}: it has one image; at least {_LEAST} calibrate")
    _check_apart(listing, order, locations=locations, evaluated=evaluated.name)
    text = f"{len(order)} of the {listing.count:,} images of {listing.name}, drawn with seed {choice.seed}"
    calibration = decode(listing, order, name=text, frame=_frame(loaded), bad=choice.bad, progress=progress)
    return _supplied(evaluated, calibration)


def _first(given: Dataset | Listing, loaded: LoadedModel, *, seed: int, progress: DecodeProgress | None) -> Dataset:
    """As many of the images of a set in memory as calibrate, drawn with the seed."""
    fitting = made_to_fit(given, frame=_frame(loaded), progress=progress)
    check_shape(loaded, fitting)
    order = drawn_order([str(number) for number in fitting.ids.tolist()], seed=seed)[:CALIBRATION_IMAGES]
    if len(order) < _LEAST:
        raise InputError(f"calibration {given.name}: it has one image; at least {_LEAST} calibrate")
    text = f"{len(order)} of the {len(fitting):,} images of {given.name} for calibration, drawn with seed {seed}"
    return fitting.take(torch.tensor(order), name=text)


def _supplied(evaluated: Dataset, calibration: Dataset) -> DataSplits:
    """Both, without the pictures that would calibrate and are evaluated, too, under whatever name: these are told."""
    both = same_pictures(calibration, as_in=evaluated)
    text = _told(calibration)
    if both:
        names = [calibration.names[place] if calibration.names else f"image {place}" for place in both]
        left = [place for place in range(len(calibration)) if place not in set(both)]
        if len(left) < _LEAST:
            raise InputError(
                f"{len(both)} of {len(calibration)} pictures would calibrate and be evaluated ({few(names, 'files')}), "
                "under other names; give other images by --calibration"
            )
        text += f", without {few(names, 'that are evaluated, too, under another name')}"
        calibration = calibration.take(torch.tensor(left), name=calibration.name)
    return DataSplits(evaluated=evaluated, calibration=calibration, calibrated_on=text)


def _told(calibration: Dataset) -> str:
    if not calibration.skipped:
        return calibration.name
    return f"{calibration.name}, without {few(calibration.skipped, 'that cannot be read')}"


def _check_apart(listing: Listing, places: Sequence[int], *, locations: frozenset[str], evaluated: str) -> None:
    both = [place for place in places if listing.location(place) in locations]
    if both:
        raise InputError(
            f"--calibration: {len(both)} of its images are among those that are evaluated ({evaluated}), "
            f"{listing.label(both[0])} for one; name other images, or leave --calibration out to set a share apart"
        )
