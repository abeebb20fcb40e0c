"""Accuracy and overhead of a model under several protections, at each bit error rate, under the same faults.

All configurations at a rate see the same flips of the model's own operations in each image and trial, so what one gains
over another is a paired difference; faults in checks are each configuration's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from radhard.analysis.curve import Point, point
from radhard.analysis.intervals import Interval
from radhard.analysis.noninferiority import Differences, differences
from radhard.analysis.overhead import Spent, Weights, spent
from radhard.analysis.pairs import Pair, Pairing, pair
from radhard.analysis.vulnerability import gained, loss
from radhard.campaign.counted import count
from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.model_under_test import ModelUnderTest, protected
from radhard.campaign.outcomes import Tally
from radhard.campaign.store import Store
from radhard.protection import Protection, Ranges


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A `name`, and the faults and the protection that it stands for. `note`: what a reader must know of it."""

    name: str
    setting: Setting
    note: str = ""

    @property
    def amount(self) -> float:
        """The bit error rate, or the number of flips an inference."""
        return self.setting.amount


@dataclass(frozen=True, kw_only=True)
class Trials:
    """What configurations are measured on."""

    images: int
    trials: int = 1
    chunk: int = 100


@dataclass(frozen=True, kw_only=True)
class ConfigurationOutcome:
    """A configuration's `point` (accuracy), its `loss` against no fault and no protection, the answers `differing` from
    those, what it gains over no protection at the same rate (`gain`, paired; None where that was not measured), and
    what it `spent`; None if nothing.
    """

    configuration: Configuration
    point: Point
    loss: Interval
    gain: Interval | None
    spent: Spent | None
    differing: Differences

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""

        def interval(it: Interval | None) -> dict[str, float] | None:
            return None if it is None else {"rate": it.rate, "low": it.low, "high": it.high}

        protection = self.configuration.setting.protection
        return {
            "configuration": self.configuration.name,
            "note": self.configuration.note,
            **self.point.as_dict(),
            "loss": interval(self.loss),
            "differing": vars(self.differing),
            "gain": interval(self.gain),
            "overhead": None if self.spent is None else self.spent.as_dict(),
            "sites": 0 if protection is None else len(protection.sites),
        }


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What came out of the configurations of one model."""

    model_under_test: ModelUnderTest
    outcomes: tuple[ConfigurationOutcome, ...]
    on: Trials
    weights: Weights
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Configurations:
    """`configurations` of one model, measured alike, beside the clean one."""

    model_under_test: ModelUnderTest
    configurations: tuple[Configuration, ...]
    on: Trials

    @cached_property
    def campaign(self) -> Campaign:
        """The runs that it takes; configurations that are the same setting are run once."""
        settings = {c.setting.digest: c.setting for c in self.configurations}
        return Campaign(
            settings=tuple(settings.values()), images=self.on.images, trials=self.on.trials, chunk=self.on.chunk
        )

    def evaluation(self, store: Store, *, weights: Weights, pairing: Pairing | None = None) -> Evaluation:
        """What the store holds of all configurations, and of pairs of them if these are wanted."""
        outcomes = self.outcomes(store, weights=weights)
        pairs = () if pairing is None else self.pairs(store, pairing=pairing)
        return Evaluation(
            model_under_test=self.model_under_test, outcomes=outcomes, on=self.on, weights=weights, pairs=pairs
        )

    def pairs(self, store: Store, *, pairing: Pairing) -> tuple[Pair, ...]:
        """Each protected configuration with the reference at the same rate, where there are faults."""
        found = []
        for amount in dict.fromkeys(c.amount for c in self.configurations if c.amount > 0):
            here = [c for c in self.configurations if c.amount == amount]
            reference = next((c for c in here if c.name == pairing.reference), None)
            others = [c for c in here if c.name not in (pairing.reference, "unprotected")]
            if reference is None:
                continue
            tallies = {c.name: count(self.campaign, c.setting, store=store).tally for c in (reference, *others)}
            found += [
                pair(
                    (other.name, tallies[other.name]),
                    (reference.name, tallies[reference.name]),
                    setting=reference.setting,
                    pairs=len(others),
                    pairing=pairing,
                )
                for other in others
            ]
        return tuple(found)

    def outcomes(self, store: Store, *, weights: Weights) -> tuple[ConfigurationOutcome, ...]:
        """Of each configuration, from what the store holds."""
        tallies: dict[str, Tally] = {}

        def tally(setting: Setting) -> Tally:
            if setting.digest not in tallies:
                tallies[setting.digest] = count(self.campaign, setting, store=store).tally
            return tallies[setting.digest]

        measured = {setting.digest for setting in self.campaign.settings}
        found = []
        for configuration in self.configurations:
            setting, clean = configuration.setting, tally(configuration.setting.without_faults())
            counted = count(self.campaign, setting, store=store)
            plain = protected(setting, None)
            gain = None
            if setting.protection is not None and (plain.digest in measured or plain.clean):
                gain = gained(counted.tally, over=tally(plain))
            found.append(
                ConfigurationOutcome(
                    configuration=configuration,
                    point=point(setting, counted, clean=clean),
                    loss=loss(counted.tally, clean=clean),
                    gain=gain,
                    spent=spent(
                        self.campaign,
                        setting,
                        store=store,
                        costs=self.model_under_test.program_of(setting).costs,
                        weights=weights,
                    ),
                    differing=lost_answers(counted.tally, clean=clean),
                )
            )
        return tuple(found)


def lost_answers(faulty: Tally, *, clean: Tally) -> Differences:
    """Answers that are right without faults alone, and with them alone."""
    return differences(clean.correct * faulty.trials, faulty.correct, trials=faulty.trials)


def parts_of(protection: Protection) -> Mapping[str, Protection]:
    """A plan taken apart: its ranges alone, its checks of products alone, both."""
    ranges = tuple((name, scheme) for name, scheme in protection.sites if isinstance(scheme, Ranges))
    rest = tuple((name, scheme) for name, scheme in protection.sites if not isinstance(scheme, Ranges))
    found = {}
    if ranges:
        found["ranges only"] = Protection(sites=ranges, checks=protection.checks)
    if rest:
        found["products only"] = Protection(sites=rest, checks=protection.checks)
    if ranges and rest:
        found["both"] = protection
    return found


def plan_configurations(
    plain: Sequence[Setting], *, protection: Protection, note: str = ""
) -> tuple[Configuration, ...]:
    """Configurations that evaluate a plan: at each setting nothing and each part of it; without faults the whole plan.

    Checks of products change nothing where there is no fault, so that ranges are all that clean accuracy can lose by.
    """
    parts = parts_of(protection)
    found = []
    for setting in plain:
        found.append(Configuration(name="unprotected", setting=setting))
        shown = dict(list(parts.items())[-1:]) if setting.clean else parts
        found += [Configuration(name=name, setting=protected(setting, part), note=note) for name, part in shown.items()]
    return tuple(found)
