"""The identity of an image and its place in a random order, both computed from its relative path.

So the faults of a file do not depend on the folder's place, on the other files, on order, sample or batch; and a
sample drawn from a folder changes little when a file is added.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.errors import InputError

IDENTITY_BITS = 52  # the counter of the random numbers has room for 53


def identity(name: str) -> int:
    """The first 52 bits of the SHA-256 of a relative path, written with / between its parts, in UTF-8."""
    return int.from_bytes(_digest(name)[:8], "big") >> (64 - IDENTITY_BITS)


def identities(names: Sequence[str]) -> Tensor:
    """Relative paths -> int64 [N]. InputError names two that share an identity."""
    found: dict[int, str] = {}
    for name in names:
        number = identity(name)
        if number in found:
            raise InputError(
                f"the images {found[number]!r} and {name!r} have the same identity {number}, so they would have the "
                "same faults; rename one of them"
            )
        found[number] = name
    return torch.tensor(list(found), dtype=torch.int64)


def drawn_order(names: Sequence[str], *, seed: int) -> list[int]:
    """Places of `names` in a random order: ascending by the SHA-256 of "radhard sample {seed} {name}".

    Its first n are a random sample without replacement, for any n.
    """
    return sorted(range(len(names)), key=lambda place: _digest(f"radhard sample {seed} {names[place]}"))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
