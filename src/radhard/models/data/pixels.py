"""Describes the preprocessing of a data set's pixels, as text and as a record."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from radhard.models.data.dataset import Dataset
from radhard.models.data.picture import SCALES, PictureForm
from radhard.models.data.preprocessing import PixelSize, Preprocessing, by
from radhard.models.loaded import LoadedModel


class SizesRecord(TypedDict):
    """How many sizes (height, width) the pictures had, and which."""

    count: int
    smallest: list[int]
    largest: list[int]


class PixelsRecord(TypedDict):
    """`Pixels` as JSON: `size` and `resize` are height and width, `stated_by` who says how pictures are resized."""

    modes: dict[str, int]
    sizes: SizesRecord
    size: list[int]
    channels: int
    resize: list[int] | None
    crop_mode: str
    interpolation: str | None
    stated_by: str | None
    scale: float
    low: float
    high: float
    mean: list[float]
    std: list[float]
    assumed: list[str]


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """`modes` (how many pictures of each) and `sizes` (how many; smallest, largest) as found, and what was done.

    `scale`: the value that counts as 1. `low`, `high`: of the values that are normalised. `assumed`: what of `mean`
    and `std` nothing stated.
    """

    modes: Mapping[str, int]
    smallest: PixelSize
    largest: PixelSize
    sizes: int
    channels: int
    done: Preprocessing
    scale: float
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    assumed: tuple[str, ...]

    def line(self) -> str:
        """`images RGB 32 x 32, as they are; value / 255, mean 0.5, std 0.5`."""
        modes = ", ".join(mode if len(self.modes) == 1 else f"{count:,} {mode}" for mode, count in self.modes.items())
        size = by(self.largest)
        if self.sizes > 1:
            size = f"of {self.sizes:,} sizes, {by(self.smallest)} to {size}"
        done = self.done.described()
        if self.done.crop_mode != "none":
            done += f" (as {self.done.stated_by} say{'' if self.done.stated_by == 'options' else 's'})"
        kind = "grey" if self.channels == 1 else "RGB" if self.channels == 3 else f"{self.channels} channels"
        scaled = "values as they are" if self.scale == 1 else f"values / {self.scale:g}"
        seen = "" if self.scale == 255 else f" (found {self.low:.4g} to {self.high:.4g})"
        values = [f"{name} {_numbers(getattr(self, name))}" for name in ("mean", "std")]
        assumed = f", assumed: nothing states the {' and the '.join(self.assumed)}" if self.assumed else ""
        return f"pixels: {modes}, {size}, {done}; taken as {kind}, {scaled}{seen}, {', '.join(values)}{assumed}"

    def as_dict(self) -> PixelsRecord:
        """The record, JSON values."""
        resized = self.done.resize is not None
        return {
            "modes": dict(self.modes),
            "sizes": {"count": self.sizes, "smallest": list(self.smallest), "largest": list(self.largest)},
            "size": list(self.done.size),
            "channels": self.channels,
            "resize": list(self.done.resize) if self.done.resize is not None else None,
            "crop_mode": self.done.crop_mode,
            "interpolation": self.done.interpolation if resized else None,
            "stated_by": self.done.stated_by or None,
            "scale": self.scale,
            "low": self.low,
            "high": self.high,
            "mean": list(self.mean),
            "std": list(self.std),
            "assumed": list(self.assumed),
        }


def pixels_of(data: Dataset, *, loaded: LoadedModel) -> Pixels:
    """What `data`, made for a model, was and became."""
    forms = data.forms or {_as_held(data): len(data)}
    sizes = sorted({form.size for form in forms}, key=lambda size: (size[0] * size[1], size))
    modes: dict[str, int] = {}
    for form, count in forms.items():
        modes[form.mode] = modes.get(form.mode, 0) + count
    low, high = data.limits()
    return Pixels(
        modes=dict(sorted(modes.items(), key=lambda item: -item[1])),
        smallest=sizes[0],
        largest=sizes[-1],
        sizes=len(sizes),
        channels=loaded.input_shape[0],
        done=loaded.preprocessing,
        scale=SCALES[data.images.dtype],
        low=low,
        high=high,
        mean=loaded.mean,
        std=loaded.std,
        assumed=tuple(field for field in ("mean", "std") if field in loaded.assumed),
    )


def _as_held(data: Dataset) -> PictureForm:
    """The form of images that were a tensor from the start."""
    _, channels, height, width = data.images.shape
    return PictureForm(mode=f"{str(data.images.dtype).removeprefix('torch.')} x {channels}", size=(height, width))


def _numbers(values: tuple[float, ...]) -> str:
    """One number where all channels have the same."""
    return " ".join(f"{value:.4g}" for value in (values[:1] if len(set(values)) == 1 else values))
