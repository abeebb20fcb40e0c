"""The user's own module as PyTorch runs it: what the hardened one is timed beside."""

from copy import deepcopy

import torch
from torch import nn
from torch.export import ExportedProgram

from radhard.models.loaded import ImageShape
from radhard.program import Program
from radhard.studies.model import Model, loaded_model
from radhard.studies.options import ModelOptions


def own_module(model: Model, options: ModelOptions, *, images: ImageShape, device: torch.device) -> nn.Module | None:
    """The module of a model, on `device`, the user's own left where it is; None of a program of radhard's.

    `images`: the shape (C, H, W) of those that it takes.
    """
    built = loaded_model(model, options, images=images).built
    if isinstance(built, Program):
        return None
    module = built.module() if isinstance(built, ExportedProgram) else built
    return module if device.type == "cpu" else deepcopy(module).to(device)
