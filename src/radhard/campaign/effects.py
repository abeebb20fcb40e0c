"""The effects of faults on answers, added up image by image: masked, benign, SDC-1, SDC-5, critical SDC, DUE."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from radhard.campaign.experiment import Campaign, Setting, Unit
from radhard.campaign.outcomes import Outcome
from radhard.campaign.store import Store

Effect = Literal["masked", "benign", "sdc", "sdc5", "critical", "due"]
EFFECTS: tuple[Effect, ...] = get_args(Effect)
Counts = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Effects:
    """Of each of N images, int64 [N]: `trials`, and in how many of them the faults had an effect.

    `masked`: no word that a site writes is another one. `benign`: a word is, and the answer is not. `sdc` (silent data
    corruption, SDC-1): the top-1 class is another than the fault-free one, and nothing reports it. `sdc5`: an SDC whose
    class is none of the five leading ones of the fault-free answer. `critical`: an SDC by which a right answer became
    wrong; 0 where the images have no labels. `due` (detected, not corrected): logits hold a NaN, while the fault-free
    ones hold none. `counted`: of the masked ones those in words whose masked bits were counted, one by one. So
    masked, benign, sdc and due make up all trials. `masked`, `benign` and `sdc5` are None where an outcome does not say
    them: one of an older store, or, of the first two, one that was not run from the clean run on.
    """

    trials: Counts
    sdc: Counts
    critical: Counts
    due: Counts
    masked: Counts | None = None
    benign: Counts | None = None
    sdc5: Counts | None = None
    counted: Counts | None = None


def effects(
    campaign: Campaign, setting: Setting, *, store: Store, counted: Callable[[Unit], Bools] | None = None
) -> Effects:
    """What the store holds of a setting's trials in the campaign; units that are missing count no trial.

    `counted`: of a unit with one flip an image, whether it is in a word whose masked bits were counted, bool [B].
    """
    names = [name for name in Effects.__dataclass_fields__ if name != "counted" or counted is not None]
    counts = {name: np.zeros(campaign.images, np.int64) for name in names}
    unknown: set[str] = set()
    for trial in range(campaign.trials_of(setting)):
        for unit in campaign.units(setting, trial):
            outcome, clean = store.outcome(unit), store.outcome(unit.without_faults())
            if outcome is None or clean is None:
                continue
            found = of_outcome(outcome, clean, labelled=setting.labelled)
            if counted is not None:
                found["counted"] = None if found["masked"] is None else found["masked"] & counted(unit)
            for name, happened in found.items():
                if happened is None:
                    unknown.add(name)
                else:
                    counts[name][unit.start : unit.stop] += happened
    return Effects(**{name: None if name in unknown else count for name, count in counts.items()})  # type: ignore[arg-type]


def of_outcome(outcome: Outcome, clean: Outcome, *, labelled: bool) -> dict[str, Bools | None]:
    """In which of B images each effect of `Effects` happened: bool [B]; None where it is not known."""
    changed, reached = outcome.sdc | outcome.due, outcome.reached
    return {
        "trials": np.ones(len(outcome), np.bool_),
        "masked": None if reached is None else ~reached & ~changed,
        "benign": None if reached is None else reached & ~changed,
        "sdc": outcome.sdc,
        "sdc5": outcome.sdc5(clean),
        "critical": outcome.sdc & clean.correct & ~outcome.correct & labelled,
        "due": outcome.due,
    }
