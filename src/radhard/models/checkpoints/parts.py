"""Finds the state dicts in a checkpoint: every mapping of names to tensors, however deeply nested."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from torch import Tensor

CheckpointParts = Mapping[str, Mapping[str, Tensor]]

_DEPTH = 4  # how far training programs nest what they save
_MOST = 16  # entries of a list that may be models
_OPTIMISER = {"param_groups", "state"}  # an optimiser's mapping, whose tensors are no weights
_AVERAGED = re.compile(r"(^|[^a-z])(ema|averaged?|swa|shadow)([^a-z]|$)", re.IGNORECASE)


def parts_of(content: Any) -> dict[str, dict[str, Tensor]]:
    """What a file holds -> its mappings with tensors of one axis or more, by the keys that lead there, with dots."""
    return dict(_parts(content, at=(), depth=0))


def _parts(content: Any, *, at: tuple[str, ...], depth: int) -> Iterator[tuple[str, dict[str, Tensor]]]:
    if isinstance(content, list | tuple):
        for number, value in enumerate(content[:_MOST]):
            yield from _parts(value, at=(*at, str(number)), depth=depth + 1)
    if not isinstance(content, Mapping) or set(map(str, content)) >= _OPTIMISER:
        return
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if any(value.ndim for value in tensors.values()) and all(isinstance(key, str) for key in content):
        yield ".".join(at), tensors
    if depth < _DEPTH:
        for key, value in content.items():
            yield from _parts(value, at=(*at, str(key)), depth=depth + 1)


def weighed(parts: CheckpointParts, own: Collection[str]) -> dict[str, Mapping[str, Tensor]]:
    """The parts that can be meant for a model with `own` keys, wrappers' prefixes taken off: by preference, not all.

    Those with just its keys where there are any (within a part under one prefix, too), else all of them; moving
    averages only where nothing else is.
    """
    bare = {label: unwrapped(tensors, own) for label, tensors in parts.items()}
    wanted = _counted(own)
    fitting = {label: state for label, state in bare.items() if _counted(state) == wanted}
    if not fitting:
        fitting = {
            f"{label}.{prefix}".lstrip("."): state
            for label, tensors in parts.items()
            for prefix, state in _under_prefixes(tensors)
            if _counted(state) == wanted
        }
    found = fitting or bare
    plain = {label: state for label, state in found.items() if not averaged(label)}
    return plain or found


def largest(found: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Mapping[str, Tensor]]:
    """Those with the most tensors: what stands beside a model's weights, such as weights of classes, is smaller."""
    most = max(map(len, found.values()))
    return {label: state for label, state in found.items() if len(state) == most}


def selected(parts: CheckpointParts, key: str) -> dict[str, Mapping[str, Tensor]]:
    """The part of that name, or the tensors under that prefix within a part; none where neither is."""
    exact = {label: tensors for label, tensors in parts.items() if label == key or label.endswith(f".{key}")}
    if exact:
        return exact
    return {
        f"{label}.{prefix}".lstrip("."): state
        for label, tensors in parts.items()
        for prefix, state in _under_prefixes(tensors)
        if key in (prefix, f"{label}.{prefix}")
    }


def averaged(label: str) -> bool:
    """Whether a part's name says that it is a moving average of weights."""
    return _AVERAGED.search(label) is not None


def unwrapped(state: Mapping[str, Tensor], own: Collection[str]) -> Mapping[str, Tensor]:
    """`state` without the prefixes (`module.`, `backbone.`) that all its keys have and none of the `own` keys has."""
    keys = list(state)
    prefix = keys[0].partition(".")[0] + "." if keys and "." in keys[0] else ""
    if not prefix or not all(key.startswith(prefix) for key in keys) or any(key.startswith(prefix) for key in own):
        return state
    return unwrapped({key.removeprefix(prefix): value for key, value in state.items()}, own)


def _under_prefixes(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """What stands under each prefix of one to three names: a model among other parts of what was trained."""
    prefixes = {".".join(key.split(".")[:depth]) for key in tensors for depth in (1, 2, 3) if key.count(".") >= depth}
    for prefix in sorted(prefixes):
        start = f"{prefix}."
        yield prefix, {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _counted(keys: Collection[str]) -> set[str]:
    """The keys that must be there: a counter of batches, which inference does not read and old files lack, need not."""
    return {key for key in keys if not key.endswith("num_batches_tracked")}
