"""What the commands share that load a model: weights, shape and normalisation other than its source says."""

from dataclasses import replace

from rich.console import Console

from radhard.errors import InputError
from radhard.models.load import LoadedModel
from radhard.models.load import load as load_model
from radhard.program import NONE
from radhard.studies.options import ModelOptions


def load(name: str, options: ModelOptions) -> LoadedModel:
    """The model `name` so. InputError for a key without a checkpoint; else as `radhard.models.load.load`."""
    if options.checkpoint_key is not None and options.checkpoint is None:
        raise InputError(
            f"--checkpoint-key {options.checkpoint_key}: it is of a checkpoint, and none is given (--checkpoint FILE)"
        )
    loaded = load_model(
        name,
        options.checkpoint,
        checkpoint_key=options.checkpoint_key,
        weights="pretrained" if options.pretrained else "random",
        input_shape=options.input_shape,
        mean=options.mean,
        std=options.std,
        resize=options.resize,
        crop_pct=options.crop_pct,
        interpolation=options.interpolation,
    )
    return replace(loaded, overrides=options.anatomy or NONE)


def tell_assumed(loaded: LoadedModel, *, console: Console) -> None:
    """Say what nothing stated about the model, and how to state it; nothing where all is known."""
    if loaded.assumed:
        console.print(
            f"{loaded.name} does not state its {', '.join(loaded.assumed)}: assumed are images "
            f"{list(loaded.input_shape)}, mean {list(loaded.mean)}, std {list(loaded.std)} (--input-shape, --mean, "
            "--std)",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
