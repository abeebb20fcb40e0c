"""What is done to an image before a model sees it: resize, crop; the values are those of timm's create_transform."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """`size` (H, W) of the result in pixels; `crop_pct` in (0, 1] is the share of the resized image that is kept.

    `crop_mode`: "center" resizes the shorter edge to size / crop_pct and cuts the middle; "squash" resizes both edges,
    "border" the longer edge and pads. `interpolation`: "nearest", "bilinear", "bicubic", "lanczos", "box", "hamming".
    """

    size: tuple[int, int]
    interpolation: str = "bicubic"
    crop_pct: float = 0.875
    crop_mode: str = "center"
