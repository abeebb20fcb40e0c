"""Checks that the tensors listed in a .pt2 file are in it, with the right sizes.

torch's reader makes zeros of what a member lacks, and believes sizes that the weights do not have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from radhard.errors import ModelError

_KINDS = {"parameter": "parameter_name", "buffer": "buffer_name", "tensor_constant": "tensor_constant_name"}


@dataclass(frozen=True, kw_only=True)
class TensorMeta:
    """What a file says of a stored tensor; `span` is the bytes from the start of its storage to its end.

    `layout` is where it begins there, and the strides along axes of more than one element.
    """

    sizes: tuple[int, ...]
    layout: tuple[int, ...]
    dtype: torch.dtype
    span: int


def stored_tensors(
    path: Path, name: str, config: Mapping[str, Any], lengths: Mapping[str, int]
) -> dict[str, TensorMeta]:
    """The tensors of the config member `name` by key. ModelError where a member is missing or shorter than its tensor.

    `lengths` are the bytes of every member with tensors.
    """
    folder = name.rpartition("/")[0]
    found = {}
    for key, entry in config["config"].items():
        member = f"{folder}/{entry['path_name']}"
        meta = _meta(entry.get("tensor_meta"))
        if meta is None:
            raise ModelError(f"{path} is damaged: {name} does not say what {key} is")
        if lengths.get(member, -1) < meta.span:
            raise ModelError(
                f"{path} is damaged: {member} holds {max(0, lengths.get(member, 0)):,} bytes, and its tensor {key} of "
                f"{str(meta.dtype).removeprefix('torch.')} {list(meta.sizes)} takes {meta.span:,}; export it again"
            )
        found[key] = meta
    return found


def check_values(path: Path, graph: Mapping[str, Any], tensors: Mapping[str, TensorMeta]) -> None:
    """Raise ModelError where the graph is none, or takes a stored tensor for one of other sizes or another dtype."""
    module = graph.get("graph_module")
    try:
        values = module["graph"]["tensor_values"]  # type: ignore[index]
        specs = module["signature"]["input_specs"]  # type: ignore[index]
        stored = [(spec[kind], _KINDS[kind]) for spec in specs for kind in _KINDS.keys() & spec]
        named = [(spec["arg"]["name"], spec[key]) for spec, key in stored]
        said = {key: _meta(values[value]) for value, key in named}
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged: models/model.json is no exported program ({error})") from error
    for key, meta in said.items():
        kept = tensors.get(key)
        if kept is not None and meta is not None and (kept.sizes, kept.dtype) != (meta.sizes, meta.dtype):
            raise ModelError(
                f"{path} is damaged: its graph takes {key} for {meta.dtype} {list(meta.sizes)}, and the file holds "
                f"{kept.dtype} {list(kept.sizes)}; export it again"
            )
        if kept is not None and meta is not None and kept.layout != meta.layout:
            raise ModelError(
                f"{path} is damaged: its graph takes {key} for {meta.dtype} {list(meta.sizes)}, and the file holds it "
                f"otherwise, from and by {list(kept.layout)} in place of {list(meta.layout)}; export it again"
            )


def _meta(said: Any) -> TensorMeta | None:
    """A tensor's entry in the file; None where it is no such entry."""
    from torch._export.serde.serialize import _SERIALIZE_TO_TORCH_DTYPE  # which imports half of torch.compile

    try:
        sizes = tuple(size["as_int"] for size in said["sizes"])
        strides = tuple(stride["as_int"] for stride in said["strides"])
        dtype = _SERIALIZE_TO_TORCH_DTYPE[said["dtype"]]
        offset = said["storage_offset"]["as_int"]
    except (KeyError, TypeError, AttributeError):
        return None
    whole = all(isinstance(n, int) and n >= 0 for n in (*sizes, *strides, offset))
    if not whole or len(sizes) != len(strides):
        return None
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    layout = (offset, *(step for n, step in zip(sizes, strides, strict=True) if n > 1))
    return TensorMeta(sizes=sizes, layout=layout, dtype=dtype, span=(last + 1) * dtype.itemsize if all(sizes) else 0)
