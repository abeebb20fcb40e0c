"""Recognises the layout of a data folder or file (`--data`) and lists its images."""

from pathlib import Path

from radhard.errors import InputError
from radhard.models.data.arrays import list_npy, list_npz
from radhard.models.data.cifar import cifar_folder, list_cifar
from radhard.models.data.factory import list_factory
from radhard.models.data.folder import FOLDERS, list_folder
from radhard.models.data.labelled import LISTS
from radhard.models.data.listing import Listing
from radhard.models.data.mnist import idx_folder, is_idx, list_idx
from radhard.models.data.picture import SUFFIXES
from radhard.models.data.split_names import CALIBRATION, NONE, no_splits
from radhard.models.data.tars import list_tars, tars_of
from radhard.models.data.tree import few, hidden, walk

FACTORY = "timm:"
_KNOWN = (
    "it is fashion-mnist, a folder with a folder of images for each class, with a list of labels or with images alone, "
    "an .npz, .npy, IDX, CIFAR or tar file, or timm:NAME for what timm's data set factory reads"
)


def list_data(
    text: str, *, root: Path | None = None, split: str | None = None, labels: str | None = None, option: str = "--data"
) -> Listing:
    """The images of a folder, a file or `timm:NAME`; InputError for what is none, or cannot be meant, with the fix.

    `split` chooses where data have several; `labels` is "none", "folders" or a file. `option` is what named the data.
    """
    by = "--split" if option == "--data" else CALIBRATION
    if text.startswith(FACTORY):
        listing = list_factory(text.removeprefix(FACTORY), root=root, split=split or _default_split(option))
        return _relabelled(listing, labels)
    path = Path(text)
    if path.is_dir():
        return _folder(path, split=split, labels=labels, option=by)
    if not path.exists():
        raise InputError(f"data {text!r} is not known; {_KNOWN}")
    if not path.is_file():
        raise InputError(f"data {text}: it is neither a folder nor a file that can be read to its end; {_KNOWN}")
    return _file(path, split=split, labels=labels, option=by)


def _relabelled(listing: Listing, labels: str | None) -> Listing:
    """A listing that brings its labels, or none of them if so wanted. InputError for a list of others."""
    if labels in (None, FOLDERS):
        return listing
    if labels != NONE:
        raise InputError(f"--labels {labels}: data {listing.name} ({listing.layout}) bring their labels; leave it out")
    return listing.unlabelled()


def _default_split(option: str) -> str:
    """timm's own names of the splits that are classified and that calibrate."""
    return "validation" if option == "--data" else "train"


def _folder(path: Path, *, split: str | None, labels: str | None, option: str) -> Listing:
    if (cifar := cifar_folder(path)) is not None:
        return _relabelled(list_cifar(cifar, split=split, option=option), labels)
    if (idx := idx_folder(path)) is not None:
        return _relabelled(list_idx(idx, split=split, option=option), labels)
    if tars_of(path) and not any(entry.is_dir() and not hidden(entry.name) for entry in path.iterdir()):
        return _relabelled(list_tars(path, split=split, option=option), labels)
    arrays = sorted(entry.name for entry in path.iterdir() if entry.suffix == ".npz" and entry.is_file())
    if arrays and not any(file.lower().endswith(SUFFIXES) for file in walk(path).files if not file.endswith(".npy")):
        raise InputError(f"data {path}: {few(arrays, '.npz file(s)')} and no images: name one as --data")
    return list_folder(path, split=split, labels=labels, option=option)


def _file(path: Path, *, split: str | None, labels: str | None, option: str) -> Listing:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _relabelled(list_npz(path, split=split, option=option), labels)
    if suffix == ".tar":
        return _relabelled(list_tars(path, split=split, option=option), labels)
    if is_idx(path):
        no_splits(split, name=path.name, option=option)
        return _relabelled(list_idx(path, split=None), labels)
    if suffix in LISTS:
        no_splits(split, name=path.name, option=option)
        return list_folder(path.parent, labels=str(path))
    if suffix == ".npy":
        no_splits(split, name=path.name, option=option)
        return list_npy(path, labels=None if labels in (FOLDERS, NONE) else labels)
    if cifar_folder(path.parent) == path.parent / ".":
        raise InputError(f"data {path}: give CIFAR's folder, {path.parent}, and the split by {option}")
    if suffix in SUFFIXES:
        raise InputError(f"data {path} is one image; give a folder of images")
    raise InputError(f"data {path}: a file of this kind is not read; {_KNOWN}")
