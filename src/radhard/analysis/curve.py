"""Accuracy over the bit error rate, with intervals, read from a store."""

import math
from dataclasses import dataclass
from typing import Any

from radhard.analysis.intervals import Interval, clustered
from radhard.analysis.relative import relative
from radhard.campaign.counted import Counted, count
from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.outcomes import Tally
from radhard.campaign.store import Store


@dataclass(frozen=True, kw_only=True)
class Point:
    """Rates at one `ber` over `n` answers in `trials`; `low` ... `high` is the accuracy's 95 % interval.

    Where images have no labels, accuracy is NaN, and `changed` is what is measured.
    `relative` is accuracy over the clean accuracy of the same program on the same images, with its own interval.
    `changed`: share whose prediction is not the clean one, and its interval. `non_finite`: share that met a NaN or an
    infinity. `flips_expected`, `flips`: bits flipped an image, by the BER and as drawn. `ended`: what ended the trials.
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
    changed_low: float = 0.0
    changed_high: float = 1.0

    @property
    def kept(self) -> float:
        """Accuracy, or, where images have no labels, the share of answers that are the clean ones."""
        return 1 - self.changed if math.isnan(self.accuracy) else self.accuracy

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
    changed = clustered(tally.changed, trials=tally.trials)
    known = clean.trials > 0  # in a shard some images may lack their clean answer
    ratio = relative(tally.correct * known, trials=tally.trials * known, clean=clean.correct)
    if not setting.labelled:
        accuracy = ratio = Interval(rate=math.nan, low=math.nan, high=math.nan)
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
        changed=changed.rate,
        changed_low=changed.low,
        changed_high=changed.high,
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
