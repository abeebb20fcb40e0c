"""Checkpoints: weights from a file into a module, never running code that the file may hold."""

import argparse
import pickle
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
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
_AVERAGED = ("state_dict_ema", "model_ema")  # and a moving average of them, which is taken where it is alone
_WRAPPERS = ("module.", "_orig_mod.", "model.")  # what DataParallel, torch.compile and trainers put before every key


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The tensors of a file by key; `part` is the file's part that they were in, where it is not the usual one."""

    path: Path
    tensors: Mapping[str, Tensor]
    part: str = ""

    def __str__(self) -> str:
        return f"{self.path} ({self.part})" if self.part else str(self.path)


def read_checkpoint(path: Path) -> Checkpoint:
    """A file -> its tensors by key. `.safetensors`, else what torch.save wrote, read with weights_only=True.

    A torch file may keep the weights under "state_dict" or "model", or their moving average under "state_dict_ema" or
    "model_ema". ModelError names the file and its fault.
    """
    if not path.is_file():
        raise ModelError(f"checkpoint {path} is not a file: give the path of a .safetensors or a torch file")
    if path.suffix == ".safetensors":
        try:
            return Checkpoint(path=path, tensors=load_file(path))
        except SafetensorError as error:
            raise ModelError(f"checkpoint {path} is not a safetensors file, or is damaged: {error}") from error
    state = _read_torch(path)
    part = ""
    for key in (*_NESTED, *_AVERAGED):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state, part = state[key], key if key in _AVERAGED else part
    if not isinstance(state, Mapping):
        raise ModelError(f"checkpoint {path} holds a {type(state).__name__}, not tensors by name: {_SAFE}")
    strange = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise ModelError(f"checkpoint {path} holds values that are no tensors: {listed(strange)}. {_SAFE}")
    return Checkpoint(path=path, tensors={str(key): value for key, value in state.items()}, part=part)


def _read_torch(path: Path) -> Any:
    """What torch.load gives with weights_only=True. ModelError for pickled code and for other files."""
    try:
        # argparse.Namespace holds the options of many training programs: names and values, no code
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter(
                "ignore", UserWarning
            )  # of torch.load about the pickle protocol: it is read or refused
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise ModelError(
                f"checkpoint {path} was refused: it holds pickled code or objects ({offender(error)}), "
                f"and loading them runs whatever they say. {_SAFE}"
            ) from error
        raise ModelError(f"checkpoint {path} is not a torch file of weights, or is damaged. {_SAFE}") from error
    except Exception as error:  # torch's reader raises RuntimeError, EOFError, KeyError ... on files not its own
        raise ModelError(
            f"checkpoint {path} is not a torch file, or is damaged ({type(error).__name__}). {_SAFE}"
        ) from error


def offender(error: Exception) -> str:
    """The name of what a pickle wanted to call, out of torch's message."""
    words = str(error).partition("GLOBAL")[2].split()
    return words[0].strip("`'\".,:") if words else "unnamed"


def load_fitting(
    build: Callable[[int | None], nn.Module],
    checkpoint: Checkpoint,
    *,
    classes: int,
    translate: Callable[[Mapping[str, Tensor], nn.Module], Mapping[str, Tensor]] | None = None,
) -> tuple[nn.Module, str]:
    """`build(None)`'s module of `classes` classes with the checkpoint's weights, and where they are from.

    A checkpoint with another number of classes, as its head's shape tells, gets `build(that number)`. Where the
    keys are not the module's, `translate` may rename them; the second result then says so. ModelError as `put_weights`.
    """
    module, source = build(None), str(checkpoint)
    state = unwrapped(checkpoint.tensors, module.state_dict().keys())
    renamed = translate is not None and state.keys() != module.state_dict().keys()
    plain = state
    if renamed and translate is not None:
        state, source = translate(plain, module), f"{checkpoint}, its keys renamed by timm's checkpoint_filter_fn"
    other = _classes_of(state, module.state_dict(), classes=classes)
    if other is not None:
        module = build(other)
        state = translate(plain, module) if renamed and translate is not None else state
    put_weights(module, state, source=checkpoint.path)
    return module, source


def unwrapped(state: Mapping[str, Tensor], own: Collection[str]) -> Mapping[str, Tensor]:
    """`state` without the wrappers' prefix that all its keys have and none of the module's `own` keys has."""
    for prefix in _WRAPPERS:
        if state and all(key.startswith(prefix) for key in state) and not any(key.startswith(prefix) for key in own):
            return unwrapped({key.removeprefix(prefix): value for key, value in state.items()}, own)
    return state


def _classes_of(state: Mapping[str, Tensor], own: Mapping[str, Tensor], *, classes: int) -> int | None:
    """The number of rows that `state` has in every tensor where the module has `classes` and the shapes differ."""
    rows = {
        len(state[key])
        for key, value in own.items()
        if value.ndim and len(value) == classes and key in state and state[key].ndim and state[key].shape != value.shape
    }
    return rows.pop() if len(rows) == 1 else None


def put_weights(module: nn.Module, state: Mapping[str, Tensor], *, source: Path) -> None:
    """Copy `state` into `module`. ModelError names the missing, unexpected and misshapen keys.

    A counter of batches, which inference does not read and old checkpoints lack, may be missing.
    """
    own = module.state_dict()
    counters = {key: value for key, value in own.items() if key.endswith("num_batches_tracked")}
    state = {**counters, **state}
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
