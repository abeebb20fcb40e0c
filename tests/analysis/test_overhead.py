"""Overhead from accounts: against a slow sum, and its interval against drawn campaigns whose mean is known."""

import math
from fractions import Fraction
from pathlib import Path
from statistics import mean, variance

import numpy as np
import pytest
from scipy.stats import t as student

from radhard.analysis.overhead import Weights, own_operations, spent, summed
from radhard.campaign.experiment import Campaign
from radhard.campaign.measure import Job, measure
from radhard.campaign.store import Provenance, Store
from radhard.errors import InputError
from radhard.protection import Account, Operations
from tests.support.explorations import tiny_under_test
from tests.support.guarded import guarded, model_under_test
from tests.support.models import tiny_program

COSTS = tiny_program("int8").costs
MUL, ADD = own_operations(COSTS)


def account(mul: int = 0, add: int = 0, cmp: int = 0, **events: int) -> Account:
    return Account(executed=Operations(mul=mul, add=add, cmp=cmp), **events)


def test_the_models_own_operations() -> None:
    mul = add = 0
    for cost in COSTS.values():
        for step in cost.steps:
            for _ in range(cost.units):
                mul += step.per_unit * (step.kind == "mul")
                add += step.per_unit * (step.kind == "add")
    assert (mul, add) == (MUL, ADD)
    assert mul > add / 2 > 10_000


@pytest.mark.parametrize("weights", [Weights(), Weights(mul=3, add=0.5, cmp=0.25), Weights(mul=0, add=1, cmp=0)])
def test_a_sum_is_that_of_exact_fractions(weights: Weights) -> None:
    accounts = [
        account(1000, 2500, 30, alarms=2, repaired=1, uncorrected=1, residual=4),
        account(900, 2100, 25, alarms=1, recomputed=1),
        account(40, 100, 1),
    ]
    images = [10, 10, 3]
    found = summed(accounts, images=images, costs=COSTS, weights=weights)
    mul, add, cmp = (Fraction(x) for x in (weights.mul, weights.add, weights.cmp))
    own = mul * MUL + add * ADD
    share = (mul * 1940 + add * 4700 + cmp * 56) / own / 23
    assert found.share == pytest.approx(float(share))
    assert found.mul == pytest.approx(1940 / 23)
    assert found.add == pytest.approx(4700 / 23)
    assert found.cmp == pytest.approx(56 / 23)
    assert (found.own_mul, found.own_add, found.images) == (MUL, ADD, 23)
    assert found.alarms == pytest.approx(3 / 23)
    assert (found.repaired, found.recomputed, found.left) == pytest.approx((1 / 23, 1 / 23, 1 / 23))
    assert found.residual == pytest.approx(4 / 23)
    # the ratio estimator's deviations, one by one
    off = [
        float((mul * x.executed.mul + add * x.executed.add + cmp * x.executed.cmp) / own - share * n)
        for x, n in zip(accounts, images, strict=True)
    ]
    half = 4.302652729911275 * math.sqrt(sum(d * d for d in off) / 2 / 3) / (23 / 3)  # t of 2 degrees of freedom
    assert found.high - found.share == pytest.approx(half)
    assert found.low == pytest.approx(max(0.0, found.share - half))


def test_units_of_one_size_have_students_interval_of_their_mean() -> None:
    generator = np.random.default_rng(4)
    values = generator.integers(10_000, 20_000, 7).tolist()
    found = summed([account(mul=v) for v in values], images=[20] * 7, costs=COSTS, weights=Weights(mul=1, add=1))
    each = [v / (MUL + ADD) / 20 for v in values]
    half = float(student.ppf(0.975, 6)) * math.sqrt(variance(each) / 7)
    assert found.share == pytest.approx(mean(each))
    assert (found.low, found.high) == pytest.approx((mean(each) - half, mean(each) + half))


def test_one_unit_says_nothing_of_how_they_vary() -> None:
    found = summed([account(mul=100)], images=[5], costs=COSTS, weights=Weights())
    assert (found.low, found.high) == (0.0, math.inf)
    assert found.as_dict()["high"] is None
    assert found.as_dict()["share"] == found.share


def test_hidden_operations_are_apart() -> None:
    one = Account(executed=Operations(mul=5), hidden=Operations(mul=30, add=50, cmp=100))
    found = summed([one], images=[2], costs=COSTS, weights=Weights())
    assert found.hidden == 40
    assert found.share == pytest.approx(5 / (MUL + ADD) / 2)


def test_the_interval_covers() -> None:
    """Images whose recovery is rare and dear, in units of 20 and a last of 7."""
    generator = np.random.default_rng(11)
    sizes, rate, check, recovery = [20] * 24 + [7], 0.3, 1000, 700
    truth = (check + rate * recovery * 1.5) / (MUL + ADD)
    inside, runs = 0, 600
    for _ in range(runs):
        accounts = []
        for size in sizes:
            alarms = int((generator.random(size) < rate).sum())
            dear = int(generator.integers(1, 3, alarms).sum())  # 1 or 2 recoveries each
            accounts.append(account(mul=size * check + dear * recovery))
        found = summed(accounts, images=sizes, costs=COSTS, weights=Weights(cmp=0))
        assert found.low <= found.share <= found.high
        inside += found.low <= truth <= found.high
    assert 0.925 < inside / runs < 0.975


@pytest.mark.parametrize(
    "weights", [{"mul": -1.0}, {"add": math.nan}, {"cmp": math.inf}, {"mul": 0.0, "add": 0.0}, {"cmp": -0.1}]
)
def test_weights_that_make_no_sense(weights: dict[str, float]) -> None:
    with pytest.raises(InputError, match="weights"):
        Weights(**weights)


def test_what_a_store_holds_is_what_was_measured(tmp_path: Path) -> None:
    campaign = Campaign(settings=(guarded(),), images=10, trials=2, chunk=4)
    executed = alarms = 0
    with Store(tmp_path / "run.db") as store:
        assert spent(campaign, guarded(), store=store, costs=COSTS, weights=Weights()) is None
        for trial in range(2):
            for unit in campaign.units(guarded(), trial):
                (clean,) = measure(Job(units=(unit.without_faults(),), clean=None), model_under_test(), batch=64)
                (found,) = measure(Job(units=(unit,), clean=clean.outcome), model_under_test(), batch=64)
                store.write(unit, found.outcome, provenance=Provenance(seconds=1, passes=1, made_by="{}"))
                assert found.outcome.account is not None
                executed += found.outcome.account.executed.arithmetic
                alarms += found.outcome.account.alarms
        found_spent = spent(campaign, guarded(), store=store, costs=COSTS, weights=Weights(cmp=0))
    assert found_spent is not None
    assert tiny_under_test().programs["int8"].costs == COSTS
    assert found_spent.images == 20
    assert found_spent.share == pytest.approx(executed / 20 / (MUL + ADD))
    assert found_spent.alarms == pytest.approx(alarms / 20)
    assert 0 < found_spent.low < found_spent.share < found_spent.high
