"""Which images a run sees: those that are evaluated, and those that calibrate, which are never the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from radhard.errors import InputError
from radhard.models.classes import check_labels, model_labels
from radhard.models.dataset import Dataset
from radhard.models.decode import Frame, Progress, decode
from radhard.models.factory import list_factory
from radhard.models.fashion import fashion_mnist
from radhard.models.folder import few, list_folder
from radhard.models.identity import drawn_order
from radhard.models.listing import Listing
from radhard.models.loaded import LoadedModel

EMBEDDED = "fashion-mnist"
CALIBRATION_IMAGES = 512
_FACTORY = "timm:"
Part = Literal["evaluate", "select"]
_LEAST = 2  # images of a calibration


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """What a user chose: `data` is `fashion-mnist`, an image folder, or `timm:NAME` with its `root` and `split`.

    `samples` of it are drawn with `seed`; None takes all, of a folder or timm's in drawn order, too. `calibration`
    names another set, of timm's its `calibration_split`; None sets a share of the data apart. `bad` says what is
    done about images that cannot be read. `part`: those that "evaluate", from the first on, or those on which a
    protection is to "select" its plan: of the embedded images ones that nothing else sees, else from the last one back.
    """

    data: str = EMBEDDED
    root: Path | None = None
    split: str = "validation"
    samples: int | None = None
    seed: int = 0
    calibration: str | None = None
    calibration_split: str = "train"
    bad: Literal["stop", "skip"] = "stop"
    part: Part = "evaluate"


@dataclass(frozen=True, kw_only=True, eq=False)
class Supply:
    """The images that are evaluated, those that calibrate, and where the latter are from, for the record."""

    evaluated: Dataset
    calibration: Dataset
    calibrated_on: str


def supply(choice: DataChoice, loaded: LoadedModel, *, progress: Progress | None = None) -> Supply:
    """The images of `choice` as `loaded` takes them: uint8, preprocessed as its configuration says.

    Raises InputError where there are too few, where some cannot be read, where labels cannot be the model's, and
    where images that would calibrate are among those that are evaluated.
    """
    if choice.root is not None and not any((text or "").startswith(_FACTORY) for text in _texts(choice)):
        raise InputError(
            f"--data-root {choice.root} goes with --data {_FACTORY}NAME; a folder is given as --data itself"
        )
    if choice.data == EMBEDDED:
        evaluated = _sample_of(_embedded(choice), choice)
        check_shape(loaded, evaluated)
        return _calibrated(choice, loaded, evaluated=evaluated, locations=frozenset(), progress=progress)
    listing = _listing(choice.data, root=choice.root, split=choice.split)
    labels = model_labels(listing.class_names, classes=loaded.classes, name=listing.name)
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
    check_labels(evaluated.labels, classes=loaded.classes, name=listing.name)
    if choice.calibration is not None:
        locations = frozenset(map(listing.location, chosen))
        return _calibrated(choice, loaded, evaluated=evaluated, locations=locations, progress=progress)
    text = f"{share} of the {listing.count:,} images of {listing.name}, set apart with seed {choice.seed}"
    calibration = decode(listing, apart, name=text, frame=_frame(loaded), bad=choice.bad, progress=progress)
    return Supply(evaluated=evaluated, calibration=calibration, calibrated_on=_told(calibration))


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
    return choice.data, choice.calibration or ""


def _listing(text: str, *, root: Path | None, split: str) -> Listing:
    if text.startswith(_FACTORY):
        return list_factory(text.removeprefix(_FACTORY), root=root, split=split)
    if not Path(text).is_dir():
        raise InputError(
            f"data {text!r} is not known; it is {EMBEDDED}, a folder with a folder of images for each class, or "
            f"{_FACTORY}NAME for what timm's data set factory reads"
        )
    return list_folder(Path(text))


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


def _calibrated(
    choice: DataChoice,
    loaded: LoadedModel,
    *,
    evaluated: Dataset,
    locations: frozenset[str],
    progress: Progress | None,
) -> Supply:
    """With the embedded calibration images, or with those of the set that `choice.calibration` names."""
    if choice.calibration in (None, EMBEDDED):
        calibration = fashion_mnist("calibration").take(
            torch.arange(CALIBRATION_IMAGES), name="fashion-mnist/calibration"
        )
        check_shape(loaded, calibration)
        text = f"{len(calibration)} images of {calibration.name}"
        return Supply(evaluated=evaluated, calibration=calibration, calibrated_on=text)
    listing = _listing(choice.calibration, root=choice.root, split=choice.calibration_split)
    order = listing.order(seed=choice.seed)[:CALIBRATION_IMAGES]
    if len(order) < _LEAST:
        raise InputError(f"--calibration {choice.calibration}: it has one image; at least {_LEAST} calibrate")
    _check_apart(listing, order, locations=locations, evaluated=evaluated.name)
    text = f"{len(order)} of the {listing.count:,} images of {listing.name}, drawn with seed {choice.seed}"
    calibration = decode(listing, order, name=text, frame=_frame(loaded), bad=choice.bad, progress=progress)
    return Supply(evaluated=evaluated, calibration=calibration, calibrated_on=_told(calibration))


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
