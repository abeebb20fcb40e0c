"""Overhead of a protection: executed operations relative to those of the model, with an interval.

The work of a check depends on the faults that it meets. A unit of a campaign is some images in one trial, and its
operations are a sum over these; units are taken for a sample, so that the mean has Student's interval.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import TypedDict, cast

import numpy as np

from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.machine import Cost, Site
from radhard.protection import Account


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How much a multiplication, an addition and a comparison count."""

    mul: float = 1.0
    add: float = 1.0
    cmp: float = 1.0

    def __post_init__(self) -> None:
        values = (self.mul, self.add, self.cmp)
        if not all(math.isfinite(value) and value >= 0 for value in values) or not self.mul + self.add:
            raise InputError(f"weights {values} of operations: give finite ones from 0 on, one of mul and add above 0")


class SpentRecord(TypedDict):
    """A `Spent` as JSON values; a limit that is infinite is null."""

    mul: float | None
    add: float | None
    cmp: float | None
    hidden: float | None
    own_mul: int
    own_add: int
    share: float | None
    low: float | None
    high: float | None
    alarms: float | None
    repaired: float | None
    recomputed: float | None
    left: float | None
    residual: float | None
    images: int


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Operations an image: of protection `mul`, `add`, `cmp`, `hidden`, and of the model itself `own_mul`, `own_add`.

    `share` of the former in the latter, by weights, with its 95 % interval (infinite of a single unit). The others are
    means an image of what the account counts, and `images` is how many there were, each trial counted.
    """

    mul: float
    add: float
    cmp: float
    hidden: float
    own_mul: int
    own_add: int
    share: float
    low: float
    high: float
    alarms: float
    repaired: float
    recomputed: float
    left: float
    residual: float
    images: int

    def as_dict(self) -> SpentRecord:
        """Ready for JSON; a limit that is infinite is null."""
        values = vars(self).items()
        found = {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in values}
        return cast("SpentRecord", found)


def own_operations(costs: Mapping[Site, Cost]) -> tuple[int, int]:
    """Multiplications and additions of one image."""
    mul, add = (sum(cost.operations(kind) for cost in costs.values()) for kind in ("mul", "add"))
    return mul, add


def spent(
    campaign: Campaign, setting: Setting, *, store: Store, costs: Mapping[Site, Cost], weights: Weights
) -> Spent | None:
    """What the store holds of a protected setting; None if that is nothing."""
    accounts, images = [], []
    for trial in range(campaign.trials_of(setting)):
        for unit in campaign.units(setting, trial):
            outcome = store.outcome(unit)
            if outcome is not None and outcome.account is not None:
                accounts.append(outcome.account)
                images.append(len(unit))
    return summed(accounts, images=images, costs=costs, weights=weights) if accounts else None


def summed(
    accounts: Sequence[Account], *, images: Sequence[int], costs: Mapping[Site, Cost], weights: Weights
) -> Spent:
    """Accounts of so many images each -> what was spent on one."""
    own_mul, own_add = own_operations(costs)
    own = weights.mul * own_mul + weights.add * own_add
    executed = [account.executed for account in accounts]
    each = np.array([weights.mul * x.mul + weights.add * x.add + weights.cmp * x.cmp for x in executed]) / own
    size, n = np.array(images), sum(images)
    share = float(each.sum() / n)
    half = math.inf
    if len(each) > 1:
        from scipy.stats import t as student  # a second to import

        # the ratio estimator: units may differ in size
        spread = float(((each - share * size) ** 2).sum()) / (len(each) - 1)
        half = float(student.ppf(0.975, len(each) - 1)) * math.sqrt(spread / len(each)) / float(size.mean())
    total = reduce(add, accounts)
    return Spent(
        mul=total.executed.mul / n,
        add=total.executed.add / n,
        cmp=total.executed.cmp / n,
        hidden=total.hidden.arithmetic / n,
        own_mul=own_mul,
        own_add=own_add,
        share=share,
        low=max(0.0, share - half),
        high=share + half,
        alarms=total.alarms / n,
        repaired=total.repaired / n,
        recomputed=total.recomputed / n,
        left=total.uncorrected / n,
        residual=total.residual / n,
        images=n,
    )
