"""Images passed from Python: tensors, a torch Dataset or a DataLoader, read once.

An image is identified by its content. So its faults, and whether it calibrates or is evaluated, depend neither on its
place nor on the order in which a loader gives it: `shuffle=True` changes nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, RandomSampler
from torch.utils.data import Dataset as TorchDataset

from radhard.errors import InputError
from radhard.models.data.arrays import fitted
from radhard.models.data.dataset import Dataset
from radhard.models.data.decode import DecodeProgress, decode
from radhard.models.data.identity import IDENTITY_BITS
from radhard.models.data.listing import UNLABELLED, Listing, Open
from radhard.models.data.picture import SCALES, Frame, Picture

NumpyArray = npt.NDArray[Any]

InMemory = (
    Tensor
    | NumpyArray
    | tuple[Tensor | NumpyArray, Tensor | NumpyArray | Sequence[int]]
    | Dataset
    | TorchDataset[Any]
    | DataLoader[Any]
)
"""Images [N, C, H, W], with labels [N] or without; or what gives them one by one or in batches."""

_IMAGES = ("images", "image", "pixel_values", "img")
_LABELS = ("labels", "label", "fine_label", "targets", "target")
_BATCH = 64
_WAY = "give (images, labels) as tensors [N, C, H, W] and [N], a Dataset of (image, label), or a DataLoader of it"


def read_whole(data: InMemory) -> Dataset | Listing:
    """All images of `data`: tensors as a data set, uint8, uint16 or float32; pictures of PIL as a listing to decode.

    Torch's global generator is left as it was. Raises InputError for what holds no images, for labels that are none,
    and for a data set that gives another image when it is asked again, as one does that augments.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, Tensor | np.ndarray):
        return _of_batches([(data, None)], name="tensors")
    if isinstance(data, tuple | list) and len(data) == 2 and isinstance(data[0], Tensor | np.ndarray):
        return _of_batches([(data[0], data[1])], name="tensors")
    with torch.random.fork_rng(devices=[]):
        if isinstance(data, DataLoader):
            return _of_loader(data, name=type(data.dataset).__name__)
        if isinstance(data, IterableDataset):
            return _of_loader(DataLoader(data, batch_size=_BATCH), name=type(data).__name__)
        if _is_indexed(data):
            return _of_items(data, name=type(data).__name__)
    raise InputError(f"data are a {type(data).__name__}: {_WAY}")


def is_pixels(data: Dataset | Listing) -> bool:
    """Whether values are those of pictures, 0 to 255 or to 65535, which a model's own mean and std normalise.

    Floats are what a model takes, as a transform has made them.
    """
    return isinstance(data, Listing) or data.images.dtype != torch.float32


def made_to_fit(data: Dataset | Listing, *, frame: Frame, progress: DecodeProgress | None = None) -> Dataset:
    """The images as a model takes them. InputError for a size that does not fit."""
    if isinstance(data, Listing):
        made = decode(data, range(data.count), name=data.name, frame=frame, progress=progress)
        return replace(made, ids=content_ids(made.images), names=())
    if not is_pixels(data) or frame.preprocessing.crop_mode == "none":
        return data
    return fitted(data, frame=frame, progress=progress)


def content_ids(images: Tensor) -> Tensor:
    """`images` [N, C, H, W] -> int64 [N] below 2^52: the first bits of the SHA-256 of type, shape and values of each.

    The k-th copy of an image, from 1, has its number in its place; no two are the same.
    """
    copies: Counter[bytes] = Counter()
    found = torch.empty(len(images), dtype=torch.int64)
    head = f"{images.dtype} {list(images.shape[1:])} ".encode()
    for row, image in enumerate(images):
        content = hashlib.sha256(head + image.contiguous().numpy().tobytes()).digest()
        copy, copies[content] = copies[content], copies[content] + 1
        if copy:
            content = hashlib.sha256(content + str(copy).encode()).digest()
        found[row] = int.from_bytes(content[:8], "big") >> (64 - IDENTITY_BITS)
    return found


def _of_loader(loader: DataLoader[Any], *, name: str) -> Dataset:
    if loader.drop_last and isinstance(loader.sampler, RandomSampler):
        raise InputError(
            f"the DataLoader of {name} shuffles and leaves out the last: others each time; drop_last=False"
        )
    if _is_indexed(loader.dataset):
        _check_repeatable(loader.dataset, name=name)
    return _of_batches(
        [_pair(batch, place=f"batch {number} of {name}") for number, batch in enumerate(loader)], name=name
    )


def _of_items(data: Any, *, name: str) -> Dataset | Listing:
    _check_repeatable(data, name=name)
    first = _pair(data[0], place=f"image 0 of {name}")[0]
    if isinstance(first, Image.Image | np.ndarray):
        names = getattr(data, "classes", ())
        return Listing(
            name=name,
            origin=name,
            count=len(data),
            class_names=tuple(names) if names and all(isinstance(each, str) for each in names) else (),
            read=partial(_read, data, name),
            layout=f"{name} of PIL images" if isinstance(first, Image.Image) else f"{name} of arrays",
        )
    pairs = [_pair(data[place], place=f"image {place} of {name}") for place in range(len(data))]
    for place, (image, _) in enumerate(pairs):
        if not isinstance(image, Tensor) or image.shape != first.shape:
            size = list(image.shape) if isinstance(image, Tensor) else type(image).__name__
            raise InputError(
                f"image {place} of {name} is {size}, image 0 {list(first.shape)}: give images of one size, or PIL "
                "images, which are resized as the model's configuration says"
            )
    labels = [label for _, label in pairs]
    return _of_batches([(torch.stack([image for image, _ in pairs]), None if labels[0] is None else labels)], name=name)


