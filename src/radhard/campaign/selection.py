"""Keeps evaluation images apart from those that chose a plan, by content, so that copies count as the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.pixels import Pixels
from radhard.protection import ChosenOn, Plan

FingerprintsOf = Literal["content", "identity and content"]


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """Short digests of images; `of` says of what.

    "content": the first 64 bits of the SHA-256 of the pixels, in hexadecimal. "identity and content", as older plans
    have them: the image's id, a dash, the first 32 bits, which do not know a copy of an image under another name.
    """

    of: FingerprintsOf
    values: frozenset[str]

    def places(self, data: Dataset, *, images: int) -> tuple[int, ...]:
        """Where among the first `images` of `data` those stand that are among these."""
        return tuple(place for place in range(images) if _fingerprint(data, place, of=self.of) in self.values)


def fingerprints(data: Dataset, *, images: int) -> Fingerprints:
    """The contents of the first `images`."""
    return Fingerprints(of="content", values=frozenset(_contents(data, images=images)))


def seen_by(plan: Plan) -> Fingerprints:
    """Of the images that chose or judged a plan, as its file has them; of none where it names none."""
    of: FingerprintsOf = "content" if plan.chosen_on.fingerprints_of == "content" else "identity and content"
    return Fingerprints(of=of, values=frozenset(plan.chosen_on.fingerprints or ()))


def chosen_on(
    data: Dataset,
    *,
    images: int,
    trials: int,
    calibrated_on: str,
    judged: tuple[Dataset, int],
    pixels: Pixels | None = None,
) -> ChosenOn:
    """What a plan's file says of the images that chose it; its fingerprints are those of the `judged` ones, too."""
    return ChosenOn(
        data=data.name,
        data_digest=data.digest,
        images=images,
        trials=trials,
        calibrated_on=calibrated_on,
        pixels=None if pixels is None else pixels.as_dict(),
        fingerprints_of="content",
        fingerprints=(*_contents(data, images=images), *_contents(judged[0], images=judged[1])),
        measure=None if data.labelled else "kept",
    )


def before_any(data: Dataset, *, seen: Sequence[Fingerprints], most: int) -> int:
    """How many of the first `most` images of `data` come before one that was `seen`."""
    most = min(most, len(data))
    return min([most, *(place for one in seen for place in one.places(data, images=most)[:1])])


def check_apart(data: Dataset, *, images: int, chosen: Dataset, select: int) -> None:
    """Raise InputError if one of the first `images` of `data` is among the first `select` that choose."""
    both = fingerprints(chosen, images=select).places(data, images=images)
    if both:
        raise InputError(
            f"{len(both)} of the {images} images of {data.name} are among the {select} that choose layers "
            f"({_name(data, both[0])} for one), and would flatter them: take fewer (--images, --select)"
        )


def check_disjoint(plan: Plan, data: Dataset, *, images: int) -> None:
    """Raise InputError if one of the first `images` of `data` is among those that chose the plan."""
    both = seen_by(plan).places(data, images=images)
    if both:
        raise InputError(
            f"{len(both)} of the {images} images of {data.name} chose or judged the plan ({_name(data, both[0])} for "
            "one), and would flatter it: evaluate on fewer or other images (--images, --data), or plan on fewer"
        )


def _contents(data: Dataset, *, images: int) -> list[str]:
    return [_fingerprint(data, place, of="content") for place in range(images)]


def _fingerprint(data: Dataset, place: int, *, of: FingerprintsOf) -> str:
    content = sha256(data.images[place].contiguous().numpy().data).hexdigest()
    return content[:16] if of == "content" else f"{int(data.ids[place]):x}-{content[:8]}"


def _name(data: Dataset, place: int) -> str:
    """`image 9`, or `image dogs/7.png` where there are files."""
    return f"image {int(data.ids[place])}" if not data.names else f"image {data.names[place]}"
