"""Images in one array: .npy and .npz files, and other formats that are read into arrays."""

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.decode import DecodeProgress, decode
from radhard.models.data.listing import UNLABELLED, Listing, Open
from radhard.models.data.picture import Frame, Picture
from radhard.models.data.split_names import choose, no_splits, split_of
from radhard.models.data.tree import few

NumpyArray = npt.NDArray[Any]

_IMAGES = ("images", "image", "x", "data", "arr_0")
_LABELS = ("labels", "label", "y", "targets", "target", "arr_1")


def array_listing(
    images: NumpyArray,
    labels: NumpyArray | None,
    *,
    name: str,
    origin: str,
    layout: str,
    class_names: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> Listing:
    """`images` [N, ...] and their labels [N] -> a listing; an image's identity is its place."""
    if images.ndim not in (3, 4) or not len(images):
        raise InputError(f"data {name}: its array {list(images.shape)} is none of images [N, H, W] or [N, H, W, C]")
    numbers = np.full(len(images), UNLABELLED, np.int64) if labels is None else _numbers(labels, name=name)
    if len(numbers) != len(images):
        raise InputError(f"data {name}: {len(images)} images and {len(numbers)} labels do not belong together")
    return Listing(
        name=name,
        origin=origin,
        count=len(images),
        class_names=tuple(class_names),
        labels=tuple(numbers.tolist()),
        read=partial(_read, images, numbers),
        layout=layout,
        remarks=tuple(remarks),
    )


def fitted(data: Dataset, *, frame: Frame, progress: DecodeProgress | None = None) -> Dataset:
    """A data set whose images are a tensor as they were found, made to fit a model."""
    listing = array_listing(data.images.numpy(), data.labels.numpy(), name=data.name, origin=data.name, layout="tensor")
    made = decode(listing, range(len(data)), name=data.name, frame=frame, progress=progress)
    return replace(made, ids=data.ids, class_names=data.class_names, names=data.names)


def list_npz(path: Path, *, split: str | None, option: str = "--split") -> Listing:
    """The images of an .npz file, with their labels: `train_images` and `train_labels`, `x_test` and `y_test`, `images`
    and `labels` and the like. Of several splits one is chosen.
    """
    with _opened(path) as held:
        found = _pairs(held.files, name=path.name)
        own, (image_key, label_key) = "", next(iter(found.values()))
        if list(found) == [""]:
            no_splits(split, name=path.name, option=option)
        else:
            own, (image_key, label_key) = choose(found, split, name=path.name, option=option)
        images = _member(path, held, image_key)
        labels = None if label_key is None else _member(path, held, label_key)
    return array_listing(
        images,
        labels,
        name=f"{path.stem}/{own}" if own else path.stem,
        origin=f"{path.resolve()} {own}",
        layout=f".npz, {image_key} with {label_key}" if label_key else f".npz, {image_key}",
    )


def list_npy(path: Path, *, labels: str | None) -> Listing:
    """The images of an .npy file; `labels` is another one, or a text file with a number in each line."""
    images = load_npy(path)
    if labels is None:
        return array_listing(images, None, name=path.stem, origin=str(path.resolve()), layout=".npy")
    file = Path(labels)
    numbers = load_npy(file) if file.suffix == ".npy" else _lines(file)
    return array_listing(
        images, numbers, name=path.stem, origin=str(path.resolve()), layout=f".npy, labels from {file.name}"
    )


def load_npy(path: Path) -> NumpyArray:
    """An .npy file, mapped into memory; nothing pickled is read. InputError for another file."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give an .npy file")
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read as an array of .npy ({error})") from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        try:
            held = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} cannot be read as .npz ({error})") from error
        if not isinstance(held, np.lib.npyio.NpzFile):
            raise InputError(f"{path} is no .npz file; name it .npy if it is one array")
        with held:
            yield held


def _member(path: Path, held: Any, key: str) -> NumpyArray:
    try:
        return np.asarray(held[key])
    except Exception as error:  # zip, zlib and numpy each raise their own
        raise InputError(f"{path}: {key} cannot be read ({type(error).__name__}: {error})") from error


def _pairs(keys: Sequence[str], *, name: str) -> Mapping[str, tuple[str, str | None]]:
    """The names of images and labels of each split; of none, under an empty name."""
    parts: dict[str, dict[str, str]] = {}
    for key in keys:
        words = key.lower().split("_")
        splits = [word for word in words if split_of(word)]
        split = splits[0] if len(splits) == 1 else ""
        rest = "_".join(word for word in words if word != split)
        kind = "images" if rest in _IMAGES else "labels" if rest in _LABELS else ""
        if kind and parts.setdefault(split, {}).setdefault(kind, key) != key:
            raise InputError(f"data {name}: {parts[split][kind]} and {key} can both be the {kind}; leave one in")
    found = {split: (part["images"], part.get("labels")) for split, part in parts.items() if "images" in part}
    if ("" in found and len(found) > 1) or not found:
        raise InputError(
            f"data {name} holds {few(list(keys), 'array(s)')}: name them images and labels, or train_images, "
            "train_labels, test_images and so on"
        )
    return found


def _numbers(labels: NumpyArray, *, name: str) -> npt.NDArray[np.int64]:
    """Labels [N] or [N, 1] of any integer type -> int64 [N]."""
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if flat.ndim != 1 or flat.dtype.kind not in "iu":
        raise InputError(
            f"data {name}: its labels are {labels.dtype} {list(labels.shape)}; a classifier's are one whole number an "
            "image, [N]"
        )
    if flat.size and (flat.min() < 0 or flat.max() > np.iinfo(np.int32).max):
        raise InputError(f"data {name} has labels from {flat.min()} to {flat.max()}; they count from 0")
    return flat.astype(np.int64)


def _lines(path: Path) -> NumpyArray:
    if not path.is_file():
        raise InputError(f"--labels {path}: there is no such file; give an .npy or text file")
    try:
        return np.array([int(line) for line in path.read_text().split()], np.int64)
    except (OSError, ValueError) as error:
        raise InputError(f"--labels {path}: write a whole number in each line, one an image ({error})") from error


def _read(images: NumpyArray, labels: NumpyArray, places: Sequence[int]) -> Iterator[tuple[int, Open]]:
    for place in places:
        yield place, partial(_taken, images, int(labels[place]), place)


def _taken(images: NumpyArray, label: int, place: int) -> tuple[Picture, int]:
    return np.asarray(images[place]), label
