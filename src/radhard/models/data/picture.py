"""Decodes one picture and converts it to a model's channels and size.

8 bits a channel go through PIL, as torchvision and timm do it. 16 bits and floats are arrays, and keep their bits: they
are resized channel by channel by PIL in float32.
"""

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from radhard.models.data.deep import deep_pixels
from radhard.models.data.preprocessing import PixelSize, Preprocessing, by
from radhard.models.data.resizing import resizing

NumpyArray = npt.NDArray[Any]
Picture = Image.Image | NumpyArray
"""A PIL image, or an array [H, W], [H, W, C] or [C, H, W] of uint8, uint16 or float32."""

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".npy", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""How the names of image files end."""

SCALES = {torch.uint8: 255.0, torch.uint16: 65535.0, torch.float32: 1.0}
"""The value of a pixel that counts as 1."""

_DTYPES = {"uint8": torch.uint8, "uint16": torch.uint16, "float32": torch.float32}
_MODES = {1: "L", 3: "RGB"}
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_FRAMES = frozenset({"GIF", "TIFF", "WEBP", "PNG"})  # formats in which several frames are several pictures
_KINDS = {stat.S_ISFIFO: "a named pipe", stat.S_ISSOCK: "a socket", stat.S_ISDIR: "a folder"}


class MisfitError(Exception):
    """A picture of another size than the model's, where nothing states a resize; `size` is its own (H, W)."""

    def __init__(self, size: PixelSize) -> None:
        super().__init__(by(size))
        self.size = size


@dataclass(frozen=True, kw_only=True)
class PictureForm:
    """What a picture was before anything was done to it: its `mode`, such as `RGB` or `uint16 x 12`, and its size."""

    mode: str
    size: PixelSize


