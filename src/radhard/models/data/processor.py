"""Reads a Hugging Face preprocessor_config.json as timm preprocessing values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radhard.errors import ModelError
from radhard.models.data.preprocessing import CropMode, Interpolation, PixelSize, Preprocessing
from radhard.models.loaded import ImageShape, assumed_normalisation

_STATED_BY = "preprocessor_config.json"
# PIL's codes 0 to 5
_RESAMPLE: tuple[Interpolation, ...] = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
_WARPED = 384  # pixels: from there on ConvNeXt's processor squashes images instead of cropping them


@dataclass(frozen=True, kw_only=True)
class Processor:
    """What the file says; `assumed` names what it does not say."""

    input_shape: ImageShape
    mean: tuple[float, ...]
    std: tuple[float, ...]
    stated: Preprocessing
    assumed: tuple[str, ...] = ()

    def preprocessing(self, shape: ImageShape) -> Preprocessing:
        """What the file states, where it is for images of `shape`; for others nothing is stated."""
        return self.stated if self.stated.size == shape[1:] else Preprocessing(size=shape[1:])


def read_processor(folder: Path, *, config: Any) -> Processor:
    """The folder's preprocessor_config.json -> Processor. `config` is the model's own, for what is not there.

    ModelError for a file that is no JSON object, or sizes that cannot be read.
    """
    file = folder / "preprocessor_config.json"
    channels = int(getattr(config, "num_channels", 3))
    if not file.is_file():
        height, width = _own_size(config)
        mean, std = assumed_normalisation(channels)
        return Processor(
            input_shape=(channels, height, width),
            mean=mean,
            std=std,
            stated=Preprocessing(size=(height, width)),
            assumed=("input_shape", "mean", "std"),
        )
    try:
        fields: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        stated = _geometry(fields, config=config)
        mean, std = _normalisation(fields, channels=channels)
        return Processor(
            input_shape=(channels, *stated.size),
            mean=mean,
            std=std,
            stated=stated,
            assumed=() if "image_mean" in fields or not fields.get("do_normalize", True) else ("mean", "std"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"{file} cannot be read as an image processor ({type(error).__name__}: {error})") from error


def _geometry(fields: Mapping[str, Any], *, config: Any) -> Preprocessing:
    """The resize and the crop that are switched on; without either, images are of the model's own size."""
    crop = _sides(fields.get("crop_size", fields.get("size"))) if fields.get("do_center_crop") else None
    if not fields.get("do_resize", True):
        mode: CropMode = "none" if crop is None else "center"
        return Preprocessing(size=crop or _own_size(config), crop_mode=mode, stated_by=_STATED_BY)
    size = fields["size"]
    if isinstance(size, int):  # of old files: both edges, but the shorter one where a crop follows
        size = {"shortest_edge": size} if crop or "crop_pct" in fields else {"height": size, "width": size}
    if "height" in size:
        resize = _sides(size)
        return _resized(fields, size=crop or resize, resize=resize, mode="squash")
    edge = int(size["shortest_edge"])
    if "crop_pct" in fields:
        if edge >= _WARPED:
            return _resized(fields, size=(edge, edge), resize=(edge, edge), mode="squash")
        longer = int(edge / float(fields["crop_pct"]))
        return _resized(fields, size=(edge, edge), resize=(longer, longer), mode="center")
    return _resized(fields, size=crop or (edge, edge), resize=(edge, edge), mode="center")


def _resized(fields: Mapping[str, Any], *, size: PixelSize, resize: PixelSize, mode: CropMode) -> Preprocessing:
    return Preprocessing(
        size=size,
        resize=resize,
        crop_mode=mode,
        interpolation=_RESAMPLE[fields.get("resample", 2)],
        stated_by=_STATED_BY,
    )


def _own_size(config: Any) -> PixelSize:
    size = getattr(config, "image_size", 224)
    return (size, size) if isinstance(size, int) else (size[0], size[1])


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
