"""A model by its name: one of the zoo, or any of timm's."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from radhard.errors import ModelError
from radhard.models.checkpoint import put_weights, read_checkpoint
from radhard.models.seeding import drawn_from
from radhard.models.vision import import_timm
from radhard.models.zoo import ZOO, listed, near


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedModel:
    """A module in eval mode and what it takes: `input_shape` (C, H, W), `mean` and `std` one a channel.

    Mean and std are of pixels in [0, 1]. `weights` says where they are from: a file, or a seed.
    """

    name: str
    module: nn.Module
    input_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: int
    weights: str


def load(name: str, checkpoint: Path | None = None, *, seed: int = 0) -> LoadedModel:
    """The model `name` in eval mode, float32: of the zoo with its own weights, or of timm with random ones.

    A `checkpoint` replaces either's weights. timm's random weights depend on `seed` alone, and torch's global
    generator is left as it was. ModelError for an unknown name and for a checkpoint that does not fit.
    """
    with drawn_from(torch.Generator().manual_seed(seed)):
        model = _from_zoo(name) if name in ZOO else _from_timm(name, seed=seed)
    source = checkpoint or (ZOO[name].weights if name in ZOO else None)
    if source is None:
        return model
    put_weights(model.module, read_checkpoint(source), source=source)
    return replace(model, weights=str(source))


def _from_zoo(name: str) -> LoadedModel:
    entry = ZOO[name]
    return LoadedModel(
        name=name,
        module=entry.build().eval(),
        input_shape=entry.input_shape,
        mean=entry.mean,
        std=entry.std,
        classes=entry.classes,
        weights="none yet",
    )


def _from_timm(name: str, *, seed: int) -> LoadedModel:
    timm = import_timm()
    if not timm.is_model(name):
        raise ModelError(
            f"model {name!r} is neither in the zoo (radhard.models.zoo.ZOO: {listed(ZOO)}) nor one of timm's "
            f"(timm.list_models()).{near(name, [*ZOO, *timm.list_models()])}"
        )
    try:
        module = timm.create_model(name, pretrained=False).eval()
    except RuntimeError as error:
        raise ModelError(f"timm cannot build model {name!r}: {error}") from error
    needs = timm.data.resolve_model_data_config(module)
    return LoadedModel(
        name=name,
        module=module,
        input_shape=needs["input_size"],
        mean=needs["mean"],
        std=needs["std"],
        classes=module.num_classes,
        weights=f"random, seed {seed}",
    )