def _of_batches(batches: Sequence[tuple[Any, Any]], *, name: str) -> Dataset:
    """Batches of images [B, C, H, W] and labels [B] or None -> one data set."""
    if not batches:
        raise InputError(f"{name} holds no image: {_WAY}")
    images = [_images(batch, place=name) for batch, _ in batches]
    if len({(batch.shape[1:], batch.dtype) for batch in images}) > 1:
        raise InputError(f"{name} gives batches of images of several sizes or types: make them one by a transform")
    whole = images[0] if len(images) == 1 else torch.cat(images)
    counts = [len(batch) for batch in images]
    labels = [_labels(own, count=count, place=name) for (_, own), count in zip(batches, counts, strict=True)]
    if not len(whole):
        raise InputError(f"{name} holds no image: {_WAY}")
    return Dataset(name=name, images=whole, labels=torch.cat(labels), ids=content_ids(whole), class_names=())


def _images(given: Any, *, place: str) -> Tensor:
    if not isinstance(given, Tensor | np.ndarray):
        raise InputError(f"{place} gives a {type(given).__name__} where images should be: {_WAY}")
    images = torch.from_numpy(given) if isinstance(given, np.ndarray) else given.detach().cpu()
    if images.ndim != 4:
        hint = "images.unsqueeze(1) adds the axis of one channel" if images.ndim == 3 else _WAY
        raise InputError(f"{place}: images are {list(images.shape)}, where [N, C, H, W] is meant: {hint}")
    if images.shape[3] in (1, 3) and images.shape[1] not in (1, 3):
        raise InputError(
            f"{place}: images {list(images.shape)} have their channels last: put them first, by "
            "images.permute(0, 3, 1, 2)"
        )
    if images.is_floating_point():
        images = images.to(torch.float32)
        if not bool(images.isfinite().all()):
            raise InputError(f"{place}: some images hold NaN or infinite values; give images that are whole")
    if images.dtype not in SCALES:
        raise InputError(
            f"{place}: images are {str(images.dtype).removeprefix('torch.')}; give float32 as the model takes them, or "
            "pixels as uint8 or uint16"
        )
    return images.contiguous()


def _labels(given: Any, *, count: int, place: str) -> Tensor:
    if given is None:
        return torch.full((count,), UNLABELLED, dtype=torch.int64)
    try:
        labels = torch.as_tensor(given).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{place}: labels cannot be read ({error}); give one whole number an image, [N]") from error
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    whole = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if labels.shape != (count,) or not whole:
        kind = str(labels.dtype).removeprefix("torch.")
        raise InputError(
            f"{place}: labels are {kind} {list(labels.shape)} for {count} images; a classifier's are one whole number "
            "an image, [N]"
        )
    if count and int(labels.min()) < 0:
        raise InputError(f"{place}: a label is {int(labels.min())}; labels count from 0")
    return labels.to(torch.int64)


def _pair(item: Any, *, place: str) -> tuple[Any, Any]:
    """An item or a batch -> its images and its labels, None where it has none."""
    if isinstance(item, Mapping):
        image = next((item[key] for key in _IMAGES if key in item), None)
        if image is None:
            raise InputError(f"{place} holds {', '.join(map(str, item))}: name the images {' or '.join(_IMAGES)}")
        return image, next((item[key] for key in _LABELS if key in item), None)
    if isinstance(item, tuple | list):
        if not item:
            raise InputError(f"{place} is empty: {_WAY}")
        return item[0], item[1] if len(item) > 1 else None
    return item, None


def _is_indexed(data: Any) -> bool:
    return hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, IterableDataset)


def _check_repeatable(data: Any, *, name: str) -> None:
    """Raise InputError for a data set without an image, or one that gives others when it is asked again."""
    if not len(data):
        raise InputError(f"{name} holds no image: {_WAY}")
    for place in islice(range(len(data)), 2):
        first, again = (_pair(data[place], place=f"image {place} of {name}")[0] for _ in range(2))
        same = (
            torch.equal(first, again)
            if isinstance(first, Tensor)
            else bool(np.array_equal(np.asarray(first), np.asarray(again)))
        )
        if not same:
            raise InputError(
                f"image {place} of {name} is another one when it is read again: its transform draws random numbers; "
                "give the transform of evaluation, without augmentation"
            )


def _read(data: Any, name: str, places: Sequence[int]) -> Iterator[tuple[int, Open]]:
    for place in places:
        yield place, partial(_opened, data, place, name)


def _opened(data: Any, place: int, name: str) -> tuple[Picture, int]:
    image, label = _pair(data[place], place=f"image {place} of {name}")
    if isinstance(image, Tensor):
        raise ValueError("it is a tensor, the first one a picture: give one kind")
    return image, UNLABELLED if label is None else int(label)
