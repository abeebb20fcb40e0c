"""Outcomes per image: packed for the store, added up for rates."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radhard.errors import StoreError
from radhard.models.data.listing import UNLABELLED
from radhard.protection import Account

UNDECIDED = -1
"""The prediction of an image whose logits hold a NaN: no class, hence a wrong answer."""

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Of B images: `prediction`, `non_finite`, `flips` int32 [B], `correct`, `changed` bool [B].

    `prediction` is a class or UNDECIDED. `correct` is `right` of it. `changed`: the prediction is not the clean one.
    `non_finite` counts the values that were NaN or infinite on the way, as the run says; `flips` the bits that flipped.
    `account` says what protection did, all B images together; None where there is none.
    """

    prediction: Ints
    correct: Bools
    changed: Bools
    non_finite: Ints
    flips: Ints
    account: Account | None = None

    def __len__(self) -> int:
        """B, the number of images."""
        return len(self.prediction)


def right(prediction: Ints, *, labels: npt.NDArray[np.integer[Any]], clean: Ints) -> Bools:
    """Whether each answer of [B] counts: it is the label's class, or, of an image without label, the clean answer.

    So the share that is right is accuracy, or one less the SDC rate of top-1 where the images have no labels.
    """
    counted: Bools = np.where(labels == UNLABELLED, prediction == clean, prediction == labels)
    return counted


COLUMNS = ("prediction", "correct", "changed", "non_finite", "flips", "account")
_PACKED_BITS = frozenset({"correct", "changed"})


def pack(outcome: Outcome) -> tuple[bytes, ...]:
    """An outcome -> the bytes of its COLUMNS: int32 little-endian, or one bit an image, the first topmost.

    The account is one JSON object, or nothing.
    """
    account = b"" if outcome.account is None else json.dumps(outcome.account.as_dict(), sort_keys=True).encode()
    arrays = (
        np.packbits(getattr(outcome, name)).tobytes()
        if name in _PACKED_BITS
        else getattr(outcome, name).astype("<i4").tobytes()
        for name in COLUMNS[:-1]
    )
    return (*arrays, account)


def unpack(packed: tuple[bytes, ...], *, images: int) -> Outcome:
    """Inverse of `pack`. Raises StoreError if a column does not hold exactly `images` values, or no account."""
    arrays: dict[str, Any] = {}
    *columns, account = packed
    for name, raw in zip(COLUMNS[:-1], columns, strict=True):
        size = (images + 7) // 8 if name in _PACKED_BITS else 4 * images
        if len(raw) != size:
            raise StoreError(f"column {name!r} of {images} images holds {len(raw)} bytes instead of {size}")
        if name in _PACKED_BITS:
            arrays[name] = np.unpackbits(np.frombuffer(raw, np.uint8), count=images).astype(np.bool_)
        else:
            arrays[name] = np.frombuffer(raw, "<i4").astype(np.int32)
    return Outcome(**arrays, account=_account(account) if account else None)


def _account(raw: bytes) -> Account:
    try:
        return Account.from_dict(json.loads(raw))
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"column 'account' holds no account: {error!r}") from error


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """Sums over the trials of one setting, for each of its N images: every array int64 [N].

    `trials` of an image, how many were `correct`, `changed`, met a `non_finite` value; and all `flips`.
    """

    trials: npt.NDArray[np.int64]
    correct: npt.NDArray[np.int64]
    changed: npt.NDArray[np.int64]
    non_finite: npt.NDArray[np.int64]
    flips: npt.NDArray[np.int64]

    @property
    def n(self) -> int:
        """Number of image x trial pairs counted."""
        return int(self.trials.sum())


_SUMMANDS: dict[str, Callable[[Outcome], npt.NDArray[np.int64]]] = {
    "trials": lambda outcome: np.ones(len(outcome), np.int64),
    "correct": lambda outcome: outcome.correct.astype(np.int64),
    "changed": lambda outcome: outcome.changed.astype(np.int64),
    "non_finite": lambda outcome: (outcome.non_finite > 0).astype(np.int64),
    "flips": lambda outcome: outcome.flips.astype(np.int64),
}


def empty_tally(images: int) -> Tally:
    """The tally of no trial over N images."""
    return Tally(**{name: np.zeros(images, np.int64) for name in _SUMMANDS})


def add(tally: Tally, outcome: Outcome, *, start: int) -> Tally:
    """`tally` of N images, `outcome` of the B images from `start` on -> the tally with that trial added."""
    sums = {}
    for name, summand in _SUMMANDS.items():
        sums[name] = getattr(tally, name).copy()
        sums[name][start : start + len(outcome)] += summand(outcome)
    return Tally(**sums)
