"""A Hugging Face folder's preprocessor_config.json, as the values of timm's preprocessing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radhard.errors import ModelError
from radhard.models.loaded import Shape, assumed_normalisation
from radhard.models.preprocessing import Preprocessing

_RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # PIL's codes 0 to 5
_WARPED = 384  # pixels: from there on ConvNeXt's processor squashes images instead of cropping them


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What the file says; `assumed` names what it does not say."""

    input_shape: Shape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    crop_pct: float
    crop_mode: str
    assumed: tuple[str, ...] = ()

    def preprocessing(self, shape: Shape) -> Preprocessing:
        """The preprocessing for images of `shape`."""
        return Preprocessing(
            size=shape[1:], interpolation=self.interpolation, crop_pct=self.crop_pct, crop_mode=self.crop_mode
        )


def read_processor(folder: Path, *, config: Any) -> Processor:
    """The folder's preprocessor_config.json -> Processor. `config` is the model's own, for what is not there.

    ModelError for a file that is no JSON object, or sizes that cannot be read.
    """
    file = folder / "preprocessor_config.json"
    channels = int(getattr(config, "num_channels", 3))
    if not file.is_file():
        size = getattr(config, "image_size", 224)
        height, width = (size, size) if isinstance(size, int) else size
        mean, std = assumed_normalisation(channels)
        return Processor(
            input_shape=(channels, height, width),
            mean=mean,
            std=std,
            interpolation="bicubic",
            crop_pct=0.875,
            crop_mode="center",
            assumed=("input_shape", "mean", "std", "preprocessing"),
        )
    try:
        fields: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        height, width, crop_pct, crop_mode = _geometry(fields)
        mean, std = _normalisation(fields, channels=channels)
        code = fields.get("resample", 2)
        return Processor(
            input_shape=(channels, height, width),
            mean=mean,
            std=std,
            interpolation=_RESAMPLE[code],
            crop_pct=crop_pct,
            crop_mode=crop_mode,
            assumed=() if "image_mean" in fields or not fields.get("do_normalize", True) else ("mean", "std"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"{file} cannot be read as an image processor ({type(error).__name__}: {error})") from error


def _geometry(fields: Mapping[str, Any]) -> tuple[int, int, float, str]:
    """Height, width, share that the crop keeps, crop mode."""
    size = fields["size"]
    crop = _sides(fields.get("crop_size", size)) if fields.get("do_center_crop") else None
    if isinstance(size, int):  # of old files: both edges, but the shorter one where a crop follows
        size = {"shortest_edge": size} if crop or "crop_pct" in fields else {"height": size, "width": size}
    if "height" in size:
        height, width = _sides(size)
        return (height, width, 1.0, "squash") if crop is None else (*crop, crop[0] / height, "squash")
    edge = int(size["shortest_edge"])
    if "crop_pct" in fields:
        return (edge, edge, float(fields["crop_pct"]), "center") if edge < _WARPED else (edge, edge, 1.0, "squash")
    height, width = crop or (edge, edge)
    return height, width, min(height, width) / edge, "center"


def _sides(size: int | Mapping[str, int]) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    edge = size.get("shortest_edge")
    return (size["height"], size["width"]) if edge is None else (edge, edge)


def _normalisation(fields: Mapping[str, Any], *, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std of pixels in [0, 1], whatever the file's rescaling of pixels 0 to 255 is."""
    mean, std = assumed_normalisation(channels)
    if not fields.get("do_normalize", True):
        mean, std = (0.0,) * channels, (1.0,) * channels
    elif "image_mean" in fields:
        mean, std = tuple(fields["image_mean"]), tuple(fields["image_std"])
    scale = 255 * float(fields.get("rescale_factor", 1 / 255)) if fields.get("do_rescale", True) else 255.0
    offset = 1.0 if fields.get("rescale_offset") else 0.0  # EfficientNet's: pixels * factor - 1
    again = std if fields.get("include_top") else (1.0,) * channels  # EfficientNet's: divided by std once more
    if scale == 1 and not offset and not fields.get("include_top"):
        return mean, std
    return (
        tuple((m + offset) / scale for m in mean),
        tuple(s * t / scale for s, t in zip(std, again, strict=True)),
    )
