"""`Listing`: the images and labels of a data set, before any pixel is decoded."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from radhard.errors import shown
from radhard.models.data.identity import drawn_order, identities
from radhard.models.data.picture import Picture
from radhard.models.data.tree import few

UNLABELLED = -2
"""The label of an image that has none: no class, and not the answer of a run that ended in NaN either."""

Open = Callable[[], tuple[Picture, int]]
"""Gives a picture and its label, or raises what the file's reader raises."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """`count` images of `name`, which `read` opens; labels are places in `class_names` where these are known.

    `names` are paths relative to the root, or empty. `origin` says where all of it is from, as no other does.
    """

    name: str
    origin: str
    count: int
    class_names: tuple[str, ...]
    read: Callable[[Sequence[int]], Iterator[tuple[int, Open]]]
    """Places -> each place with what opens its image, in any order; opening is safe on any thread."""
    names: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    """The label of each image, where it is known before the images are opened; all UNLABELLED where there are none."""
    layout: str = ""
    """How the data are laid out, such as `class folders`, for the line that tells what was understood."""
    remarks: tuple[str, ...] = ()

    @property
    def ids(self) -> Tensor:
        """int64 [count]: from the relative path, or the place where there is none. InputError if two share one."""
        return identities(self.names) if self.names else torch.arange(self.count)

    def order(self, *, seed: int) -> list[int]:
        """All places in the order drawn with `seed`."""
        return drawn_order(self.names or [str(place) for place in range(self.count)], seed=seed)

    def label(self, place: int) -> str:
        """What to call an image in a message."""
        return shown(self.names[place]) if self.names else f"image {place} of {self.name}"

    def understood(self) -> str:
        """What it was taken for: `val (class folders): 60 images, 2 classes: cat 20, dog 40; first cat/a.png`."""
        first = f"; first {self.label(0)}" if self.names else ""
        counts = Counter(self.labels)
        if UNLABELLED in counts:
            classes = "without labels"
        elif self.class_names:
            each = [f"{shown(name)} {counts[label]:,}" for label, name in enumerate(self.class_names)]
            told = few(each, "classes") if self.labels else few(self.class_names, "classes")
            classes = told
        elif counts:
            classes = f"labels are numbers from {min(counts)} to {max(counts)}, {len(counts)} of them"
        else:
            classes = "classes not known"
        return f"{shown(self.name)} ({self.layout}): {self.count:,} images, {classes}{first}"

    def unlabelled(self) -> "Listing":
        """The same images without their labels."""
        labels = (UNLABELLED,) * self.count
        return replace(self, class_names=(), labels=labels, read=partial(_without_label, self.read))

    def location(self, place: int) -> str:
        """Where an image is, the same for two ways to one file."""
        file = Path(self.origin, self.names[place]) if self.names else None
        return str(file.resolve()) if file is not None and file.exists() else f"{self.origin} {self.label(place)}"


def _without_label(
    read: Callable[[Sequence[int]], Iterator[tuple[int, Open]]], places: Sequence[int]
) -> Iterator[tuple[int, Open]]:
    for place, open_ in read(places):
        yield place, partial(_bare, open_)


def _bare(open_: Open) -> tuple[Picture, int]:
    return open_()[0], UNLABELLED
