"""Accuracy over the bit error rate, read from a store."""

import math
from dataclasses import dataclass
from typing import Any

from radhard.analysis.intervals import clustered
from radhard.analysis.relative import relative
from radhard.campaign.counted import Counted, count
from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.outcomes import Tally
from radhard.campaign.store import Store


@dataclass(frozen=True, kw_only=True)
class Point:
    """Rates at one `ber` over `n` answers in `trials`; `low` ... `high` is the accuracy's 95 % interval.

    `relative` is accuracy over the clean accuracy of the same program on the same images, with its own interval.
    `changed`: share whose prediction is not the clean one. `non_finite`: share that met a NaN or an infinity.
    `flips_expected`, `flips`: bits flipped an image, by the BER and as drawn. `ended`: what ended the trials.
    """

    ber: float
    trials: int
    n: int
    accuracy: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    changed: float
    non_finite: float
    flips_expected: float
    flips: float
    ended: str

    def as_dict(self) -> dict[str, Any]:
        """The point as JSON values; a rate of no answers is null, and so is a limit that is infinite."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in vars(self).items()
        }


def point(setting: Setting, counted: Counted, *, clean: Tally) -> Point:
    """What was counted of a setting, and of the same program without faults -> its point."""
    tally = counted.tally
    accuracy = clustered(tally.correct, trials=tally.trials)
    known = clean.trials > 0  # in a shard some images may lack their clean answer
    ratio = relative(tally.correct * known, trials=tally.trials * known, clean=clean.correct)
    n = tally.n
    return Point(
        ber=setting.ber,
        trials=counted.trials,
        n=n,
        accuracy=accuracy.rate,
        low=accuracy.low,
        high=accuracy.high,
        relative=ratio.rate,
        relative_low=ratio.low,
        relative_high=ratio.high,
        changed=int(tally.changed.sum()) / n if n else math.nan,
        non_finite=int(tally.non_finite.sum()) / n if n else math.nan,
        flips_expected=setting.bits * setting.ber,
        flips=int(tally.flips.sum()) / n if n else math.nan,
        ended=counted.ended,
    )


def curve(campaign: Campaign, *, store: Store) -> tuple[Point, ...]:
    """A point for each setting of the campaign, in its order, from what the store holds of it."""
    return tuple(
        point(
            setting,
            count(campaign, setting, store=store),
            clean=count(campaign, setting.without_faults(), store=store).tally,
        )
        for setting in campaign.settings
    )
