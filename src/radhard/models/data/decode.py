"""Decodes listed images into one tensor, at the model's size.

Nothing turns an image as its EXIF orientation says, since neither torchvision nor timm does when they evaluate.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.models.data.classes import check_labels
from radhard.models.data.dataset import Dataset
from radhard.models.data.listing import UNLABELLED, Listing, Open
from radhard.models.data.picture import Frame, MisfitError, Picture, PictureForm
from radhard.models.data.preprocessing import PixelSize, by

IN_MEMORY_BYTES = 1 << 30
"""Pixels beyond this are kept in a temporary file that is mapped into memory."""

DecodeProgress = Callable[[int, int], None]
"""Told how many images of how many are decoded."""

_AT_ONCE = 256  # images in flight
_TRIED = 8  # images of which the first that can be opened tells the type of all


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What became of the image of a row: form, pixels and label; or its size, which does not fit; or what is wrong."""

    row: int
    form: PictureForm | None = None
    pixels: Tensor | None = None
    label: int = -1
    misfit: PixelSize | None = None
    reason: str = ""


def decode(
    listing: Listing,
    places: Sequence[int],
    *,
    name: str,
    frame: Frame,
    labels: Sequence[int] | None = None,
    bad: Literal["stop", "skip"] = "stop",
    progress: DecodeProgress | None = None,
) -> Dataset:
    """The images at `places` of a listing, in this order, on as many threads as torch may use.

    `labels` maps the listing's labels to the model's. Sizes that do not fit raise InputError. Images that cannot be
    read or decoded to the end raise one InputError that names the first few; with `bad="skip"` they are left out and
    are the data set's `skipped`.
    """
    shape = (len(places), frame.channels, *frame.preprocessing.size)
    images: Tensor | None = None
    found = torch.full((len(places),), -1, dtype=torch.int64)
    row_of = {place: row for row, place in enumerate(places)}
    work = partial(_opened, frame.transform(), frame)
    wrong: dict[int, str] = {}
    forms: Counter[PictureForm] = Counter()
    jobs = ((row_of[place], open_) for place, open_ in listing.read(places))
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        done = 0
        for jobs_at_once in _groups(jobs):
            misfits: dict[str, PixelSize] = {}
            for read in pool.map(work, jobs_at_once):
                done += 1
                if read.misfit is not None:
                    misfits[listing.label(places[read.row])] = read.misfit
                elif read.pixels is None or read.form is None:
                    wrong[read.row] = read.reason
                else:
                    images = empty(shape, dtype=read.pixels.dtype) if images is None else images
                    if read.pixels.dtype == images.dtype:
                        images[read.row], found[read.row] = read.pixels, read.label
                        forms[read.form] += 1
                    else:
                        wrong[read.row] = f"its pixels are {read.pixels.dtype}, those before {images.dtype}"
                if progress is not None:
                    progress(done, len(places))
            _check_sizes(misfits, listing, frame)
    if done < len(places):
        raise InputError(f"{listing.name} gave {done} of the {len(places)} images that it should hold")
    kept = [row for row in range(len(places)) if row not in wrong]
    skipped = [f"{listing.label(places[row])} ({wrong[row]})" for row in sorted(wrong)]
    _check_bad(skipped, kept=len(kept), name=listing.name, bad=bad)
    assert images is not None  # something was read, or the check has raised
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
        forms=dict(forms.most_common()),
    )


def empty(shape: tuple[int, int, int, int], *, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Of `shape`: in memory, or, beyond IN_MEMORY_BYTES, in a temporary file that ends with the tensor."""
    count = torch.Size(shape).numel()
    size = count * dtype.itemsize
    if size <= IN_MEMORY_BYTES:
        return torch.empty(shape, dtype=dtype)
    with tempfile.NamedTemporaryFile(prefix="radhard-") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk shows now, not as a bus error later
        except OSError as error:
            raise InputError(
                f"{size / 2**30:,.1f} GiB of pixels do not fit into {tempfile.gettempdir()} ({error.strerror}); let "
                "TMPDIR name a folder with more room, or take fewer --samples"
            ) from error
        return torch.from_file(file.name, shared=True, size=count, dtype=dtype).view(shape)


def _opened(transform: Callable[[Picture], Tensor], frame: Frame, job: tuple[int, Open]) -> _Read:
    row, open_ = job
    try:
        picture, label = open_()
        return _Read(row=row, form=frame.form(picture), pixels=transform(picture), label=int(label))
    except MisfitError as error:
        return _Read(row=row, misfit=error.size)
    except Exception as error:  # a broken file may make PIL raise anything
        return _Read(row=row, reason=f"{type(error).__name__}: {' '.join(str(error).split())}")


def _check_sizes(misfits: Mapping[str, PixelSize], listing: Listing, frame: Frame) -> None:
    """Raise InputError if images are not of the model's size; nothing resizes them without being told to."""
    if not misfits:
        return
    size = frame.preprocessing.size
    sizes = list(dict.fromkeys(misfits.values()))
    found = ", ".join(map(by, sizes[:3])) + (", ..." if len(sizes) > 3 else "")
    edge = f"{size[0]}x{size[1]}"
    raise InputError(
        f"data {listing.name}: images are {found} ({next(iter(misfits))} for one), the model takes {by(size)}, and "
        f"nothing states how to resize: say --resize {edge} (each edge), --resize {max(size)} (the shorter edge, then "
        "the middle), or --crop-pct with --interpolation, as the model was trained; or give its own --input-shape"
    )


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
    if labels is None or bool((found == UNLABELLED).all()):
        return found
    check_labels(found, classes=len(labels), name=name)
    return torch.tensor(labels, dtype=torch.int64)[found]
