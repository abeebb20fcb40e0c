"""Accuracy over the bit error rate, with intervals, read from a store."""

import math
from dataclasses import dataclass
from typing import TypedDict, cast

from radhard.analysis.intervals import Interval
from radhard.analysis.looks import AT_ANY_LOOK, AT_THE_END, Intervals
from radhard.campaign.counted import Counted, count
from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.outcomes import Tally
from radhard.campaign.store import Store


class PointRecord(TypedDict):
    """A `Point` as JSON values; what is not known or not finite is null."""

    ber: float | None
    trials: int
    n: int
    accuracy: float | None
    low: float | None
    high: float | None
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    changed: float | None
    non_finite: float | None
    flips_expected: float | None
    flips: float | None
    ended: str
    changed_low: float | None
    changed_high: float | None
    flips_an_inference: int | None
    sdc: float | None
    sdc_low: float | None
    sdc_high: float | None
    critical: float | None
    critical_low: float | None
    critical_high: float | None
    due: float | None
    due_low: float | None
    due_high: float | None


@dataclass(frozen=True, kw_only=True)
class Point:
    """Rates at one `ber` over `n` answers in `trials`; `low` ... `high` is the accuracy's 95 % interval.

    Of a number of flips an inference, `flips_an_inference`, there is no `ber`. Where images have no labels, accuracy is
    NaN, and `changed` is what is measured.
    `relative` is accuracy over the clean accuracy of the same program on the same images, with its own interval.
    `changed`: share whose prediction is not the clean one, and its interval: an `sdc` (silent data corruption: another
    class, and nothing reports it) or a `due` (a NaN answer, which a user can see). `critical`: share that is an SDC by
    which a right answer became wrong; NaN without labels. `non_finite`: share that met a NaN or an
    infinity. `flips_expected`, `flips`: bits flipped an image, by the BER and as drawn. `ended`: what ended the trials.
    """

    ber: float | None
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
    flips_an_inference: int | None = None
    sdc: float = math.nan
    sdc_low: float = 0.0
    sdc_high: float = 1.0
    critical: float = math.nan
    critical_low: float = 0.0
    critical_high: float = 1.0
    due: float = math.nan
    due_low: float = 0.0
    due_high: float = 1.0

    @property
    def amount(self) -> float:
        """The bit error rate, or the number of flips an inference."""
        return self.flips_an_inference or self.ber or 0.0

    @property
    def kept(self) -> float:
        """Accuracy, or, where images have no labels, the share of answers that are the clean ones."""
        return 1 - self.changed if math.isnan(self.accuracy) else self.accuracy

    @property
    def known_accuracy(self) -> float | None:
        """Accuracy; None of images without labels, and of no answers."""
        return self.accuracy if math.isfinite(self.accuracy) else None

    @property
    def known_quality(self) -> float | None:
        """What is `kept`; None of no answers."""
        return self.kept if math.isfinite(self.kept) else None

    def as_dict(self) -> PointRecord:
        """The point as JSON values; a rate of no answers is null, and so is a limit that is infinite."""
        found = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in vars(self).items()
        }
        return cast("PointRecord", found)


def point(setting: Setting, counted: Counted, *, clean: Tally, intervals: Intervals = AT_THE_END) -> Point:
    """What was counted of a setting, and of the same program without faults -> its point."""
    tally = counted.tally
    accuracy = intervals.share(tally.correct, trials=tally.trials)
    changed = intervals.share(tally.changed, trials=tally.trials)
    sdc, due = (intervals.share(hits, trials=tally.trials) for hits in (tally.sdc, tally.due))
    known = clean.trials > 0  # in a shard some images may lack their clean answer
    ratio = intervals.relative(tally.correct * known, trials=tally.trials * known, clean=clean.correct)
    critical = intervals.share(tally.mistaken * clean.correct * known, trials=tally.trials * known)
    if not setting.labelled:
        accuracy = ratio = critical = Interval(rate=math.nan, low=math.nan, high=math.nan)
    n = tally.n
    return Point(
        ber=None if setting.flips else setting.ber,
        flips_an_inference=setting.flips or None,
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
        flips_expected=setting.flips_expected,
        flips=int(tally.flips.sum()) / n if n else math.nan,
        ended=counted.ended,
        sdc=sdc.rate,
        sdc_low=sdc.low,
        sdc_high=sdc.high,
        critical=critical.rate,
        critical_low=critical.low,
        critical_high=critical.high,
        due=due.rate,
        due_low=due.low,
        due_high=due.high,
    )


def curve(campaign: Campaign, *, store: Store) -> tuple[Point, ...]:
    """A point for each setting of the campaign, in its order, from what the store holds of it.

    Where a look may end its trials, its intervals hold at any look.
    """
    return tuple(
        point(
            setting,
            count(campaign, setting, store=store),
            clean=count(campaign, setting.without_faults(), store=store).tally,
            intervals=AT_THE_END if campaign.stop is None or setting.clean else AT_ANY_LOOK,
        )
        for setting in campaign.settings
    )
