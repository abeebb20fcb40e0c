"""The images that chose a plan, told apart from those that evaluate it: by identity and content."""

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.pixels import Pixels
from radhard.protection import Plan


def fingerprints(data: Dataset, *, images: int) -> list[str]:
    """Of each of the first `images` its identity and the first 32 bits of the SHA-256 of its pixels."""
    found = []
    for place in range(images):
        content = hashlib.sha256(data.images[place].contiguous().numpy().data).hexdigest()[:8]
        found.append(f"{int(data.ids[place]):x}-{content}")
    return found


def chosen_on(
    data: Dataset,
    *,
    images: int,
    trials: int,
    calibrated_on: str,
    judged: tuple[Dataset, int],
    pixels: Pixels | None = None,
) -> dict[str, Any]:
    """What a plan's file says of the images that chose it; its fingerprints are those of the `judged` ones, too."""
    return {
        "data": data.name,
        "data_digest": data.digest,
        "images": images,
        "trials": trials,
        "calibrated_on": calibrated_on,
        **({} if pixels is None else {"pixels": pixels.as_dict()}),
        "fingerprints": [*fingerprints(data, images=images), *fingerprints(judged[0], images=judged[1])],
    }


def before_any(data: Dataset, *, seen: Collection[str], most: int) -> int:
    """How many of the first `most` images of `data` come before one whose fingerprint was `seen`."""
    found = fingerprints(data, images=min(most, len(data)))
    known = set(seen)
    return next((place for place, one in enumerate(found) if one in known), len(found))


def check_apart(data: Dataset, *, images: int, chosen: Dataset, select: int) -> None:
    """Raise InputError if one of the first `images` of `data` is among the first `select` that choose."""
    both = set(fingerprints(data, images=images)) & set(fingerprints(chosen, images=select))
    if both:
        raise InputError(
            f"{len(both)} of the {images} images of {data.name} are among the {select} that choose layers, and would "
            "flatter them: take fewer (--images, --select)"
        )


def check_held_out(plan: Plan, data: Dataset, *, images: int) -> None:
    """Raise InputError if one of the first `images` of `data` is among those that chose the plan."""
    seen: Sequence[str] = plan.chosen_on.get("fingerprints", ())
    both = sorted(set(seen) & set(fingerprints(data, images=images)))
    if both:
        raise InputError(
            f"{len(both)} of the {images} images of {data.name} chose or judged the plan (image "
            f"{int(both[0].split('-')[0], 16)} "
            "for one), and would flatter it: evaluate on fewer or other images (--images, --data), or plan on fewer"
        )
