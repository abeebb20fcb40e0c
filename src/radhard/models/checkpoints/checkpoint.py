"""Loads the weights of a checkpoint file into a module, without running code that the file may hold."""

import argparse
import pickle
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from radhard.errors import ModelError
from radhard.models.checkpoints.finite import check_finite
from radhard.models.checkpoints.parts import CheckpointParts, averaged, largest, parts_of, selected, weighed
from radhard.models.zoo import listed

_SAFE = "torch.save(module.state_dict(), file) or safetensors.torch.save_file writes a file of weights only"
_USUAL = {"", "state_dict", "model"}  # where weights are looked for anyway, which need not be said


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The mappings of names to tensors in a file, by where they are in it; `key` is the one that the user chose."""

    path: Path
    parts: CheckpointParts
    key: str | None = None

    def state(self, own: Collection[str]) -> tuple[Mapping[str, Tensor], str]:
        """The weights for a model with `own` keys, and where they are from. ModelError where several could be meant."""
        parts = self.parts if self.key is None else selected(self.parts, self.key)
        if not parts:
            raise ModelError(
                f"checkpoint {self.path} has no weights under {self.key!r} (--checkpoint-key); it has {self._names()}"
            )
        found = largest(weighed(parts, own))
        if len(found) > 1:
            raise ModelError(
                f"checkpoint {self.path} holds several sets of weights, {listed(sorted(found))}: say which by "
                "--checkpoint-key"
            )
        ((label, state),) = found.items()
        beside = [other for other in self.parts if averaged(other) and other != label and self.key is None]
        told = [label] if label not in _USUAL else []
        if beside and not averaged(label):
            told.append(f"beside {listed(beside)}, which --checkpoint-key takes")
        return state, f"{self.path} ({'; '.join(told)})" if told else str(self.path)

    def put(self, module: nn.Module) -> str:
        """Copy the weights into `module`; where they are from. ModelError as of `state` and `put_weights`."""
        state, source = self.state(module.state_dict().keys())
        return source + put_weights(module, state, source=self.path)

    def _names(self) -> str:
        return listed([label or "tensors at its top" for label in self.parts])


def read_checkpoint(path: Path, *, key: str | None = None) -> Checkpoint:
    """A file -> its tensors by key. `.safetensors`, else what torch.save wrote, read with weights_only=True.

    A torch file may keep the weights anywhere, beside whatever else a training program saves. ModelError names the
    file and its fault.
    """
    if not path.is_file():
        raise ModelError(f"checkpoint {path} is not a file: give the path of a .safetensors or a torch file")
    if path.suffix == ".safetensors":
        try:
            return Checkpoint(path=path, parts={"": load_file(path)}, key=key)
        except SafetensorError as error:
            raise ModelError(f"checkpoint {path} is not a safetensors file, or is damaged: {error}") from error
    state = _read_torch(path)
    parts = parts_of(state)
    if not parts and isinstance(state, Mapping):
        raise ModelError(
            f"checkpoint {path} holds values that are no tensors: {listed(map(str, state)) or 'none'}. {_SAFE}"
        )
    if not parts:
        raise ModelError(f"checkpoint {path} holds a {type(state).__name__}, not tensors by name: {_SAFE}")
    return Checkpoint(path=path, parts=parts, key=key)


def _read_torch(path: Path) -> Any:
    """What torch.load gives with weights_only=True. ModelError for pickled code and for other files."""
    if other := _other_archive(path):
        raise ModelError(f"checkpoint {path} is {other}, not a file of weights: give its weights alone. {_SAFE}")
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


def _other_archive(path: Path) -> str:
    """What a zip archive is that torch wrote and that holds a whole program; empty for any other file."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return ""
    if any(name.endswith("/constants.pkl") for name in names):
        return "a TorchScript module (torch.jit.save)"
    return "an exported program (torch.export.save)" if any(name.endswith("archive_format") for name in names) else ""


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
    module = build(None)
    own = module.state_dict()
    state, source = checkpoint.state(own.keys())
    rename = None
    if translate is not None and state.keys() != own.keys():
        rename, source = translate, f"{source}, its keys renamed by timm's checkpoint_filter_fn"
    plain = state
    state = rename(plain, module) if rename is not None else plain
    other = _classes_of(state, own, classes=classes)
    if other is not None:
        module = build(other)
        state = rename(plain, module) if rename is not None else state
    return module, source + put_weights(module, state, source=checkpoint.path)


