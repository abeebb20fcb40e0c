"""Plans: what is chosen on some images and judged on others."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch

from radhard.analysis.configurations import ConfigurationOutcome
from radhard.analysis.judging import ProtectionStep
from radhard.analysis.overhead import Weights
from radhard.campaign.execute import Progress
from radhard.campaign.executor import InProcess
from radhard.campaign.model_under_test import ModelUnderTest, shared
from radhard.campaign.store import Store
from radhard.deploy.harden import harden
from radhard.errors import InputError
from radhard.machine import Clean
from radhard.program import run
from radhard.protection import products_of, read_method, read_plan, write_plan
from radhard.studies.choosing import Chooser, Target
from radhard.studies.options import PlanOptions, RunOptions
from radhard.studies.ordering import Ordering
from radhard.studies.planner import Planner
from radhard.studies.planning import plan
from radhard.studies.under_test import under_test
from radhard.words import Words
from tests.support.choosing import SITES, Row, Tabled, chooser, step_of
from tests.support.guarded import model_under_test, plain
from tests.support.planned import data, planned
from tests.support.verbs import network


@dataclass(frozen=True, kw_only=True)
class Judged(Tabled):
    """Also has what the other images say: lost answers of 1,000 by the number of products; gained ones: a tenth."""

    others: tuple[int, ...] = ()

    def measured(
        self, products: Any, *, ranges: bool, on: Any, stage: str = ""
    ) -> tuple[ProtectionStep, ConfigurationOutcome]:
        assert on is JUDGES
        assert stage == "judging: "
        step = step_of(tuple(products), ranges=ranges, row=(self.others[len(products)] / 1000, 0.05))
        return step, step_of((), ranges=False, row=(self.others[0] / 1000, 0.0)).outcome


JUDGES: Any = object()


def planner(without: list[Row], others: list[int], **options: Any) -> Planner:
    found = chooser(without, **options)
    return Planner(chooser=Judged(**vars(found), others=tuple(others)), judging=JUDGES)


def numbers(found: Any) -> list[int]:
    return [len(step.products) for step in found.judgement.tested]


def test_the_plan_is_the_last_step_that_is_surely_within_the_target() -> None:
    """Of 1,000 answers 11 lost have a limit of 1.8 points, 14 one of 2.1: 2 points are met and not."""
    rows: list[Row] = [(0.5, 0.0), (0.3, 0.02), (0.019, 0.05), (0.0, 0.07), (0.0, 0.09)]
    found = planner(rows, [500, 300, 14, 11, 0]).plan()
    assert numbers(found) == [4, 3, 2]
    assert (found.chosen.products, found.judgement.verdict, found.bound) == (SITES[:3], "met", "accuracy")
    assert set(found.protection.schemes) == set(SITES[:3])
    further = planner(rows, [500, 9, 10, 11, 0]).plan()
    assert numbers(further) == [4, 3, 2, 1, 0]
    assert (further.chosen.products, further.judgement.verdict) == (SITES[:1], "met")


def test_a_plan_that_is_not_surely_within_the_target_says_so() -> None:
    rows: list[Row] = [(0.5, 0.0), (0.3, 0.02), (0.019, 0.05), (0.0, 0.07)]
    unsure = planner(rows, [500, 300, 30, 15]).plan()
    assert numbers(unsure) == [3]
    assert (unsure.chosen.products, unsure.judgement.verdict, unsure.bound) == (SITES[:3], "cannot tell", "products")
    assert 1000 < unsure.judgement.needed < 5000
    beyond = planner(rows, [500, 300, 30, 40]).plan()
    assert (beyond.judgement.verdict, beyond.judgement.needed) == ("not met", math.inf)


def test_without_a_candidate_the_most_protected_step_is_judged_first() -> None:
    """By luck the first step looked best on those that choose: it is not what is judged alone."""
    lucky = planner([(0.5, 0.0), (0.1, 0.02), (0.2, 0.05), (0.15, 0.08)], [500, 300, 9, 5]).plan()
    assert numbers(lucky) == [3, 2, 1]
    assert (lucky.chosen.products, lucky.judgement.verdict) == (SITES[:2], "met")


def test_a_step_that_is_not_met_ends_with_what_was_in_the_way() -> None:
    rows: list[Row] = [(0.5, 0.0), (0.3, 0.02), (0.2, 0.05), (0.0, 0.3)]
    found = planner(rows, [500, 300, 300, 0]).plan()
    assert numbers(found) == [2]
    assert (found.chosen.products, found.judgement.verdict, found.bound) == (SITES[:2], "not met", "overhead")


def test_nothing_is_protected_that_need_not_be() -> None:
    found = planner([(0.01, 0.0), (0.0, 0.02)], [5, 0]).plan()
    assert (found.chosen.products, found.judgement.verdict, found.bound) == ((), "met", "accuracy")
    assert found.protection.sites == ()
    assert found.order == ()  # and no factor was measured
    assert (found.judgement.looks, found.judgement.limit.level) == (2, pytest.approx(0.975))


def test_two_looks_share_the_error() -> None:
    found = planner([(0.01, 0.0), (0.0, 0.02), (0.0, 0.03)], [100, 90, 5]).plan()
    assert numbers(found) == [2, 1]  # the model as it is had its look before
    assert (found.chosen.products, found.judgement.verdict) == (SITES[:2], "met")
    assert found.judgement.limit.level == pytest.approx(0.975)
    nothing_fits = planner([(0.01, 0.0), (0.0, 0.2)], [100, 0]).plan()
    assert (nothing_fits.chosen.products, nothing_fits.judgement.verdict) == ((), "not met")


# --- a real plan ---


def follow(progress: Iterable[Progress], name: str) -> None:
    assert name
    for _ in progress:
        pass


def real(store: Store, on: ModelUnderTest, **options: Any) -> Planner:
    def ordering(model_under_test: ModelUnderTest) -> Ordering:
        one = replace(plain(60.0), data=model_under_test.data.name, data_digest=model_under_test.data.digest)
        return Ordering(
            model_under_test=model_under_test,
            plain=one,
            images=8,
            trials=1,
            store=store,
            executor=InProcess(model_under_test=model_under_test),
            follow=follow,
        )

    choosers, judges = shared(on, 8, 8)
    chooser = Chooser(
        ordering=ordering(choosers),
        protectable=on.protectable("int8", words=Words()),
        method=read_method("row-abft:margin=0.1"),
        weights=Weights(),
        **{"target": Target(loss=0.2, overhead=0.6), "grain": "layer", "chunk": 4, **options},
    )
    return Planner(chooser=chooser, judging=ordering(judges))


def test_a_plan_of_the_tiny_vision_transformer(tmp_path: Path) -> None:
    small = replace(
        model_under_test(), data=model_under_test().data.take(torch.arange(16), name="noise")
    )  # there is nothing else to see
    with Store(tmp_path / "run.db") as store:
        found = real(store, small).plan()
        again = real(store, small).plan()
    assert again == found
    products = set(products_of(small.programs["int8"]).found)
    layers = {site.name: site.layer for site in small.programs["int8"].costs}
    assert {c.site for c in found.order} == products
    of_layer = list(dict.fromkeys(layers[c.site] for c in found.order))
    steps = [step for step in found.frontier if not step.ranges]
    for number, step in enumerate(steps):
        assert set(step.products) == {name for name in products if layers[name] in of_layer[:number]}
        assert step.outcome.point.n == 8
    shares = [step.overhead for step in steps]
    assert shares[0] == 0.0
    assert all(a < b for a, b in itertools.pairwise(shares))
    assert found.judgement.step is found.chosen
    assert found.chosen.outcome.configuration.setting.data == "noise, from image 9 on"
    assert found.chosen.overhead <= 0.65  # as measured on those that chose, within 0.6
    assert {name for name in found.protection.schemes if name in products} == set(found.chosen.products)
    assert len(found.protection.sites) > len(found.chosen.products) or not found.chosen.ranges


# --- the verb ---


def test_the_verb_plans_a_module_on_tensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = planned()
    made = found.plan
    assert made.chosen_on.images == made.judged.images == 60
    assert len(set(made.chosen_on.fingerprints)) == 120
    assert made.expected.overhead is None or made.expected.overhead.share <= 0.95
    assert len(found.rows()) == len(made.frontier)
    assert sum(row["chosen"] == 1 for row in found.rows()) <= 1
    write_plan(made, tmp_path / "plan.json")
    assert found.to_dict()["plan"] == read_plan(tmp_path / "plan.json").as_dict()
    assert repr(found).startswith(f"<Planned: Sequential at BER 2e-05, {len(made.protection.sites)} site")
    assert made.verdict in found._repr_html_()
    found.plot(tmp_path / "x.svg")
    axes = plt.figure().subplots()
    found.plot(axes)
    assert axes.get_ylabel() == "accuracy under faults"
    assert capsys.readouterr() == ("", "")


def test_what_was_planned_is_hardened_and_answers_as_evaluated() -> None:
    made, (images, _) = planned().plan, data()
    program = under_test(network(), data()).programs["int8"]
    hardened = harden(program, made)
    expected = run(program, images[:7], made.protection.on(Clean())).logits
    assert torch.equal(hardened(images[:7]), expected)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"ber": 0.0}, "ber 0: nothing flips, and nothing needs protection"),
        ({"ber": 2.0}, "ber 2: it is no probability"),
        ({"plan_options": PlanOptions(level=50.0)}, "level 50: give the confidence in percent, above 50"),
        ({"plan_options": PlanOptions(max_overhead=-1.0)}, "max_overhead -1: give percent from 0 on"),
        ({"plan_options": PlanOptions(scheme="luck")}, "scheme 'luck' is not known"),
        ({"run": RunOptions(images=300)}, "320 of 400 images, order 0, from the end has 320: ask for fewer"),
    ],
)
def test_the_verb_refuses_what_cannot_be_meant(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        plan(network(), data(), **{"ber": 1e-6, **options})
