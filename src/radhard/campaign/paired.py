"""Paired outcomes: per image, how often it was right in a setting and under all faults, and the operations it took."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.store import Store
from radhard.errors import InputError

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Paired:
    """Of each of N images, int64 [N]: the `trials` in which both outcomes are known, and in how many it was right.

    `part`: right under the faults of a setting; `whole`: under all that include them. `passes` of an
    image through the model that the former took. `missing`: units that the store lacks.
    """

    part: Counts
    whole: Counts
    trials: Counts
    passes: float = 0.0
    missing: int = 0

    def __add__(self, other: "Paired") -> "Paired":
        """Both together."""
        return Paired(
            part=self.part + other.part,
            whole=self.whole + other.whole,
            trials=self.trials + other.trials,
            passes=self.passes + other.passes,
            missing=self.missing + other.missing,
        )


def no_pair(images: int) -> Paired:
    """The pair of N images in no trial."""
    return Paired(part=np.zeros(images, np.int64), whole=np.zeros(images, np.int64), trials=np.zeros(images, np.int64))


def paired(campaign: Campaign, setting: Setting, *, trial: int, store: Store) -> Paired:
    """One trial of a setting and of the campaign's whole, image by image. InputError if it has no whole."""
    if campaign.whole is None:
        raise InputError("the campaign has no whole setting, and nothing to pair another with")
    found = no_pair(campaign.images)
    missing, passes = 0, 0.0
    for unit in campaign.units(setting, trial):
        part, whole = store.outcome(unit), store.outcome(replace(unit, setting=campaign.whole))
        if part is None or whole is None:
            missing += 1
            continue
        here = slice(unit.start, unit.stop)
        found.part[here], found.whole[here], found.trials[here] = part.correct, whole.correct, 1
        passes += store.provenance(unit.key).passes
    return replace(found, missing=missing, passes=passes)
