"""Checkpoints: weights from a file into a module, never running code that the file may hold."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from radhard.errors import ModelError
from radhard.models.zoo import listed

_SAFE = "torch.save(module.state_dict(), file) or safetensors.torch.save_file writes a file of weights only"
_NESTED = ("state_dict", "model")  # where training programs keep the weights beside their own state


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """A file -> its tensors by key. `.safetensors`, else what torch.save wrote, read with weights_only=True.

    A torch file may keep the weights under "state_dict" or "model". ModelError names the file and its fault.
    """
    if not path.is_file():
        raise ModelError(f"checkpoint {path} is not a file: give the path of a .safetensors or a torch file")
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except SafetensorError as error:
            raise ModelError(f"checkpoint {path} is not a safetensors file, or is damaged: {error}") from error
    state = _read_torch(path)
    for key in _NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping):
        raise ModelError(f"checkpoint {path} holds a {type(state).__name__}, not tensors by name: {_SAFE}")
    strange = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise ModelError(f"checkpoint {path} holds values that are no tensors: {listed(strange)}. {_SAFE}")
    return {str(key): value for key, value in state.items()}


def _read_torch(path: Path) -> Any:
    """What torch.load gives with weights_only=True. ModelError for pickled code and for other files."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # of torch.load about the pickle protocol: it is read or refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise ModelError(
                f"checkpoint {path} was refused: it holds pickled code or objects ({_offender(error)}), "
                f"and loading them runs whatever they say. {_SAFE}"
            ) from error
        raise ModelError(f"checkpoint {path} is not a torch file of weights, or is damaged. {_SAFE}") from error
    except Exception as error:  # torch's reader raises RuntimeError, EOFError, KeyError ... on files not its own
        raise ModelError(
            f"checkpoint {path} is not a torch file, or is damaged ({type(error).__name__}). {_SAFE}"
        ) from error


def _offender(error: Exception) -> str:
    """The name of what the file wanted to call, out of torch's message."""
    words = str(error).split("GLOBAL", 1)[1].split()
    return words[0].strip("`'\".,:") if words else "unnamed"


def put_weights(module: nn.Module, state: Mapping[str, Tensor], *, source: Path) -> None:
    """Copy `state` into `module`. ModelError names the missing, unexpected and misshapen keys."""
    own = module.state_dict()
    wrong = {
        "missing": sorted(own.keys() - state.keys()),
        "unexpected": sorted(state.keys() - own.keys()),
        "misshapen": [
            f"{key} {list(state[key].shape)} where the model has {list(own[key].shape)}"
            for key in sorted(own.keys() & state.keys())
            if state[key].shape != own[key].shape
        ],
    }
    parts = [f"{kind}: {listed(keys)}" for kind, keys in wrong.items() if keys]
    if parts:
        raise ModelError(
            f"checkpoint {source} does not fit the model; {'; '.join(parts)}. "
            "Is it of another model, or of another number of classes?"
        )
    module.load_state_dict(dict(state))