def regular(path: Path) -> Path:
    """The path, of a file that can be read to its end. ValueError for pipes, sockets, devices and folders."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS.items() if test(mode)), "a device")
        raise ValueError(f"it is {kind}, no file")
    return path


def open_image(file: str | Path | BinaryIO) -> Picture:
    """An image file, decoded to its last pixel; an array where it has more than 8 bits or other channels than PIL's.

    Raises what PIL raises for a file that is none, or cut short; ValueError for several frames and what is no file.
    """
    if isinstance(file, str | Path):
        regular(Path(file))
    deep = deep_pixels(file)
    if deep is not None:
        return deep
    with Image.open(file) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format in _FRAMES:
            raise ValueError(f"it holds {frames} pictures; save each in a file of its own")
        image.load()
        if image.mode in _DEEP_MODES:
            return deep_array(image)
        return image


def deep_array(image: Image.Image) -> NumpyArray:
    """A PIL image of 16-bit integers or floats -> uint16 or float32 [H, W]."""
    array = np.asarray(image)
    if array.dtype == np.int32:
        if array.min() < 0 or array.max() > np.iinfo(np.uint16).max:
            raise ValueError("its pixels are integers of 32 bits; save it with 8 or 16 bits a channel, or as floats")
        return array.astype(np.uint16)
    return known_dtype(array)


def known_dtype(array: NumpyArray) -> NumpyArray:
    """An array of uint8, uint16 or float32, in this machine's order of bytes; other floats are rounded to float32.

    ValueError for other types, and for values that are no finite numbers.
    """
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
        if not np.isfinite(array).all():
            raise ValueError("it holds NaN or infinite values")
        return array
    name = array.dtype.name
    if name not in ("uint8", "uint16"):
        raise ValueError(f"its pixels are {name}; save them as uint8 (0 to 255), uint16 (0 to 65535) or float32")
    return array.astype(name, copy=False)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """How pictures are made to fit a model: its preprocessing, channels and mean, for borders."""

    preprocessing: Preprocessing
    channels: int
    mean: tuple[float, ...]

    def form(self, picture: Picture) -> PictureForm:
        """What a picture is. ValueError for an array that is none."""
        if isinstance(picture, Image.Image):
            return PictureForm(mode=picture.mode, size=(picture.height, picture.width))
        array = oriented(picture, channels=self.channels)
        height, width, channels = array.shape
        return PictureForm(mode=f"{array.dtype.name} x {channels}", size=(height, width))

    def dtype(self, picture: Picture) -> torch.dtype:
        """Of the tensor that it becomes."""
        return torch.uint8 if isinstance(picture, Image.Image) else _DTYPES[known_dtype(picture).dtype.name]

    def transform(self) -> Callable[[Picture], Tensor]:
        """Picture -> uint8, uint16 or float32 [C, H, W]; safe on any thread.

        It raises MisfitError for a size, ValueError for channels that the model does not take.
        """
        steps = resizing(self.preprocessing, fill=[round(255 * value) for value in self.mean])
        grey = resizing(self.preprocessing, fill=[0])
        return lambda picture: self._fitted(picture, steps=steps, grey=grey)

    def _fitted(self, picture: Picture, *, steps: Callable[..., Any], grey: Callable[..., Any]) -> Tensor:
        if isinstance(picture, Image.Image):
            image = converted(picture, channels=self.channels)
            self._check((image.height, image.width))
            if self.channels in _MODES:
                return _bytes(steps(image))
            array = np.asarray(image)
        else:
            array = known_dtype(oriented(picture, channels=self.channels))
            if array.dtype == np.uint8 and self.channels in _MODES:
                image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
                return self._fitted(image, steps=steps, grey=grey)
            array = recoloured(array, channels=self.channels)
            self._check(array.shape[:2])
        if self.preprocessing.crop_mode == "none":
            return torch.from_numpy(np.array(array.transpose(2, 0, 1), order="C"))
        return _resampled(array, grey, borders=self.mean if self.preprocessing.crop_mode == "border" else None)

    def _check(self, size: Sequence[int]) -> None:
        wanted, found = self.preprocessing, (size[0], size[1])
        cut = wanted.crop_mode == "center" and found[0] >= wanted.size[0] and found[1] >= wanted.size[1]
        if wanted.resize is None and found != wanted.size and not cut:
            raise MisfitError(found)


def converted(image: Image.Image, *, channels: int) -> Image.Image:
    """A grey, palette, CMYK or RGB image -> one of so many channels; transparency is dropped, as in torchvision.

    For other numbers than 1 and 3 the image must have as many bands.
    """
    image.info.pop("transparency", None)  # PIL warns of one that it cannot keep
    mode = _MODES.get(channels)
    if mode is not None:
        return image.convert(mode)
    if len(image.getbands()) != channels:
        raise ValueError(f"it has {len(image.getbands())} channels ({image.mode}), the model takes {channels}")
    return image


def oriented(array: NumpyArray, *, channels: int) -> NumpyArray:
    """An array [H, W], [H, W, C] or [C, H, W] -> [H, W, C]: the axis of channels is the one that fits the model's.

    ValueError where none fits or both do.
    """
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim != 3 or not array.size:
        raise ValueError(f"its shape {list(array.shape)} is none of a picture: [H, W], [H, W, C] or [C, H, W]")
    takes = (channels,), (1, 3) if channels in _MODES else ()
    for wanted in takes:
        first, last = array.shape[0] in wanted, array.shape[2] in wanted
        if first and last:
            raise ValueError(f"its shape {list(array.shape)} does not tell which axis is that of {channels} channels")
        if first or last:
            return array.transpose(1, 2, 0) if first else array
    raise ValueError(f"its shape {list(array.shape)} has no axis of {channels} channels, which the model takes")


def recoloured(array: NumpyArray, *, channels: int) -> NumpyArray:
    """[H, W, C] of 1 or 3 channels -> of the other number: three alike, or ITU-R 601's luma, rounded for integers."""
    if array.shape[2] == channels:
        return array
    if (array.shape[2], channels) == (1, 3):
        return np.repeat(array, 3, axis=2)
    if (array.shape[2], channels) == (3, 1):
        luma = array.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        grey: NumpyArray = (luma if array.dtype.kind == "f" else np.rint(luma)).astype(array.dtype)
        return grey[:, :, None]
    raise ValueError(f"it has {array.shape[2]} channel(s), the model takes {channels}")


def _bytes(image: Image.Image) -> Tensor:
    """A PIL image of 8 bits -> uint8 [C, H, W]."""
    array = np.array(image)
    return torch.from_numpy(array[None] if array.ndim == 2 else np.array(array.transpose(2, 0, 1), order="C"))


def _resampled(array: NumpyArray, steps: Callable[..., Any], *, borders: tuple[float, ...] | None) -> Tensor:
    """[H, W, C] of any type -> [C, H, W] of the same, each channel resized in float32; integers rounded and clipped.

    `borders`: what is padded with, a share of the full scale a channel.
    """
    scale = SCALES[_DTYPES[array.dtype.name]]
    planes = []
    for channel in range(array.shape[2]):
        offset = 0.0 if borders is None else borders[channel] * scale  # padding is 0: shifted there and back
        plane = steps(Image.fromarray(array[:, :, channel].astype(np.float32) - np.float32(offset)))
        planes.append(np.asarray(plane) + np.float32(offset))
    whole = np.stack(planes)
    if array.dtype.kind == "u":
        whole = np.rint(whole).clip(0, scale)
    return torch.from_numpy(whole.astype(array.dtype))
