"""timm models with random, pretrained or checkpoint weights."""

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from radhard.errors import ModelError
from radhard.models.checkpoints.checkpoint import load_fitting, read_checkpoint
from radhard.models.data.preprocessing import PixelSize, Preprocessing, enlarged
from radhard.models.deepvit import VARIANTS
from radhard.models.loaded import LoadedModel, Wanted, assumed_normalisation, count_classes
from radhard.models.vision import import_timm
from radhard.models.zoo import ZOO, listed, near
from radhard.program.capture.user_code import first_line


def from_timm(wanted: Wanted) -> LoadedModel:
    """The model of timm's name. ModelError for an unknown name, with near ones, and for what timm cannot build."""
    timm = import_timm()
    name = wanted.name.removeprefix("timm:")
    if not timm.is_model(name):
        known = [*ZOO, *VARIANTS, *timm.list_models()]
        raise ModelError(
            f"model {name!r} is neither in the zoo (radhard.models.zoo.ZOO: {listed(ZOO)}) nor one of timm's "
            f"(timm.list_models()); other sources are torchvision:NAME, hf:NAME, FILE.py:FUNCTION and FILE.pt2."
            f"{near(name, known)}"
        )

    def build(classes: int | None) -> nn.Module:
        return _create(timm, name, wanted, classes=classes)

    module: Any = build(None)
    needs: dict[str, Any] = timm.data.resolve_model_data_config(module)
    if wanted.checkpoint is not None:
        checkpoint = read_checkpoint(wanted.checkpoint, key=wanted.checkpoint_key)
        module, source = load_fitting(
            lambda n: module if n is None else build(n),
            checkpoint,
            classes=module.num_classes,
            translate=_translate,
        )
    elif wanted.weights == "pretrained":
        source = f"timm's pretrained {name}"
    else:
        source = f"random, seed {wanted.seed}"
    shape = wanted.input_shape or tuple(needs["input_size"])
    mean, std = tuple(needs["mean"]), tuple(needs["std"])
    assumed: tuple[str, ...] = ()
    if len(mean) != shape[0]:
        (mean, std), assumed = assumed_normalisation(shape[0]), ("mean", "std")
    module = module.eval()
    classes = module.num_classes if wanted.input_shape is None else count_classes(module, shape, name=name)
    return LoadedModel(
        name=wanted.name,
        module=module,
        input_shape=shape,
        mean=mean,
        std=std,
        classes=classes,
        weights=source,
        preprocessing=_preprocessing(needs, size=shape[1:], name=name),
        assumed=assumed,
    )


def _preprocessing(needs: Mapping[str, Any], *, size: PixelSize, name: str) -> Preprocessing:
    """timm's configuration, where it is for images of that size; for others nothing is stated."""
    if tuple(needs["input_size"][1:]) != size:
        return Preprocessing(size=size)
    return Preprocessing(
        size=size,
        resize=enlarged(size, crop_pct=needs["crop_pct"]),
        crop_mode=needs["crop_mode"],
        interpolation=needs["interpolation"],
        stated_by=f"timm's configuration of {name}",
    )


def _create(timm: ModuleType, name: str, wanted: Wanted, *, classes: int | None) -> nn.Module:
    """timm.create_model for the wanted shape: `img_size` where the architecture has one, else any size goes."""
    pretrained = wanted.weights == "pretrained" and wanted.checkpoint is None
    options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    sized: dict[str, Any] = {}
    if wanted.input_shape is not None:
        options["in_chans"] = wanted.input_shape[0]
        sized["img_size"] = wanted.input_shape[1:]
    try:
        try:
            module: nn.Module = timm.create_model(name, pretrained=pretrained, **options, **sized)
        except TypeError as error:
            if "img_size" not in str(error):
                raise
            module = timm.create_model(name, pretrained=pretrained, **options)
    except (
        Exception
    ) as error:  # timm raises RuntimeError for a tag, the architecture asserts, downloads fail in their own ways
        reason = f"{type(error).__name__}: {first_line(error)}"
        if pretrained:
            raise ModelError(
                f"timm's pretrained weights of {name} could not be loaded ({reason}). Without a network, give a file "
                "of weights by --checkpoint FILE"
            ) from error
        raise ModelError(f"timm cannot build model {name!r}: {reason}") from error
    return module


def _translate(state: Mapping[str, Tensor], module: nn.Module) -> Mapping[str, Tensor]:
    """The keys of an official checkpoint as timm's model names them, where timm has a rule for that."""
    rule = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    if rule is None:
        return state
    try:
        renamed: Mapping[str, Tensor] = rule(dict(state), module)
    except Exception:  # a rule for other files than this one: the plain keys' misfit is told instead
        return state
    return renamed
