"""Classifiers of torchvision: `torchvision:NAME`."""

import warnings
from types import ModuleType
from typing import Any

from torch import nn

from radhard.errors import ModelError
from radhard.models.checkpoints.checkpoint import load_fitting, read_checkpoint
from radhard.models.data.preprocessing import PixelSize, Preprocessing
from radhard.models.loaded import IMAGENET_MEAN, IMAGENET_STD, ImageShape, LoadedModel, Wanted, count_classes
from radhard.models.vision import import_torchvision
from radhard.models.zoo import near
from radhard.program.capture.user_code import first_line


def from_torchvision(wanted: Wanted) -> LoadedModel:
    """The classifier of that name: random weights, torchvision's default ones, or a checkpoint's.

    Models with auxiliary classifiers return the logits alone, as they do in eval mode. ModelError for unknown names.
    """
    import_torchvision()
    import torchvision.models as models

    name = wanted.name.removeprefix("torchvision:")
    names = models.list_models(module=models)
    if name not in names and name in models.list_models():
        raise ModelError(f"model {name!r} of torchvision is no classifier: {_other_kind(models, name)}")
    if name not in names:
        raise ModelError(
            f"model {name!r} is no classifier of torchvision (torchvision.models.list_models()).{near(name, names)}"
        )
    transforms = _transforms(models, name)

    def build(classes: int | None) -> nn.Module:
        return _create(models, name, wanted, classes=classes)

    if wanted.checkpoint is not None:
        module, source = load_fitting(
            build, read_checkpoint(wanted.checkpoint, key=wanted.checkpoint_key), classes=1000
        )
    else:
        module = build(None)
        pretrained = f"torchvision's pretrained {models.get_model_weights(name).DEFAULT}"
        source = pretrained if wanted.weights == "pretrained" else f"random, seed {wanted.seed}"
    module = module.eval()
    shape = wanted.input_shape or _own_shape(module, default=224 if transforms is None else transforms.crop_size[0])
    return LoadedModel(
        name=wanted.name,
        module=module,
        input_shape=shape,
        mean=IMAGENET_MEAN if transforms is None else tuple(transforms.mean),
        std=IMAGENET_STD if transforms is None else tuple(transforms.std),
        classes=count_classes(module, shape, name=wanted.name),
        weights=source,
        preprocessing=_preprocessing(transforms, size=shape[1:], name=name),
        assumed=("mean", "std") if transforms is None else (),
    )


def _other_kind(models: ModuleType, name: str) -> str:
    """What a model of torchvision is that is none of its plain classifiers, and what to give instead."""
    if name.startswith("quantized_"):
        plain = name.removeprefix("quantized_")
        return f"it is quantised in eager mode; give torchvision:{plain}, which radhard quantises itself"
    kind = models.get_model_builder(name).__module__.split(".")[2]
    return (
        f"it is of torchvision.models.{kind}; write a file whose function makes it and returns logits [B, classes] "
        "alone, and give FILE.py:FUNCTION"
    )


def _transforms(models: ModuleType, name: str) -> Any:
    """The preprocessing of torchvision's default weights of that model, None for a model without any."""
    try:
        return models.get_model_weights(name).DEFAULT.transforms()
    except (AttributeError, ValueError):  # no entry of weights, or an empty one
        return None


def _preprocessing(transforms: Any, *, size: PixelSize, name: str) -> Preprocessing:
    """That of the weights, where it is for images of that size; for others nothing is stated."""
    if transforms is None or size != (transforms.crop_size[0], transforms.crop_size[0]):
        return Preprocessing(size=size)
    return Preprocessing(
        size=size,
        resize=(transforms.resize_size[0], transforms.resize_size[0]),
        crop_mode="center",
        interpolation=transforms.interpolation.value,
        stated_by=f"torchvision's weights of {name}",
    )


def _own_shape(module: nn.Module, *, default: int) -> ImageShape:
    size = getattr(module, "image_size", default)
    return (3, size, size)


def _create(models: ModuleType, name: str, wanted: Wanted, *, classes: int | None) -> nn.Module:
    pretrained = wanted.weights == "pretrained" and wanted.checkpoint is None
    options: dict[str, Any] = {"weights": "DEFAULT" if pretrained else None}
    if classes is not None:
        options["num_classes"] = classes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # Inception and GoogLeNet, of how they draw their weights
            return _sized(models, name, options, shape=wanted.input_shape)
    except Exception as error:  # downloads and constructors fail in their own ways
        reason = f"{type(error).__name__}: {first_line(error)}"
        if pretrained:
            raise ModelError(
                f"torchvision's pretrained weights of {name} could not be loaded ({reason}). Without a network, give "
                "a file of weights by --checkpoint FILE"
            ) from error
        raise ModelError(f"torchvision cannot build model {name!r}: {reason}") from error


def _sized(models: ModuleType, name: str, options: dict[str, Any], *, shape: ImageShape | None) -> nn.Module:
    """The model for images of `shape`: the vision transformer and MaxViT are told the size, others take any."""
    sizes: list[dict[str, Any]] = [] if shape is None else [{"image_size": shape[1]}, {"input_size": shape[1:]}]
    for size in sizes:
        try:
            return models.get_model(name, **options, **size)  # type: ignore[no-any-return]
        except TypeError as error:
            if "unexpected keyword" not in str(error):
                raise
    return models.get_model(name, **options)  # type: ignore[no-any-return]