def _classes_of(state: Mapping[str, Tensor], own: Mapping[str, Tensor], *, classes: int) -> int | None:
    """The number of rows that `state` has in every tensor where the module has `classes` and the shapes differ."""
    rows = {
        len(state[key])
        for key, value in own.items()
        if value.ndim and len(value) == classes and key in state and state[key].ndim and state[key].shape != value.shape
    }
    return rows.pop() if len(rows) == 1 else None


def put_weights(module: nn.Module, state: Mapping[str, Tensor], *, source: Path) -> str:
    """Copy `state` into `module`; what was converted on the way, for a line about the weights.

    ModelError names the missing, unexpected and misshapen keys, those of another kind of number, and weights that are
    not finite. A counter of batches, which inference does not read and old checkpoints lack, may be missing.
    """
    own = module.state_dict()
    counters = {key: value for key, value in own.items() if key.endswith("num_batches_tracked")}
    state = {**counters, **state}
    shared = sorted(own.keys() & state.keys())
    wrong = {
        "missing": sorted(own.keys() - state.keys()),
        "unexpected": sorted(state.keys() - own.keys()),
        "misshapen": [
            f"{key} {list(state[key].shape)} where the model has {list(own[key].shape)}"
            for key in shared
            if state[key].shape != own[key].shape
        ],
        "of other numbers": _of_other_numbers(state, own),
    }
    parts = [f"{kind}: {listed(keys)}" for kind, keys in wrong.items() if keys]
    if parts:
        raise ModelError(
            f"checkpoint {source} does not fit the model; {'; '.join(parts)}. "
            "Is it of another model, of another number of classes, or quantised?"
        )
    module.load_state_dict(dict(state))
    check_finite(module, source=str(source))
    kinds = {_named(state[key]) for key in shared if state[key].is_floating_point()} - {"float32"}
    return f", {' and '.join(sorted(kinds))} converted to float32" if kinds else ""


def check_numbers(state: Mapping[str, Tensor], own: Mapping[str, Tensor], *, source: str) -> None:
    """Raise ModelError where a tensor of `state` is of another kind of number than the model's: an int for a float."""
    if wrong := _of_other_numbers(state, own):
        raise ModelError(f"the weights of {source} are of other numbers: {listed(wrong)}. Are they quantised?")


def stored_numbers(files: Iterable[Path]) -> dict[str, Tensor]:
    """safetensors files -> every tensor's kind of number by key, as an empty tensor of it."""
    kinds: dict[str, Tensor] = {}
    for file in files:
        with safe_open(file, framework="pt") as content:
            for key in content.keys():  # noqa: SIM118 - it is no mapping
                kinds[key] = content.get_tensor(key).new_empty(0)
    return kinds


def _of_other_numbers(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{key} {_named(state[key])} where the model has {_named(own[key])}"
        for key in sorted(own.keys() & state.keys())
        if not key.endswith("num_batches_tracked") and not _converts(state[key], own[key])
    ]


def _converts(given: Tensor, own: Tensor) -> bool:
    """Whether a checkpoint's tensor means what the model's does: a float for a float, the same whole numbers."""
    if given.layout != torch.strided or given.is_meta or given.is_quantized or given.is_complex() != own.is_complex():
        return False
    if given.is_floating_point() and given.itemsize == 1:  # float8: words of a scale that is kept elsewhere
        return False
    if given.is_floating_point() or own.is_floating_point() or given.dtype == own.dtype:
        return given.dtype == own.dtype or (given.is_floating_point() and own.is_floating_point())
    if torch.bool in (given.dtype, own.dtype):
        return False
    return torch.equal(given.to(own.dtype).to(given.dtype), given)


def _named(tensor: Tensor) -> str:
    name = str(tensor.dtype).removeprefix("torch.")
    kind = "" if tensor.layout == torch.strided else f" {str(tensor.layout).removeprefix('torch.')}"
    return f"{name}{kind}{' without values (meta)' if tensor.is_meta else ''}"
