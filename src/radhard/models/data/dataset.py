"""`Dataset`: images, labels, and an identity of each image, on which its faults depend."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.models.data.listing import UNLABELLED
from radhard.models.data.picture import SCALES, PictureForm


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """`images` [N, C, H, W], `labels` int64 [N] in 0 ... classes - 1, `ids` int64 [N], no two the same.

    Images are uint8, uint16 or float32, of which 255, 65535 and 1 count as 1. `labels` are all UNLABELLED where the
    images have none. `forms`: what the pictures were before they were made to fit, and how many of each. `names` are
    the files' paths relative to their root, or empty where there are no files. `skipped` names the images that were to
    be among these and could not be read. `remarks` are sentences on what else was passed by.
    """

    name: str
    images: Tensor
    labels: Tensor
    ids: Tensor
    class_names: tuple[str, ...]
    names: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    forms: Mapping[PictureForm, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """N, the number of images."""
        return len(self.labels)

    @property
    def labelled(self) -> bool:
        """Whether the images have labels."""
        return not bool((self.labels == UNLABELLED).any())

    def limits(self) -> tuple[float, float]:
        """The lowest and the highest value of all pixels."""
        values = self.images.numpy()
        return float(values.min()), float(values.max())

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of the images' bytes, then the labels' and the ids' (int64, little-endian).

        Ids that are 0 ... N - 1 are left out: they say nothing. The type of pixels other than uint8 goes in.
        """
        content = hashlib.sha256(self.images.contiguous().numpy().data)  # no copy: it may be larger than memory
        if self.images.dtype != torch.uint8:
            content.update(str(self.images.dtype).encode())
        content.update(self.labels.numpy().astype("<i8").tobytes())
        if not torch.equal(self.ids, torch.arange(len(self))):
            content.update(self.ids.numpy().astype("<i8").tobytes())
        return content.hexdigest()

    def batch(self, indices: Tensor, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
        """`indices` int64 [B] -> float32 [B, C, H, W]: (pixel / scale - mean) / std, each one a channel."""
        return normalise(self.images[indices], mean=mean, std=std)

    def take(self, indices: Tensor, *, name: str) -> "Dataset":
        """`indices` int64 [M] -> the data set of these images, in this order, under another name."""
        return Dataset(
            name=name,
            images=self.images[indices],
            labels=self.labels[indices],
            ids=self.ids[indices],
            class_names=self.class_names,
            names=tuple(self.names[i] for i in indices.tolist()) if self.names else (),
            skipped=self.skipped,
            remarks=self.remarks,
            forms=self.forms,
        )

    def places(self, ids: Tensor) -> Tensor:
        """`ids` int64 [B] -> int64 [B]: where the images with these identities are.

        InputError names the first row of `ids` that is none of them.
        """
        order = np.argsort(self.ids.numpy(), kind="stable")
        held, wanted = self.ids.numpy()[order], ids.numpy()
        near = np.searchsorted(held, wanted).clip(max=len(held) - 1)
        if len(absent := np.flatnonzero(held[near] != wanted)):
            place = int(absent[0])
            numbered = "numbered from 0" if not self.names else "identified by their paths: is the sample another one?"
            raise InputError(
                f"row {place + 1}: image {wanted[place]} is not one of {self.name}, whose {len(self)} images are "
                f"{numbered}"
            )
        return torch.from_numpy(order[near])

    def name_of(self, ids: Tensor) -> dict[int, str]:
        """`ids` int64 [B] -> the relative path of each; empty where the images are no files."""
        if not self.names:
            return {}
        places = self.places(ids).tolist()
        return {identity: self.names[place] for identity, place in zip(ids.tolist(), places, strict=True)}


def normalise(images: Tensor, *, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """`images` uint8, uint16 or float32 [B, C, H, W] -> float32 [B, C, H, W]: (pixel / scale - mean) / std, by channel.

    The scale is 255, 65535 or 1.
    """
    if not len(mean) == len(std) == images.shape[1]:
        raise InputError(
            f"mean {mean} and std {std} are for {len(mean)} and {len(std)} channels, the images have "
            f"{images.shape[1]}: give one number a channel"
        )
    centre, scale = (torch.tensor(values, device=images.device).view(1, -1, 1, 1) for values in (mean, std))
    return (images.to(torch.float32) / SCALES[images.dtype] - centre) / scale
