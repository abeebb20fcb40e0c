"""Models of the trained zoo, and DeepViT at full size."""

from dataclasses import replace

from torch import nn

from radhard.errors import InputError, ModelError
from radhard.models.checkpoints.checkpoint import load_fitting, read_checkpoint
from radhard.models.data.preprocessing import PixelSize, Preprocessing, enlarged
from radhard.models.deepvit import VARIANTS, DeepViT
from radhard.models.loaded import LoadedModel, Wanted
from radhard.models.zoo import ZOO
from radhard.program.quantization.calibration import read_calibration

_CROP_PCT = 0.9  # with bicubic, mean and std 0.5: what the official configuration of DeepViT says
_HALF = 0.5


def from_zoo(wanted: Wanted) -> LoadedModel:
    """A model of the zoo with its own weights, or the checkpoint's. It takes the images that it was trained on only."""
    entry = ZOO[wanted.name]
    if wanted.input_shape not in (None, entry.input_shape):
        raise InputError(
            f"--input-shape {wanted.input_shape}: {wanted.name} of the zoo takes images {list(entry.input_shape)} only"
        )
    module = entry.build()
    source = read_checkpoint(wanted.checkpoint or entry.weights, key=wanted.checkpoint_key).put(module)
    return LoadedModel(
        name=wanted.name,
        module=module.eval(),
        input_shape=entry.input_shape,
        mean=entry.mean,
        std=entry.std,
        classes=entry.classes,
        weights=source,
        preprocessing=Preprocessing(size=entry.input_shape[1:]),
        calibrations=() if wanted.checkpoint else tuple(map(read_calibration, entry.calibrations)),
    )


def from_deepvit(wanted: Wanted) -> LoadedModel:
    """A DeepViT of `radhard.models.deepvit.VARIANTS`, for 3 x 224 x 224 or another square of whole patches."""
    shape = VARIANTS[wanted.name]
    if wanted.weights == "pretrained":
        raise ModelError(
            f"{wanted.name} has no weights that can be downloaded: give the authors' checkpoint by --checkpoint FILE"
        )
    channels, height, width = wanted.input_shape or (shape.channels, shape.image, shape.image)
    if height != width or height % shape.patch:
        raise InputError(
            f"--input-shape {wanted.input_shape}: {wanted.name} takes squares of whole patches of {shape.patch} pixels"
        )
    shape = replace(shape, channels=channels, image=height)

    def build(classes: int | None) -> nn.Module:
        return DeepViT(shape if classes is None else replace(shape, classes=classes))

    if wanted.checkpoint is None:
        module, source = build(None), f"random, seed {wanted.seed}"
    else:
        module, source = load_fitting(
            build, read_checkpoint(wanted.checkpoint, key=wanted.checkpoint_key), classes=shape.classes
        )
    return LoadedModel(
        name=wanted.name,
        module=module.eval(),
        input_shape=(channels, height, width),
        mean=(_HALF,) * channels,
        std=(_HALF,) * channels,
        classes=int(module.num_classes),  # type: ignore[arg-type]
        weights=source,
        preprocessing=_preprocessing((height, width), own=VARIANTS[wanted.name].image),
    )


def _preprocessing(size: PixelSize, *, own: int) -> Preprocessing:
    """DeepViT's official one, which is for squares of `own` pixels; for others nothing is stated."""
    if size != (own, own):
        return Preprocessing(size=size)
    resize = enlarged(size, crop_pct=_CROP_PCT)
    return Preprocessing(size=size, resize=resize, crop_mode="center", stated_by="DeepViT's official configuration")
