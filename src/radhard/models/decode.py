"""From listed images to one tensor: opened, brought to the model's size, once and up front.

Nothing turns an image as its EXIF orientation says, since neither torchvision nor timm does when they evaluate.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

import torch
from PIL import Image
from torch import Tensor

from radhard.errors import InputError
from radhard.models.classes import check_labels
from radhard.models.dataset import Dataset
from radhard.models.listing import Listing, Open
from radhard.models.preprocessing import Preprocessing
from radhard.models.vision import import_timm

IN_MEMORY_BYTES = 1 << 30
"""Pixels beyond this are kept in a temporary file that is mapped into memory."""

Progress = Callable[[int, int], None]
"""Told how many images of how many are decoded."""

_MODES = {1: "L", 3: "RGB"}
_AT_ONCE = 256  # images in flight


@dataclass(frozen=True, kw_only=True)
class Frame:
    """How images are made to fit a model: its preprocessing, channels (1 grey, 3 RGB) and mean, for borders."""

    preprocessing: Preprocessing
    channels: int
    mean: tuple[float, ...]

    def transform(self) -> Callable[[Image.Image], Tensor]:
        """PIL image -> uint8 [C, H, W], as timm does it; safe on any thread. InputError for other channels."""
        if self.channels not in _MODES:
            raise InputError(
                f"the model takes images of {self.channels} channels; image files have 1 (grey) or 3 (RGB)"
            )
        import_timm()
        from timm.data import create_transform

        as_timm = create_transform(
            self.preprocessing.size,
            interpolation=self.preprocessing.interpolation,
            crop_pct=self.preprocessing.crop_pct,
            crop_mode=self.preprocessing.crop_mode,
            mean=self.mean,
            use_prefetcher=True,  # ends in uint8: what it fetches is normalised later
        )
        return lambda image: as_timm(converted(image, mode=_MODES[self.channels]))


def open_image(file: str | Path | BinaryIO) -> Image.Image:
    """An image, decoded to its last pixel. Raises what PIL raises for a file that is none, or cut short."""
    with Image.open(file) as image:
        image.load()
        return image


def converted(image: Image.Image, *, mode: str) -> Image.Image:
    """A grey, palette, CMYK or RGB image -> `mode`; transparency is dropped, as torchvision and timm do."""
    if image.mode[0] in "IF":
        raise ValueError(f"its pixels have more than 8 bits (mode {image.mode}); save it with 8 bits a channel")
    image.info.pop("transparency", None)  # PIL warns of one that it cannot keep
    return image.convert(mode)


def decode(
    listing: Listing,
    places: Sequence[int],
    *,
    name: str,
    frame: Frame,
    labels: Sequence[int] | None = None,
    bad: Literal["stop", "skip"] = "stop",
    progress: Progress | None = None,
) -> Dataset:
    """The images at `places` of a listing, in this order, on as many threads as torch may use.

    `labels` maps the listing's labels to the model's. Images that cannot be read or decoded to the end raise one
    InputError that names the first few; with `bad="skip"` they are left out and are the data set's `skipped`.
    """
    channels, (height, width) = frame.channels, frame.preprocessing.size
    images = pixels((len(places), channels, height, width))
    found = torch.full((len(places),), -1, dtype=torch.int64)
    row_of = {place: row for row, place in enumerate(places)}
    work = partial(_into, images, found, frame.transform())
    wrong: dict[int, str] = {}
    jobs = ((row_of[place], open_) for place, open_ in listing.read(places))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        done = 0
        for jobs_at_once in _groups(jobs):
            for row, reason in pool.map(work, jobs_at_once):
                done += 1
                if reason:
                    wrong[row] = reason
                if progress is not None:
                    progress(done, len(places))
    if done < len(places):
        raise InputError(f"{listing.name} gave {done} of the {len(places)} images that it should hold")
    kept = [row for row in range(len(places)) if row not in wrong]
    skipped = [f"{listing.label(places[row])} ({wrong[row]})" for row in sorted(wrong)]
    _check_bad(skipped, kept=len(kept), name=listing.name, bad=bad)
    for row, old in enumerate(kept if wrong else ()):  # rows only move up: none is overwritten before it is moved
        images[row] = images[old]
    chosen = [places[row] for row in kept]
    return Dataset(
        name=name,
        images=images[: len(kept)],
        labels=_mapped(found[kept], labels, name=listing.name),
        ids=listing.ids[chosen],
        class_names=listing.class_names,
        names=tuple(listing.names[place] for place in chosen) if listing.names else (),
        skipped=tuple(listing.label(places[row]) for row in sorted(wrong)),
        remarks=listing.remarks,
    )


def pixels(shape: tuple[int, int, int, int]) -> Tensor:
    """uint8 of `shape`: in memory, or, beyond IN_MEMORY_BYTES, in a temporary file that ends with the tensor."""
    size = torch.Size(shape).numel()
    if size <= IN_MEMORY_BYTES:
        return torch.empty(shape, dtype=torch.uint8)
    with tempfile.NamedTemporaryFile(prefix="radhard-") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk shows now, not as a bus error later
        except OSError as error:
            raise InputError(
                f"{size / 2**30:,.1f} GiB of pixels do not fit into {tempfile.gettempdir()} ({error.strerror}); let "
                "TMPDIR name a folder with more room, or take fewer --samples"
            ) from error
        return torch.from_file(file.name, shared=True, size=size, dtype=torch.uint8).view(shape)


def _into(
    images: Tensor, labels: Tensor, transform: Callable[[Image.Image], Tensor], job: tuple[int, Open]
) -> tuple[int, str]:
    row, open_ = job
    try:
        image, label = open_()
        images[row] = transform(image)
        labels[row] = int(label)
    except Exception as error:  # a broken file may make PIL raise anything
        return row, f"{type(error).__name__}: {error}"
    return row, ""


def _groups(jobs: Iterable[tuple[int, Open]]) -> Iterator[list[tuple[int, Open]]]:
    jobs = iter(jobs)
    while group := list(islice(jobs, _AT_ONCE)):
        yield group


def _check_bad(skipped: Sequence[str], *, kept: int, name: str, bad: str) -> None:
    if not skipped or (bad == "skip" and kept):
        return
    more = ", ..." if len(skipped) > 5 else ""
    raise InputError(
        f"{len(skipped)} of the {kept + len(skipped)} images of {name} cannot be read: {', '.join(skipped[:5])}{more}; "
        "mend or remove them" + (", or leave them out with --skip-bad" if kept else "")
    )


def _mapped(found: Tensor, labels: Sequence[int] | None, *, name: str) -> Tensor:
    if labels is None:
        return found
    check_labels(found, classes=len(labels), name=name)
    return torch.tensor(labels, dtype=torch.int64)[found]
