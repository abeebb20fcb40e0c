"""What a data set holds, before any pixel is decoded."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor

from radhard.models.identity import drawn_order, identities

Open = Callable[[], tuple[Image, int]]
"""Gives an image and its label, or raises what the file's reader raises."""


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
        return self.names[place] if self.names else f"image {place} of {self.name}"

    def location(self, place: int) -> str:
        """Where an image is, the same for two ways to one file."""
        file = Path(self.origin, self.names[place]) if self.names else None
        return str(file.resolve()) if file is not None and file.exists() else f"{self.origin} {self.label(place)}"
