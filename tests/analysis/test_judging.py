"""Plans judged in a fixed sequence: which steps are tried, and how often a plan is wrongly called met."""

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.stats import binom

from radhard.analysis.configurations import ConfigurationOutcome
from radhard.analysis.judging import ProtectionStep, downwards, judge
from radhard.analysis.noninferiority import Differences, upper_limit
from tests.support.choosing import step_of


def test_steps_are_judged_from_the_top_down_by_halves() -> None:
    assert downwards(top=20, chosen=4) == (20, 12, 8, 6, 5, 4, 3, 2, 1, 0)
    assert downwards(top=3, chosen=3) == (3, 2, 1, 0)
    assert downwards(top=0, chosen=0) == (0,)


def test_few_plans_called_met_are_not() -> None:
    """Simulated studies: ten steps whose true losses fall to just above or below the target, orders drawn anew.

    Images differ as models do: each loses an answer under a step if its own threshold is below the step's loss, so that
    steps agree where they do.
    """
    draw, target, studies = np.random.default_rng(5), 0.05, 300
    wrong = flattered = met = 0

    def high(lost: int) -> float:
        return upper_limit(Differences(lost=lost, gained=0, n=120))

    for _ in range(studies):
        truth = np.sort(draw.choice([0.08, 0.06, 0.052, 0.051, 0.04, 0.01], 6))[::-1]
        chose, judged = ((draw.random((120, 1)) < truth).sum(0).tolist() for _ in range(2))
        reached = [k for k in range(6) if high(chose[k]) <= target]
        flattered += bool(reached) and truth[reached[0]] > target
        candidate_ = reached[0] if reached else chose.index(min(chose))
        sequence = downwards(top=5 if reached else candidate_, chosen=candidate_)
        steps = [partial(measured_as, judged[k]) for k in sequence]
        made = judge(steps, loss=target, level=0.95)
        if made.verdict == "met":
            met += 1
            wrong += truth[sequence[made.place]] > target
    assert wrong <= binom.ppf(0.99, studies, 0.05)
    assert met > 50
    assert flattered > 0


def measured_as(lost: int) -> tuple[ProtectionStep, ConfigurationOutcome]:
    return counted(lost), counted(99).outcome


def counted(lost: int) -> ProtectionStep:
    """So many answers of 120 are lost."""
    found = step_of((), ranges=False, row=(lost / 120, 0.0))
    return replace(found, outcome=replace(found.outcome, differing=Differences(lost=int(lost), gained=0, n=120)))
