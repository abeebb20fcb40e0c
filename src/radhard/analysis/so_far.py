"""What a store says so far of each setting of a campaign that runs: units, images, accuracy with its interval."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from radhard.analysis.intervals import Interval, clustered
from radhard.campaign.outcomes import Bools, Tally, add, empty_tally, unpack
from radhard.campaign.schema import Key
from radhard.campaign.store import Store
from radhard.program.program import recipe_digested


@dataclass(frozen=True, kw_only=True)
class SettingSoFar:
    """A setting, at a rate or with `flips` an inference: its `units` that are done, and `pairs` of image and trial.

    `rate`: the accuracy so far, or without labels the SDC rate, with its 95 % interval. `selected`: only some sites,
    kinds or patches are exposed. `protected`: some products or operators have a scheme.
    """

    setting: str
    model: str
    recipe: str
    data: str
    ber: float
    flips: int
    selected: bool
    protected: bool
    labelled: bool
    units: int
    pairs: int
    rate: Interval


@dataclass(kw_only=True)
class ReadSoFar:
    """What was read of a store; a later reading reads only settings that have new units."""

    keys: dict[str, tuple[Key, ...]] = field(default_factory=dict)
    found: dict[str, SettingSoFar] = field(default_factory=dict)

    def read(self, store: Store) -> tuple[SettingSoFar, ...]:
        """Every setting that has a unit, by model, recipe, protection and rate. StoreError for a damaged unit."""
        texts = store.settings()
        keys: dict[str, list[Key]] = {}
        for key in sorted(store.keys()):
            keys.setdefault(key[0], []).append(key)
        for digest, own in keys.items():
            if digest in texts and self.keys.get(digest) != tuple(own):
                self.found[digest] = _setting(json.loads(texts[digest]), own, store=store)
                self.keys[digest] = tuple(own)
        order = sorted(
            self.found.values(), key=lambda s: (s.model, s.recipe, s.protected, s.selected, s.ber, s.setting)
        )
        return tuple(order)


def _setting(values: Mapping[str, Any], keys: Sequence[Key], *, store: Store) -> SettingSoFar:
    digest, faults, labelled = keys[0][0], values.get("faults"), values.get("labels", 0) is not None
    tally = _tally(keys, store=store)
    hits = tally.correct if labelled else tally.sdc
    return SettingSoFar(
        setting=digest,
        model=str(values["model"]),
        recipe=recipe_digested(str(values["recipe"])),
        data=str(values["data"]),
        ber=0.0 if faults is None else float(faults.get("ber") or 0.0),
        flips=0 if faults is None else int(faults.get("flips") or 0),
        selected=faults is not None and any((faults.get("where") or {}).values()),
        protected="protection" in values,
        labelled=labelled,
        units=len(keys),
        pairs=tally.n,
        rate=clustered(hits, trials=tally.trials),
    )


def _tally(keys: Sequence[Key], *, store: Store) -> Tally:
    """The sums over a setting's units; of units that overlap, as other chunks make them, the first."""
    images = max(stop for _, _, _, stop in keys)
    tally, counted = empty_tally(images), dict[int, Bools]()
    for (_, trial, start, stop), packed in store.rows(setting=keys[0][0]):
        seen = counted.setdefault(trial, np.zeros(images, np.bool_))
        if stop <= images and not seen[start:stop].any():
            seen[start:stop] = True
            tally = add(tally, unpack(packed, images=stop - start), start=start)
    return tally
