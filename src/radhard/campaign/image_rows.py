"""The outcomes of a store image by image: each image, trial and setting once, in blocks of rows."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from radhard.campaign.experiment import canonical_json
from radhard.campaign.outcomes import Bools, Ints, Outcome, unpack
from radhard.campaign.schema import Key
from radhard.campaign.store import Store
from radhard.errors import StoreError
from radhard.program.program import recipe_digested
from radhard.words import Words


@dataclass(frozen=True, kw_only=True)
class SettingFields:
    """What all rows of a setting share; what does not exist without faults, or without protection, is None.

    `ber` is None where a number of flips an inference is set in its place.

    `where`: canonical JSON of the selected sites. `protection`: SHA-256 of the canonical JSON of the protection;
    `schemes`: the names of its schemes, sorted, with a comma between them.
    """

    model: str
    recipe: str
    program: str
    data: str
    data_digest: str
    setting: str
    ber: float | None
    seed: int | None
    kinds: str | None
    where: str | None
    words: str | None
    protection: str | None
    schemes: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageRows:
    """B rows of one setting and trial: `image` int64 [B], `prediction`, `flips`, `non_finite` int32 [B], the rest [B].

    `changed`: the prediction is not that without faults. Where it is a class, it is an SDC; where it is none, for a
    logit is NaN, a DUE. `right` is None without labels; `critical`, an SDC of a right answer, is None without labels,
    and masked by `critical_known` where the store does not hold the answer without faults.
    """

    of: SettingFields
    trial: int
    image: npt.NDArray[np.int64]
    prediction: Ints
    right: Bools | None
    changed: Bools
    sdc: Bools
    due: Bools
    critical: Bools | None
    critical_known: Bools
    flips: Ints
    non_finite: Ints

    def __len__(self) -> int:
        """B."""
        return len(self.image)

    def part(self, start: int, stop: int) -> "ImageRows":
        """The rows `start` ... `stop` - 1."""
        arrays: dict[str, Any] = {
            name: value[start:stop] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, **arrays)


def image_rows(store: Store) -> Iterator[ImageRows]:
    """The rows of every unit, ordered by setting, trial and image; none twice where units of two chunks overlap.

    StoreError names a unit that is damaged, or that contradicts another one.
    """
    texts = store.settings()
    clean = _CleanAnswers(store, texts)
    place, values, fields, last = ("", -1), {}, None, None
    for key, packed in store.rows():
        digest, trial, start, stop = key
        if fields is None or fields.setting != digest:
            if digest not in texts:
                raise store.damaged(key, "what its setting is was lost")
            values = json.loads(texts[digest])
            fields = setting_fields(digest, values)
        if place != (digest, trial):
            place, last = (digest, trial), None
        outcome = unpack(packed, images=stop - start)
        first = start if last is None else max(start, min(stop, last[0][3]))
        if last is not None:
            _check_same(store, last, (key, outcome), first=start, stop=first)
        if first < stop:
            yield _rows(fields, trial, outcome, start=start, first=first, clean=clean, labelled="labels" not in values)
            last = key, outcome


def setting_fields(digest: str, values: Mapping[str, Any]) -> SettingFields:
    """A setting's JSON values, as a store has them -> what its rows share."""
    faults, protection = values["faults"], values.get("protection")
    return SettingFields(
        model=values["model"],
        recipe=recipe_digested(values["recipe"]),
        program=values["program"],
        data=values["data"],
        data_digest=values["data_digest"],
        setting=digest,
        ber=faults.get("ber") if faults else 0.0,
        seed=faults["seed"] if faults else None,
        kinds=",".join(faults.get("kinds", ())) if faults else None,
        where=canonical_json(faults["where"]) if faults else None,
        words=Words.from_dict(faults["words"]).name if faults and "words" in faults else None,
        protection=hashlib.sha256(canonical_json(protection).encode()).hexdigest() if protection else None,
        schemes=",".join(sorted({site["scheme"] for site in protection["sites"].values()})) if protection else None,
    )


class _CleanAnswers:
    """Whether the answers without faults are right, of each setting: int8 [N], -1 where that is not in the store."""

    def __init__(self, store: Store, texts: Mapping[str, str]) -> None:
        self._store, self._texts = store, texts
        self._of: dict[str, npt.NDArray[np.int8]] = {}
        self._digests: dict[str, str] = {}

    def right(self, setting: str, *, start: int, stop: int) -> npt.NDArray[np.int8]:
        """Of the images `start` ... `stop` - 1 of a setting with faults or protection: 1, 0, or -1 for not known."""
        if setting not in self._digests:
            values = json.loads(self._texts[setting])
            values = {name: value for name, value in values.items() if name != "protection"} | {"faults": None}
            self._digests[setting] = hashlib.sha256(canonical_json(values).encode()).hexdigest()
        clean = self._digests[setting]
        if clean not in self._of:
            self._of[clean] = self._read(clean)
        known = self._of[clean][start:stop]
        return np.pad(known, (0, stop - start - len(known)), constant_values=-1)

    def _read(self, digest: str) -> npt.NDArray[np.int8]:
        units = [(key, unpack(packed, images=key[3] - key[2])) for key, packed in self._store.rows(setting=digest)]
        found = np.full(max((key[3] for key, _ in units), default=0), -1, np.int8)
        for (_, _, start, stop), outcome in units:
            found[start:stop] = outcome.correct
        return found


def _rows(
    fields: SettingFields, trial: int, outcome: Outcome, *, start: int, first: int, clean: _CleanAnswers, labelled: bool
) -> ImageRows:
    """The rows of the images from `first` on, of a unit that begins at `start`."""
    own = slice(first - start, None)
    stop = start + len(outcome)
    sdc = outcome.sdc[own]
    before = clean.right(fields.setting, start=first, stop=stop)
    return ImageRows(
        of=fields,
        trial=trial,
        image=np.arange(first, stop, dtype=np.int64),
        prediction=outcome.prediction[own],
        right=outcome.correct[own] if labelled else None,
        changed=outcome.changed[own],
        sdc=sdc,
        due=outcome.due[own],
        critical=sdc & (before == 1) if labelled else None,
        critical_known=(before >= 0) | ~sdc,
        flips=outcome.flips[own],
        non_finite=outcome.non_finite[own],
    )


def _check_same(store: Store, one: tuple[Key, Outcome], other: tuple[Key, Outcome], *, first: int, stop: int) -> None:
    """Raise StoreError where two units say different things of the images `first` ... `stop` - 1."""
    (key, a), (another, b) = one, other
    for name in ("prediction", "correct", "changed", "flips", "non_finite"):
        x, y = getattr(a, name)[first - key[2] : stop - key[2]], getattr(b, name)[: stop - first]
        if (differing := np.flatnonzero(x != y)).size:
            raise StoreError(
                f"store {store.path}: {store.name(key)} and images {another[2]} to {another[3] - 1} of the same trial "
                f"contradict each other: {name} of image {first + int(differing[0])} is {x[differing[0]]} and "
                f"{y[differing[0]]}. One of the two was made by a radhard or a machine that computes something else; "
                "measure it again into a new store"
            )
