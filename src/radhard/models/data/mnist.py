"""Pairs of IDX files, images and labels, as MNIST and similar sets are published."""

import re
from collections.abc import Mapping
from pathlib import Path

from radhard.errors import InputError
from radhard.models.data.arrays import array_listing
from radhard.models.data.idx import read_idx
from radhard.models.data.listing import Listing
from radhard.models.data.split_names import choose, split_of
from radhard.models.data.tree import few

_IMAGES = re.compile(r"(?P<stem>.*?)[-_.]?images?[-_.]idx3[-_.]ubyte(?P<packed>\.gz)?", re.IGNORECASE)
_FOLDERS = (".", "raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw", "EMNIST/raw", "QMNIST/raw")


def is_idx(path: Path) -> bool:
    """Whether a file is called like IDX images."""
    return _IMAGES.fullmatch(path.name) is not None


def idx_folder(root: Path) -> Path | None:
    """The folder with IDX images: `root`, or the one below where torchvision keeps them."""
    for name in _FOLDERS:
        if (root / name).is_dir() and any(is_idx(path) for path in (root / name).iterdir()):
            return root / name
    return None


def list_idx(path: Path, *, split: str | None, option: str = "--split") -> Listing:
    """The images of an IDX file, or of a folder's split, with the labels beside them; identified by their place."""
    if path.is_dir():
        found = _splits(path)
        own, images = choose(found, split, name=path.name, option=option)
    else:
        own, images = path.name, path
    labels = _labels(images)
    return array_listing(
        read_idx(images, dims=3),
        None if labels is None else read_idx(labels, dims=1),
        name=f"{path.resolve().name}/{own}" if path.is_dir() else own,
        origin=str(images.resolve()),
        layout=f"IDX: {images.name}" + (f" with {labels.name}" if labels else ""),
    )


def _splits(folder: Path) -> Mapping[str, Path]:
    """Images by split; a file that is there packed and unpacked counts once, as unpacked."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _IMAGES.fullmatch(path.name)
        if match is None:
            continue
        stem = match["stem"] or path.name
        if stem not in found or not match["packed"]:
            found[stem] = path
    words = {stem: [split_of(word) for word in re.split(r"[-_.]", stem) if split_of(word)] for stem in found}
    if len(found) > 1 and len({tuple(split) for split in words.values()}) < len(found):
        raise InputError(
            f"data {folder}: {few([p.name for p in found.values()], 'files of images')}; give one as --data"
        )
    return {(split[0] or stem) if (split := words[stem]) else stem: path for stem, path in found.items()}


def _labels(images: Path) -> Path | None:
    """The labels beside a file of images, packed or not."""
    name = re.sub("image(s?)", r"label\1", images.name, flags=re.IGNORECASE)
    name = re.sub("idx3", "idx1", name, flags=re.IGNORECASE).removesuffix(".gz")
    return next((path for path in (images.parent / name, images.parent / f"{name}.gz") if path.is_file()), None)
