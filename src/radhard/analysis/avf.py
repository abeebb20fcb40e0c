"""The AVF (architectural vulnerability factor) of a model's components: P(SDC | exactly one flip in the component).

Beside it stand the shares of all other effects: masked at the word, benign, SDC-5, critical SDC, DUE.

The flip is uniform over the component's exposed bits, a fresh one for each image and trial. Rates have Wilson's
interval at an effective sample size, images being clusters (`intervals`); those for all components at once are
Bonferroni's.

The total of the strata is sum_c w_c p_c, w_c the share of the exposed bits (the estimator of Horvitz and Thompson,
*JASA* 47, 1952): the AVF of one flip uniform over all of them. Its variance is that between the images; or that of
independent answers within strata, one hit and one miss added to each, where that is larger: a rare effect that
no image has met is not taken for none.

Where looks decide how many trials a component has, its intervals are those of confidence sequences, which hold at any
look; and as each component ends where it is narrow enough, that of the total is the sum of those that hold for all
components at once, by their weights.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radhard.analysis.intervals import Interval, wilson
from radhard.analysis.looks import AT_ANY_LOOK, AT_THE_END, Intervals
from radhard.campaign.components import By
from radhard.campaign.effects import EFFECTS, Counts, Effect, Effects
from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.single_flips import FlipTarget

UNKNOWN = Interval(rate=math.nan, low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class AvfStudy:
    """The `targets` of one flip, each over the same `images` in `trials` of its own; `chunk` images a unit.

    `until_width`: looks after each trial ended those of a target once its 95 % interval was at most so wide, in (0, 1].
    """

    by: By
    whole: Setting
    targets: tuple[FlipTarget, ...]
    trials: tuple[int, ...]
    images: int
    chunk: int
    until_width: float | None = None

    @property
    def intervals(self) -> Intervals:
        """Those that hold at the end of all trials, or at any look where looks may end them."""
        return AT_THE_END if self.until_width is None else AT_ANY_LOOK

    def campaign(self, trials: int) -> Campaign:
        """The targets that have at least so many trials, measured together from the clean run on."""
        settings = [target.setting for target, own in zip(self.targets, self.trials, strict=True) if own >= trials]
        clean = self.whole.without_faults()
        return Campaign(settings=(clean, *settings), images=self.images, trials=trials, chunk=self.chunk, whole=clean)


@dataclass(frozen=True, kw_only=True)
class EffectShare:
    """How often flips have an effect: the rate with its 95 % interval, and the one that holds for all components."""

    own: Interval
    all_at_once: Interval


NOT_KNOWN = EffectShare(own=UNKNOWN, all_at_once=UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class ComponentAvf:
    """The shares of the effects of one flip in a component, over `n` inferences; the AVF is that of `sdc`.

    `shares`: of each of EFFECTS, of all n. What is not known has the rate NaN: `critical` without labels, and what no
    outcome says. `counted`: the share of flips that were counted as masked, one by one, and not sampled. `bits` of one
    image, and their share of all that are exposed.
    """

    name: str
    bits: int
    bits_share: float
    operations: int
    trials: int
    n: int
    counted: float
    shares: Mapping[Effect, EffectShare]
    part: bool
    guessed: bool

    @property
    def sdc(self) -> Interval:
        """The AVF."""
        return self.shares["sdc"].own


@dataclass(frozen=True, kw_only=True)
class Avf:
    """The AVFs of a study's components, and of one flip uniform over the bits of all of them (`bits_share` of all).

    `shares`: of each effect, of that flip.
    """

    study: AvfStudy
    components: tuple[ComponentAvf, ...]
    shares: Mapping[Effect, Interval]
    bits_share: float
    passes: float

    @property
    def n(self) -> int:
        """Inferences with a flip."""
        return sum(component.n for component in self.components)

    @property
    def sdc(self) -> Interval:
        """The AVF of the whole."""
        return self.shares["sdc"]


def avf(study: AvfStudy, measured: Sequence[Effects], *, passes: float, masked: Sequence[Counts | None] = ()) -> Avf:
    """What was measured of each target, in their order -> the AVFs.

    `masked`: of each target the bits [N] of each image that were counted as masked; None where nothing was counted.
    """
    whole = study.whole
    together = len(study.targets)
    counted = masked or (None,) * len(study.targets)
    sampled = [
        Sampled.of(target, effects, masked=bits, labelled=whole.labelled, intervals=study.intervals)
        for target, effects, bits in zip(study.targets, measured, counted, strict=True)
    ]
    components = tuple(
        ComponentAvf(
            name=target.name,
            bits=target.setting.bits,
            bits_share=target.setting.bits / whole.bits,
            operations=target.operations,
            trials=int(effects.trials.max(initial=0)),
            n=int(effects.trials.sum()),
            counted=one.counted,
            shares={effect: one.share(effect, together=together) for effect in EFFECTS},
            part=target.part,
            guessed=target.guessed,
        )
        for target, effects, one in zip(study.targets, measured, sampled, strict=True)
    )
    whole_ones = [
        (target.setting.bits, one) for target, one in zip(study.targets, sampled, strict=True) if not target.part
    ] or [(target.setting.bits, one) for target, one in zip(study.targets, sampled, strict=True)]
    bits = [bits for bits, _ in whole_ones]
    weights = [own / sum(bits) for own in bits]
    strata = [one for _, one in whole_ones]
    return Avf(
        study=study,
        components=components,
        shares={effect: _total(effect, strata, weights=weights, together=together) for effect in EFFECTS},
        bits_share=sum(bits) / whole.bits,
        passes=passes,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Sampled:
    """A target's flips apart from those that were counted as masked: `trials` int64 [N] of each image, and `hits`.

    `counted`: the share of all its flips that were counted, over the same images; 0 where nothing was counted. So a
    share of all flips is (1 - counted) of that among the others, and for the masked ones `counted` more: strata of
    known size, one of which needs no run (post-stratification). `most`: the trials that an image has of all flips.
    """

    trials: Counts
    drawn: int
    hits: Mapping[Effect, Counts | None]
    counted: float
    most: int
    intervals: Intervals

    @classmethod
    def of(
        cls, target: FlipTarget, effects: Effects, *, masked: Counts | None, labelled: bool, intervals: Intervals
    ) -> "Sampled":
        """What was seen of a target; InputError if bits were counted and flips are not told apart by that."""
        hits: dict[Effect, Counts | None] = {effect: getattr(effects, effect) for effect in EFFECTS}
        if not labelled:
            hits["critical"] = None
        trials, counted = effects.trials, 0.0
        if masked is not None and effects.counted is not None and effects.masked is not None:
            counted = float(masked.mean()) / target.setting.bits
            trials, hits["masked"] = trials - effects.counted, effects.masked - effects.counted
        return cls(
            trials=trials,
            drawn=int(effects.trials.sum()),
            hits=hits,
            counted=counted,
            most=int(effects.trials.max(initial=0)),
            intervals=intervals,
        )

    def share(self, effect: Effect, *, together: int) -> EffectShare:
        """The share of an effect among all flips, and the interval that holds for so many components `together`."""
        hits = self.hits[effect]
        if hits is None:
            return NOT_KNOWN
        own, every = (
            self._of_all(self.intervals.share(hits, trials=self.trials, drawn=self.most or None, together=each), effect)
            for each in (1, together)
        )
        return EffectShare(own=own, all_at_once=every)

    def _of_all(self, among: Interval, effect: Effect) -> Interval:
        """An interval among the flips that were not counted -> of all flips."""
        if not self.drawn:
            return among
        more, rest = self.counted if effect == "masked" else 0.0, 1 - self.counted
        rate = 0.0 if math.isnan(among.rate) else among.rate  # all that were drawn are counted ones
        return Interval(rate=more + rest * rate, low=more + rest * among.low, high=more + rest * among.high)


def _total(effect: Effect, strata: Sequence[Sampled], *, weights: Sequence[float], together: int) -> Interval:
    """The share of an effect in the whole: strata of these weights, among so many components `together`."""
    hits = [one.hits[effect] for one in strata]
    known = [one for one in hits if one is not None]
    if len(known) < len(hits):
        return UNKNOWN
    if any(one.intervals is AT_ANY_LOOK for one in strata):
        every = [one.share(effect, together=together).all_at_once for one in strata]
        rate, low, high = (
            sum(weight * float(getattr(one, name)) for weight, one in zip(weights, every, strict=True))
            for name in ("rate", "low", "high")
        )
        return Interval(rate=rate, low=low, high=min(1.0, high))
    rests = [weight * (1 - one.counted) for weight, one in zip(weights, strata, strict=True)]
    drawn = [one.drawn for one in strata]
    found = stratified(known, trials=[one.trials for one in strata], shares=rests, drawn=drawn)
    more = sum(weight * one.counted for weight, one in zip(weights, strata, strict=True)) if effect == "masked" else 0.0
    return Interval(rate=more + found.rate, low=more + found.low, high=min(1.0, more + found.high))


def stratified(
    hits: Sequence[Counts], *, trials: Sequence[Counts], shares: Sequence[float], drawn: Sequence[int] | None = None
) -> Interval:
    """`hits` of `trials` int64 [N] of each image, for each stratum, and the strata's `shares` -> the total rate.

    Each stratum's rate is a ratio over the images, and the variance between images that of the sum of all ratios,
    linearised (Kish, *Survey Sampling*, 1965, section 6.6). A stratum of which flips were `drawn` and none of them is
    among the trials has any rate; nothing is known where none was drawn.
    """
    images = int(np.any([own > 0 for own in trials], axis=0).sum())
    if not images or any(not own.sum() for own, n in zip(trials, drawn or [0] * len(trials), strict=True) if not n):
        return UNKNOWN
    rate, within, answers = 0.0, 0.0, 0
    influence = np.zeros(len(trials[0]))
    for hit, own, share in zip(hits, trials, shares, strict=True):
        n = int(own.sum())
        if not n:
            within += share**2 / 3
            continue
        ratio = hit.sum() / n
        rate += share * float(ratio)
        influence += share * (hit - ratio * own) / n
        seen = (hit.sum() + 1) / (n + 2)
        within += float(share**2 * seen * (1 - seen) / n)
        answers += n
    between = float((influence**2).sum()) * images / (images - 1) if images > 1 else math.inf
    variance = max(between, within)
    known = float(rate * (1 - rate) / variance) if math.isfinite(variance) else 0.0
    return wilson(rate, n=min(max(known, images), answers))
