"""The records in a plan's file that justify it: candidates, verdict, expected accuracy and overhead.

Rates, factors and overheads are shares, not percentages. Rates of no answers are None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from radhard.json_record import Least, Matches, Most, Record

Share = Annotated[float, Least(0), Most(1)]
Amount = Annotated[float, Least(0)]
Count = Annotated[int, Least(0)]
Some = Annotated[int, Least(1)]
Level = Annotated[float, Least(0.5), Most(1)]
Digest = Annotated[str, Matches("[0-9a-f]{64}")]
Fingerprint = Annotated[str, Matches("[0-9a-f]{16}|-?[0-9a-f]+-[0-9a-f]{8}")]


@dataclass(frozen=True, kw_only=True)
class Estimate(Record):
    """A difference of two accuracies or agreements, and its interval: of 95 %, or its two one-sided limits."""

    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Discordant(Record):
    """Of n independent answers, those right without faults and protection alone, lost, and with both alone, gained."""

    lost: Count
    gained: Count
    n: Count


@dataclass(frozen=True, kw_only=True)
class Weighting(Record):
    """How much a multiplication, an addition and a comparison count."""

    mul: Amount
    add: Amount
    cmp: Amount


@dataclass(frozen=True, kw_only=True)
class MeasuredOverhead(Record):
    """Operations an image of protection and of the model itself (own_mul, own_add); their weighted share with its 95 %
    interval, None where that is not bounded; means an image of what checks found.
    """

    mul: Amount
    add: Amount
    cmp: Amount
    hidden: Amount
    own_mul: Count
    own_add: Count
    share: Amount
    low: Amount
    high: Amount | None
    alarms: Amount
    repaired: Amount
    recomputed: Amount
    left: Amount
    residual: Amount
    images: Count


@dataclass(frozen=True, kw_only=True)
class OrderedProduct(Record):
    """A product of the order: its vulnerability factor and that of its layer, and the weighted operations an image of
    protecting it. `guessed`: the layer is a guess, or said otherwise by a name than by the graph.
    """

    site: str
    layer: str
    factor: Estimate
    layer_factor: float
    operations: Amount
    guessed: bool = False


@dataclass(frozen=True, kw_only=True)
class FrontierStep(Record):
    """Some first products of the order protected, and what that gave."""

    condition: str
    note: str
    ber: Share
    trials: Count
    n: Count
    accuracy: Share | None
    low: Share | None
    high: Share | None
    relative: Amount | None
    relative_low: Amount | None
    relative_high: Amount | None
    changed: Share | None
    changed_low: Share | None = None
    changed_high: Share | None = None
    sdc: Share | None = None
    sdc_low: Share | None = None
    sdc_high: Share | None = None
    critical: Share | None = None
    critical_low: Share | None = None
    critical_high: Share | None = None
    due: Share | None = None
    due_low: Share | None = None
    due_high: Share | None = None
    non_finite: Share | None
    flips_expected: Amount
    flips: Amount | None
    ended: str
    loss: Estimate
    differing: Discordant | None = None
    gain: Estimate | None
    overhead: MeasuredOverhead | None
    sites: Annotated[int, Least(0), "How many sites are protected."]
    products: Annotated[int, Least(0), "How many products, the first of the order, are protected."]
    ranges: Annotated[bool, "Whether non-linear sites are."]


@dataclass(frozen=True, kw_only=True)
class Expected(FrontierStep):
    """What the plan gave on the images that judged it; in format 1 on those that chose it."""

    clean: Annotated[float, Least(0), Most(1), "Accuracy with no fault and no protection; 1 without labels."]
    unprotected: Annotated[Share | None, "Accuracy, or agreement, under the same faults with no protection."]
    weights: Weighting
    remark: str = ""
    refused: Annotated[Mapping[str, str], "Products that no scheme can protect -> why."] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class JudgedStep(Record):
    """A step that was tested on the images that judge."""

    products: Count
    ranges: bool
    loss: Estimate
    overhead: Amount


@dataclass(frozen=True, kw_only=True)
class Judged(Record):
    """What the images say that did not choose the plan."""

    data: str
    images: Some
    trials: Some
    level: Annotated[Level, "The confidence that nothing is called met which is not."]
    looks: Annotated[int, Least(1), Most(2), "Sequences of plans that were tested, each with its share of the error."]
    loss: Estimate
    limit_level: Annotated[Level, "The confidence of each one-sided limit."]
    differing: Discordant
    images_needed: Annotated[Count | None, "Images that would tell, if all goes on so; None where more hardly help."]
    tested: tuple[JudgedStep, ...]


@dataclass(frozen=True, kw_only=True)
class ChosenOn(Record):
    """The images that chose it. `fingerprints` are of these and of those that judged it: none of them evaluates it."""

    data: str | None = None
    data_digest: Digest | None = None
    images: Some | None = None
    trials: Some | None = None
    calibrated_on: str | None = None
    pixels: Annotated[Mapping[str, object] | None, "What was done to the images: how found, resized, scaled."] = None
    fingerprints_of: Annotated[str | None, Matches("content"), "Left out: of identity and content."] = None
    fingerprints: tuple[Fingerprint, ...] | None = None
    measure: Annotated[
        str | None, Matches("kept"), "kept: no labels, all is of agreement with fault-free answers. Left out: accuracy."
    ] = None


@dataclass(frozen=True, kw_only=True)
class Goal(Record):
    """At most so much of the answers is lost, at most so many operations are added, both as shares."""

    loss: Share | None = None
    overhead: Amount | None = None
    level: Annotated[Level | None, "The confidence of what is called met."] = None
