"""Outcomes per image: packed for the store, added up for rates."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from radhard.errors import StoreError
from radhard.models.data.listing import UNLABELLED
from radhard.protection import Account

UNDECIDED = -1
"""The prediction of an image whose logits hold a NaN, or without an answer: no class, hence a wrong answer."""

LEADING = 5
"""So many classes with the largest logits are kept of a clean answer: SDC-5 compares with them."""

Ints = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """Of B images: `prediction`, `non_finite`, `flips` int32 [B], `correct`, `changed` bool [B].

    `prediction` is a class or UNDECIDED: where a logit is NaN, or a code of the memory stopped the inference.
    `correct` is `right` of it. `changed`: the prediction is not the clean one. `non_finite` counts the values that were
    NaN or infinite on the way, as the run says; `flips` the bits that flipped.
    `account` says what protection did, all B images together; None where there is none.

    `leading` int32 [B, LEADING]: of a clean outcome the classes of the largest logits, the first one first, -1 where
    there are fewer classes. `reached` bool [B]: whether a fault changed a word that a site writes, where the run
    started from the clean one and so knows it. Both are None where they are not known, as in stores of older versions.
    """

    prediction: Ints
    correct: Bools
    changed: Bools
    non_finite: Ints
    flips: Ints
    account: Account | None = None
    leading: Ints | None = None
    reached: Bools | None = None

    def __len__(self) -> int:
        """B, the number of images."""
        return len(self.prediction)

    @property
    def sdc(self) -> Bools:
        """Silent data corruption [B]: the class is not the clean one, and nothing in the answer reports it."""
        silent: Bools = self.changed & (self.prediction != UNDECIDED)
        return silent

    @property
    def due(self) -> Bools:
        """Detected, uncorrected error [B]: a logit is NaN or there is no answer, and the clean one has no NaN."""
        detected: Bools = self.changed & (self.prediction == UNDECIDED)
        return detected

    def sdc5(self, clean: "Outcome") -> Bools | None:
        """SDC-5 [B]: an SDC whose class is none of the five leading ones of the `clean` answer; None: not known."""
        if clean.leading is None:
            return None
        beyond: Bools = self.sdc & (self.prediction[:, None] != clean.leading).all(1)
        return beyond


def right(prediction: Ints, *, labels: npt.NDArray[np.integer[Any]], clean: Ints) -> Bools:
    """Whether each answer of [B] counts: it is the label's class, or, of an image without label, the clean answer.

    So the share that is right is accuracy, or one less the SDC rate of top-1 where the images have no labels.
    """
    counted: Bools = np.where(labels == UNLABELLED, prediction == clean, prediction == labels)
    return counted


LATER = ("leading", "reached")
"""Columns that older stores lack: where nothing is known of them they are empty."""
COLUMNS = ("prediction", "correct", "changed", "non_finite", "flips", "account", *LATER)
_OF_IMAGES = COLUMNS[: COLUMNS.index("account")]
_PACKED_BITS = frozenset({"correct", "changed"})


def pack(outcome: Outcome) -> tuple[bytes, ...]:
    """An outcome -> the bytes of its COLUMNS: int32 little-endian, or one bit an image, the first topmost.

    The account is one JSON object, or nothing; what is not known is nothing.
    """
    account = b"" if outcome.account is None else json.dumps(outcome.account.as_dict(), sort_keys=True).encode()
    arrays = (
        np.packbits(getattr(outcome, name)).tobytes()
        if name in _PACKED_BITS
        else getattr(outcome, name).astype("<i4").tobytes()
        for name in _OF_IMAGES
    )
    leading = b"" if outcome.leading is None else outcome.leading.astype("<i4").tobytes()
    reached = b"" if outcome.reached is None else np.packbits(outcome.reached).tobytes()
    return (*arrays, account, leading, reached)


def unpack(packed: tuple[bytes, ...], *, images: int) -> Outcome:
    """Inverse of `pack`. Raises StoreError if a column does not hold exactly `images` values, or no account."""
    raw = dict(zip(COLUMNS, packed, strict=True))
    arrays: dict[str, Any] = {
        name: _bits(raw, name, images) if name in _PACKED_BITS else _ints(raw, name, images) for name in _OF_IMAGES
    }
    return Outcome(
        **arrays,
        account=_account(raw["account"]) if raw["account"] else None,
        leading=_ints(raw, "leading", images * LEADING).reshape(images, LEADING) if raw["leading"] else None,
        reached=_bits(raw, "reached", images) if raw["reached"] else None,
    )


def together(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
    """What two packed outcomes of one unit know together; None where they contradict each other."""
    later = len(COLUMNS) - len(LATER)
    if one[:later] != other[:later] or any(a and b and a != b for a, b in zip(one, other, strict=True)):
        return None
    return tuple(a or b for a, b in zip(one, other, strict=True))


def _ints(raw: Mapping[str, bytes], name: str, count: int) -> Ints:
    _check_size(raw, name, size=4 * count, count=count)
    return np.frombuffer(raw[name], "<i4").astype(np.int32)


def _bits(raw: Mapping[str, bytes], name: str, count: int) -> Bools:
    _check_size(raw, name, size=(count + 7) // 8, count=count)
    return np.unpackbits(np.frombuffer(raw[name], np.uint8), count=count).astype(np.bool_)


def _check_size(raw: Mapping[str, bytes], name: str, *, size: int, count: int) -> None:
    if len(raw[name]) != size:
        raise StoreError(f"column {name!r} of {count} images holds {len(raw[name])} bytes instead of {size}")


def _account(raw: bytes) -> Account:
    try:
        return Account.from_dict(json.loads(raw))
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"column 'account' holds no account: {error!r}") from error


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """Sums over the trials of one setting, for each of its N images: every array int64 [N].

    `trials` of an image, how many were `correct`, `changed`, met a `non_finite` value; and all `flips`. How many were
    an `sdc`, a `due`, an SDC that is `mistaken`: not right, hence critical where the clean answer is.
    """

    trials: npt.NDArray[np.int64]
    correct: npt.NDArray[np.int64]
    changed: npt.NDArray[np.int64]
    non_finite: npt.NDArray[np.int64]
    flips: npt.NDArray[np.int64]
    sdc: npt.NDArray[np.int64]
    due: npt.NDArray[np.int64]
    mistaken: npt.NDArray[np.int64]

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
    "sdc": lambda outcome: outcome.sdc.astype(np.int64),
    "due": lambda outcome: outcome.due.astype(np.int64),
    "mistaken": lambda outcome: (outcome.sdc & ~outcome.correct).astype(np.int64),
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
