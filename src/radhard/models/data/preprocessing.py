"""Preprocessing of images: resize and crop, only as a model's configuration states."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from radhard.errors import InputError

CropMode = Literal["none", "center", "squash", "border"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
PixelSize = tuple[int, int]

_LARGEST = 16_384  # pixels of an edge


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """`size` (H, W) of the result in pixels; `resize` (H, W): to what an image is brought before its middle is cut out.

    `crop_mode`: "center" scales both edges alike so that the image covers `resize`, "squash" each edge by itself,
    "border" both alike so that it lies within, and pads. "none": images are of `size`, or refused. Without `resize`
    "center" cuts the middle out and scales nothing. `stated_by`: who says so; empty where nothing does.
    """

    size: PixelSize
    resize: PixelSize | None = None
    crop_mode: CropMode = "none"
    interpolation: Interpolation = "bicubic"
    stated_by: str = ""

    def described(self) -> str:
        """`shorter edge to 248 pixels, bicubic; the middle 224 x 224 cut out`."""
        size = by(self.size)
        if self.resize is None:
            return f"the middle {size} cut out, nothing resized" if self.crop_mode == "center" else "as they are"
        if self.crop_mode == "squash":
            text = f"resized to {by(self.resize)}"
        elif self.crop_mode == "border":
            text = f"resized to lie within {by(self.resize)}"
        elif self.resize[0] == self.resize[1]:
            text = f"shorter edge resized to {self.resize[0]} pixels"
        else:
            text = f"resized to cover {by(self.resize)}"
        cut = "" if self.crop_mode == "squash" and self.resize == self.size else f"; the middle {size} cut out"
        return f"{text}, {self.interpolation}{cut}"


def by(size: PixelSize) -> str:
    """(32, 48) -> `32 x 48`, height first."""
    return f"{size[0]} x {size[1]}"


def enlarged(size: PixelSize, *, crop_pct: float) -> PixelSize:
    """What an image is resized to so that `crop_pct` of it, a share in (0, 1], is `size`; rounded as timm does."""
    return math.floor(size[0] / crop_pct), math.floor(size[1] / crop_pct)


def restated(
    stated: Preprocessing,
    *,
    resize: int | PixelSize | Literal["none"] | None = None,
    crop_pct: float | None = None,
    interpolation: str | None = None,
) -> Preprocessing:
    """What is `stated`, with what a user says instead; None leaves it.

    `resize`: pixels of the shorter edge, (H, W) of both, or "none": nothing is done. `crop_pct`: the share of the
    resized image that is kept. Raises InputError for values that exclude each other or cannot be.
    """
    if resize is not None and crop_pct is not None:
        raise InputError(f"--resize {resize} with --crop-pct {crop_pct}: either one says the resize; give one of them")
    if interpolation is not None and interpolation not in get_args(Interpolation):
        raise InputError(f"--interpolation {interpolation!r} is not known; it is {', '.join(get_args(Interpolation))}")
    size, mode, target = stated.size, stated.crop_mode, stated.resize
    if resize == "none":
        target, mode = None, "none"
    elif resize is not None:
        target, mode = ((resize, resize), "center") if isinstance(resize, int) else (resize, "squash")
    elif crop_pct is not None:
        if not 0 < crop_pct <= 1:
            raise InputError(f"--crop-pct {crop_pct}: it is the share of the resized image that is kept, in (0, 1]")
        target, mode = enlarged(size, crop_pct=crop_pct), "center" if mode == "none" else mode
    if resize is None and crop_pct is None and interpolation is None:
        return stated
    if target is None and interpolation is not None:
        raise InputError(f"--interpolation {interpolation}: nothing is resized; say to what by --resize or --crop-pct")
    if target is not None and (target[0] < size[0] or target[1] < size[1]):
        raise InputError(
            f"--resize {resize}: the model's {by(size)} pixels cannot be cut out of {by(target)}; give at least "
            f"{max(size)} or {size[0]}x{size[1]}"
        )
    if target is not None and max(target) > _LARGEST:
        raise InputError(f"--resize {resize or target}: at most {_LARGEST:,} pixels an edge are made")
    kind: Interpolation = next((k for k in get_args(Interpolation) if k == interpolation), stated.interpolation)
    return Preprocessing(size=size, resize=target, crop_mode=mode, interpolation=kind, stated_by="options")
