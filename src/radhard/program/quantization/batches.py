"""The inputs of calibration: tensors of images, or a loader's batches of images and labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from radhard.errors import InputError


def images_of(batch: Any, *, input_shape: Sequence[int], place: str) -> Tensor:
    """A batch -> its images, float32 [B, *input_shape]: a tensor, or the first of a pair whose second is labels [B].

    What is on a GPU is taken to the CPU, from where calibration takes it.

    InputError says in one sentence what to give instead; `place` names the batch, such as `calibration batch 0`.
    """
    pair = isinstance(batch, list | tuple) and len(batch) > 0
    images, others = (batch[0], list(batch[1:])) if pair else (batch, [])
    example = "(images for images, _ in loader)"
    if isinstance(batch, Mapping):
        example = "(batch['image'] for batch in loader)"
    if not isinstance(images, Tensor) or any(isinstance(other, Tensor) and other.ndim > 2 for other in others):
        kind = f"{type(batch).__name__} of {_parts(batch)}" if _parts(batch) else type(batch).__name__
        raise InputError(
            f"{place} is a {kind}: give tensors of images, or pairs of images and labels, such as {example}"
        )
    wanted = f"[B, {', '.join(map(str, input_shape))}]"
    if images.ndim == len(input_shape):
        raise InputError(
            f"{place} is one image {list(images.shape)}: give batches {wanted}, such as by a DataLoader, or [images]"
        )
    if images.dtype != torch.float32:
        raise InputError(
            f"{place} is {str(images.dtype).removeprefix('torch.')}: give images as the model takes them, float32 "
            f"{wanted}, normalised"
        )
    return images.cpu() if images.is_cuda else images


def _parts(batch: Any) -> str:
    """What a batch that is no tensor holds: its keys, or the types of its parts."""
    if isinstance(batch, Mapping):
        return ", ".join(map(str, batch))
    return ", ".join(type(part).__name__ for part in batch) if isinstance(batch, list | tuple) else ""
