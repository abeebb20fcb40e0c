"""CIFAR-10 and CIFAR-100 as published: Python pickles or binary files."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radhard.errors import InputError
from radhard.models.data.arrays import array_listing
from radhard.models.data.listing import Listing
from radhard.models.data.split_names import choose
from radhard.models.data.unpickle import read_pickle

Bytes = npt.NDArray[np.uint8]

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_FOLDERS = (".", "cifar-10-batches-py", "cifar-100-python", "cifar-10-batches-bin", "cifar-100-binary")
_TEN, _HUNDRED = "CIFAR-10", "CIFAR-100"


def cifar_folder(root: Path) -> Path | None:
    """The folder with CIFAR's files: `root` or the one that their archive unpacks to; None where there are none."""
    for name in _FOLDERS:
        if _splits(root / name):
            return root / name
    return None


def list_cifar(folder: Path, *, split: str | None, option: str = "--split") -> Listing:
    """A split of CIFAR: images in the order of the files, identified by their place. InputError for other contents."""
    own, files = choose(_splits(folder), split, name=folder.name, option=option)
    binary = files[0].suffix == ".bin"
    read = [(_binary if binary else _pickled)(file) for file in files]
    images = np.concatenate([images for images, _ in read])
    labels = np.concatenate([labels for _, labels in read])
    kind = _HUNDRED if files[0].stem in ("train", "test") else _TEN
    return array_listing(
        images,
        labels,
        name=f"{folder.resolve().name}/{own}",
        origin=f"{folder.resolve()} {own}",
        layout=f"{kind}, {'binary files' if binary else 'pickles'}: {', '.join(file.name for file in files)}",
        class_names=_names(folder, count=10 if kind == _TEN else 100),
    )


def _splits(folder: Path) -> dict[str, list[Path]]:
    """The files of each split that are there."""
    found: dict[str, list[Path]] = {}
    for suffix in ("", ".bin"):
        batches = sorted(path for path in folder.glob(f"data_batch_[1-9]{suffix}") if path.is_file())
        hundred = all((folder / f"{name}{suffix}").is_file() for name in ("train", "test")) and (
            suffix or (folder / "meta").is_file()
        )
        train = [folder / f"train{suffix}"] if hundred else batches
        test = [path for path in (folder / f"{'test' if hundred else 'test_batch'}{suffix}",) if path.is_file()]
        for name, files in (("train", train), ("test", test)):
            if files:
                found.setdefault(name, files)
    return found


def _pickled(path: Path) -> tuple[Bytes, npt.NDArray[np.int64]]:
    batch = read_pickle(path)
    images = batch.get("data") if isinstance(batch, dict) else None
    labels = None if images is None else batch.get("labels", batch.get("fine_labels"))
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != _PIXELS:
        raise InputError(f"{path} holds no data of uint8 [N, {_PIXELS}]: it is no batch of CIFAR")
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "iu" or numbers.shape != (len(images),):
        raise InputError(f"{path} holds {len(images)} images and labels that are not as many numbers")
    return images.reshape(-1, *_SHAPE), numbers.astype(np.int64)


def _binary(path: Path) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """Records of a label (of CIFAR-100 two, the second of which is the fine one) and the pixels."""
    head = 2 if path.stem in ("train", "test") else 1
    raw = np.frombuffer(path.read_bytes(), np.uint8)
    if not len(raw) or len(raw) % (head + _PIXELS):
        raise InputError(f"{path} holds {len(raw):,} bytes, no whole records of {head + _PIXELS}; get it again")
    records = raw.reshape(-1, head + _PIXELS)
    return records[:, head:].reshape(-1, *_SHAPE), records[:, head - 1].astype(np.int64)


def _names(folder: Path, *, count: int) -> tuple[str, ...]:
    """The classes' names from the file beside the batches, else their numbers."""
    for file, key in (("batches.meta", "label_names"), ("meta", "fine_label_names")):
        if (folder / file).is_file():
            known: Any = read_pickle(folder / file)
            names = known.get(key, ()) if isinstance(known, dict) else ()
            if len(names) == count:
                return tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)
    for file in ("batches.meta.txt", "fine_label_names.txt"):
        if (folder / file).is_file():
            names = [line for line in (folder / file).read_text().splitlines() if line.strip()]
            if len(names) == count:
                return tuple(names)
    return tuple(map(str, range(count)))
