"""Outcomes of configurations with known numbers, for tests of what is drawn and written."""

import math
from collections.abc import Sequence
from types import SimpleNamespace

from radhard.analysis.configurations import Configuration, ConfigurationOutcome, Evaluation, Trials
from radhard.analysis.curve import Point
from radhard.analysis.intervals import Interval
from radhard.analysis.noninferiority import Differences
from radhard.analysis.overhead import Spent, Weights
from radhard.analysis.pairs import Pair
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.protection import Block, LbAbft, Protection, Ranges
from tests.support.campaigns import setting
from tests.support.sweeps import point

OWN_MUL, OWN_ADD = 40_000_000, 39_000_000
NOT_KNOWN = Interval(rate=math.nan, low=-1.0, high=1.0)
PROTECTIONS = {
    "unprotected": None,
    "ranges only": Protection(sites=(("blocks.0.gelu", Ranges(low=-0.2, high=4.0)),)),
    "products only": Protection(sites=(("blocks.0.fc1", LbAbft(block=Block(m=16, k=64, n=32))),)),
}
PROTECTIONS["both"] = Protection(
    sites=(*PROTECTIONS["ranges only"].sites, *PROTECTIONS["products only"].sites)  # type: ignore[union-attr]
)


def spent(share: float, *, low: float | None = None, high: float | None = None, mul: float | None = None) -> Spent:
    """An overhead of so much with no weights: a quarter multiplications, a quarter comparisons, half additions."""
    total = share * (OWN_MUL + OWN_ADD)
    low, high = 0.9 * share if low is None else low, 1.1 * share if high is None else high
    return Spent(
        mul=total / 4 if mul is None else mul, add=total / 2, cmp=total / 4, hidden=0.0, own_mul=OWN_MUL,
        own_add=OWN_ADD, share=share, low=low, high=high,
        alarms=12.5, repaired=1234.4, recomputed=0.25, left=0.0, residual=2.0, images=500,
    )  # fmt: skip


def losing(loss: float, n: int) -> Differences:
    """So much is lost, or gained, of n answers."""
    count = round(loss * n)
    return Differences(lost=max(count, 0), gained=max(-count, 0), n=n)


def outcome(
    name: str, ber: float, accuracy: float, *, overhead: Spent | None = None, model: str = "toy",
    measured: Point | None = None, note: str = "",
) -> ConfigurationOutcome:  # fmt: skip
    """An outcome of `accuracy` where clean is 0.9, and unprotected 0.3 under faults."""
    protection = PROTECTIONS.get(name)
    lost = 0.9 - accuracy
    base = 0.3 if ber else 0.9
    found = measured or point(ber, accuracy, n=500 if ber else 100)
    return ConfigurationOutcome(
        configuration=Configuration(name=name, setting=setting(ber, model=model, protection=protection), note=note),
        point=found,
        loss=Interval(rate=lost, low=lost - 0.01, high=lost + 0.02) if found.n else NOT_KNOWN,
        gain=None if name == "unprotected" else Interval(rate=accuracy - base, low=accuracy - base - 0.015, high=0.99),
        spent=overhead,
        differing=losing(lost, found.n),
    )  # fmt: skip


def outcomes(model: str = "toy") -> tuple[ConfigurationOutcome, ...]:
    """Three configurations at three rates, the clean ones last."""
    return (
        outcome("unprotected", 1e-7, 0.3, model=model),
        outcome("ranges only", 1e-7, 0.5, overhead=spent(0.004, mul=0.0), model=model),
        outcome("products only", 1e-7, 0.85, overhead=spent(0.05), model=model),
        outcome("unprotected", 1e-8, 0.85, model=model),
        outcome("ranges only", 1e-8, 0.86, overhead=spent(0.004, mul=0.0), model=model),
        outcome("products only", 1e-8, 0.89, overhead=spent(0.02, high=math.inf, low=0.0), model=model),
        outcome("unprotected", 0.0, 0.9, model=model),
        outcome("ranges only", 0.0, 0.895, overhead=spent(0.004, mul=0.0), model=model, note="bounds from 500 images"),
        outcome("products only", 0.0, 0.9, overhead=spent(0.0004), model=model),
    )


def paired(ber: float) -> Pair:
    """Products have 35 points more than ranges at 1e-7, 3 at 1e-8; the latter is not told apart, nor equivalent."""
    more = 0.35 if ber > 5e-8 else 0.03
    return Pair(
        configuration="products only", reference="ranges only", ber=ber, n=500,
        difference=Interval(rate=more, low=more - 0.05, high=more + 0.05),
        limits=Interval(rate=more, low=more - 0.04, high=more + 0.04), level=0.95, margin=0.02,
    )  # fmt: skip


def evaluation(
    model: str = "toy", found: Sequence[ConfigurationOutcome] | None = None, pairs: Sequence[Pair] = ()
) -> Evaluation:
    """100 images of a model under test that has a program's digest and its operations, and nothing that runs."""
    counts = {"mul": OWN_MUL, "add": OWN_ADD}
    costs = {"the site": SimpleNamespace(operations=counts.__getitem__)}
    model_under_test = ModelUnderTest(
        model=model, programs={"int8": SimpleNamespace(digest="ab" * 32, costs=costs)}, data=None, mean=(), std=(),
        calibrated_on="toy/train",
    )  # fmt: skip
    return Evaluation(
        model_under_test=model_under_test,
        outcomes=tuple(outcomes(model) if found is None else found),
        weights=Weights(mul=1.0, add=0.5, cmp=0.25),
        on=Trials(images=100, trials=5),
        pairs=tuple(pairs),
    )
