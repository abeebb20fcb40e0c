"""Algorithm 1: the order of products and the step that is chosen, against slow readings of the rules."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import binom

from radhard.analysis.choosing import Choice, Chooser, Limits
from radhard.analysis.configurations import Configuration, Outcome
from radhard.analysis.intervals import Interval
from radhard.analysis.judging import Step, downwards, judge
from radhard.analysis.noninferiority import Differences, upper_limit
from radhard.analysis.ordering import Candidate, Grain, Ordering, executed, ordered
from radhard.analysis.overhead import Spent, Weights
from radhard.campaign.bench import Bench, shared
from radhard.campaign.execute import Progress
from radhard.campaign.executor import InProcess
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.faults import Faulty
from radhard.machine import Clean
from radhard.program import run
from radhard.protection import Hardening, Method, Protection, products_of, read_method
from radhard.studies.planning import Planner
from radhard.words import Words
from tests.support.campaigns import setting
from tests.support.guarded import bench, plain
from tests.support.models import tiny_program
from tests.support.outcomes import losing
from tests.support.sweeps import point


def candidate(
    site: str, layer: str, factor: float, *, of_layer: float = 0.0, operations: float = 1e6, low: float = -1.0
) -> Candidate:
    return Candidate(
        site=site, layer=layer, factor=Interval(rate=factor, low=low, high=1.0), layer_factor=of_layer,
        operations=operations,
    )  # fmt: skip


def names(candidates: Iterable[Candidate]) -> str:
    return " ".join(c.site for c in candidates)


# --- the order ---


def test_algorithm_1_goes_layer_by_layer_and_within_each_by_factor() -> None:
    found = ordered(
        [
            candidate("a1", "a", 0.9, of_layer=0.1),
            candidate("b1", "b", 0.01, of_layer=0.5),
            candidate("b2", "b", 0.3, of_layer=0.5),
            candidate("c1", "c", 0.2, of_layer=0.2),
            candidate("b3", "b", 0.01, of_layer=0.5),
            candidate("a2", "a", 0.95, of_layer=0.1),
        ],
        "algorithm1",
    )
    assert names(found) == "b2 b1 b3 c1 a2 a1"


def test_equal_layers_stay_together_and_as_in_the_program() -> None:
    layers = [f"blocks.{k}" for k in (0, 2, 10, 11)]
    found = ordered(
        [candidate(f"{layer}.{x}", layer, factor) for layer in layers for x, factor in (("q", 0.1), ("p", 0.2))],
        "algorithm1",
    )
    assert [c.layer for c in found] == [layer for layer in layers for _ in "qp"]
    assert [c.site[-1] for c in found] == list("pqpqpqpq")


def test_gain_is_accuracy_for_each_operation_and_sure_ones_come_first() -> None:
    found = ordered(
        [
            candidate("unsure", "a", 0.5, operations=1e3),
            candidate("dear", "a", 0.4, low=0.2, operations=1e6),
            candidate("cheap", "b", 0.1, low=0.05, operations=1e4),
            candidate("nothing", "b", 0.0, operations=1e4),
            candidate("unsure too", "b", 0.5, operations=1e4),
            candidate("harm", "b", -0.1, operations=1e4),
        ],
        "gain",
    )
    assert names(found) == "cheap dear unsure unsure too nothing harm"


# --- the choice ---

Row = tuple[float, float]  # loss, overhead


def step_of(products: tuple[str, ...], *, ranges: bool, row: Row) -> Step:
    loss, overhead = row
    spent = Spent(
        mul=0, add=0, cmp=0, hidden=0, own_mul=1, own_add=1, share=overhead, low=0, high=1, alarms=0, repaired=0,
        recomputed=0, left=0, residual=0, images=1,
    )  # fmt: skip
    outcome = Outcome(
        configuration=Configuration(name=f"{len(products)} {ranges}", setting=setting()),
        point=point(1e-7, 0.9 - loss),
        loss=Interval(rate=loss, low=loss - 0.1, high=loss + 0.1),
        gain=None,
        spent=None if not products and not ranges else spent,
        differing=losing(loss, 1000),
    )
    return Step(products=products, ranges=ranges, outcome=outcome)


@dataclass(frozen=True, kw_only=True)
class Given:
    """Stands for an ordering whose candidates are known."""

    order: tuple[Candidate, ...]

    @property
    def plain(self) -> Any:
        return setting(1e-7)

    def candidates(self, linear: Mapping[str, Any], *, weights: Weights, grain: Grain) -> tuple[Candidate, ...]:
        assert weights == Weights()
        assert grain in ("site", "layer")
        return tuple(c for c in self.order if c.site in linear)


@dataclass(frozen=True, kw_only=True)
class Tabled(Chooser):
    """A chooser whose steps are in a table by the number of products: without ranges, and with them.

    A row says by how much the limit of the loss is, and the overhead.
    """

    without: tuple[Row, ...]
    also: tuple[Row, ...]
    surely_worse: frozenset[int] = frozenset()

    def step(self, products: Any, *, ranges: bool) -> Step:
        row = (self.also if ranges else self.without)[len(products)]
        return step_of(tuple(products), ranges=ranges, row=row)

    def _limit(self, step: Step) -> float:
        return step.outcome.loss.rate

    def _foreseen(self, products: Any, *, chosen: Step, order: Any) -> float:
        assert chosen.products != products
        assert len(order) >= len(products)
        return 0.0

    def _gain(self, step: Step, *, over: Step) -> Interval:
        assert step.products == over.products
        assert (step.ranges, over.ranges) == (True, False)
        worse = len(step.products) in self.surely_worse
        return Interval(rate=-0.1, low=-0.2, high=-0.01 if worse else 0.01)


def hardening() -> Hardening:
    program = tiny_program("int8")
    limits = {"norm": (-1.0, 1.0)}
    return Hardening(program=program, products=products_of(program), limits=limits, words=Words())


HARD = hardening()
SITES = ("blocks.0.attn.qkv", "blocks.1.attn.qkv", "blocks.0.mlp.fc1", "blocks.1.mlp.fc1")
LAYERS = ("blocks.0", "blocks.1", "blocks.0", "blocks.1")


def chooser(without: list[Row], also: list[Row] | None = None, **options: Any) -> Tabled:
    """Four products at most, in the order of SITES when each is as good as its place (gain)."""
    count = len(without) - 1
    order = tuple(
        candidate(site, layer, 0.9 - 0.1 * k, low=0.8 - 0.1 * k)
        for k, (site, layer) in enumerate(zip(SITES[:count], LAYERS, strict=False))
    )
    method = Method(scheme="standard-abft", ranges="none" if also is None else "observed")
    return Tabled(
        ordering=Given(order=order),  # type: ignore[arg-type]
        hardening=HARD,
        method=method,
        without=tuple(without),
        also=tuple(also or ()),
        weights=Weights(),
        **{"strategy": "gain", "limits": Limits(loss=0.02, overhead=0.1), **options},
    )


def test_the_first_step_that_reaches_the_target_is_chosen() -> None:
    found = chooser([(0.5, 0.0), (0.3, 0.02), (0.02, 0.05), (0.0, 0.07), (0.0, 0.09)]).choose()
    assert found.chosen.products == SITES[:2]
    assert (found.bound, found.remark) == ("accuracy", "")
    assert found.reached
    assert (found.place, found.top) == (2, 4)
    assert len(found.frontier) == 5
    assert names(found.order) == " ".join(SITES)


def test_a_target_out_of_reach_names_what_was_in_the_way() -> None:
    rows = [(0.5, 0.0), (0.3, 0.02), (0.4, 0.05), (0.2, 0.2), (0.0, 0.3)]
    found = chooser(rows).choose()
    assert (found.chosen.products, found.bound) == (SITES[:1], "overhead")
    found = chooser(rows, limits=Limits(loss=0.0, overhead=0.0)).choose()
    assert (found.chosen.products, found.bound) == ((), "overhead")
    found = chooser(rows[:3], limits=Limits(loss=0.02, overhead=9.0)).choose()
    assert (found.chosen.products, found.bound) == (SITES[:1], "products")


def test_what_is_needed_stops_where_algorithm_1_stops() -> None:
    reached = chooser([(0.5, 0.0), (0.01, 0.02), (0.0, 0.05), (0.0, 0.07)], frontier="needed").choose()
    assert [step.products for step in reached.frontier] == [(), SITES[:1], SITES[:3]]  # and the most that can be judged
    assert reached.bound == "accuracy"
    passed = chooser([(0.5, 0.0), (0.3, 0.02), (0.2, 0.11), (0.0, 0.12)], frontier="needed").choose()
    assert [step.products for step in passed.frontier[:3]] == [(), SITES[:1], SITES[:2]]
    assert (passed.chosen.products, passed.bound) == (SITES[:1], "overhead")
    all_of_it = chooser([(0.5, 0.0), (0.3, 0.02), (0.2, 0.03)], frontier="needed").choose()
    assert (all_of_it.chosen.products, all_of_it.bound) == (SITES[:2], "products")


@pytest.mark.parametrize("strategy", ["gain", "algorithm1"])
def test_by_layer_a_step_protects_all_products_of_one_more(strategy: Any) -> None:
    rows: list[Row] = [(0.5, 0.0), (9.0, 9.0), (0.3, 0.04), (9.0, 9.0), (0.01, 0.08)]
    found = chooser(rows, strategy=strategy, grain="layer").choose()
    assert [set(step.products) for step in found.frontier] == [
        set(), {"blocks.0.attn.qkv", "blocks.0.mlp.fc1"}, set(SITES),
    ]  # fmt: skip
    assert found.bound == "accuracy"
    assert set(found.chosen.products) == set(SITES)


def test_ranges_come_last_and_replace_products_that_they_leave_no_room_for() -> None:
    without = [(0.5, 0.0), (0.3, 0.04), (0.01, 0.08)]
    found = chooser(without, [(0.4, 0.03), (0.1, 0.07), (0.0, 0.09)]).choose()
    assert (found.chosen.products, found.chosen.ranges, found.bound) == (SITES[:2], True, "accuracy")
    found = chooser(without, [(0.4, 0.03), (0.02, 0.07), (0.0, 0.12)]).choose()
    assert (found.chosen.products, found.chosen.ranges, found.bound) == (SITES[:1], True, "accuracy")


def test_ranges_are_left_out_where_they_undo_the_target() -> None:
    without = [(0.5, 0.0), (0.3, 0.04), (0.01, 0.08)]
    here = chooser(without, [(0.4, 0.03), (0.1, 0.07), (0.05, 0.09)]).choose()
    assert (here.chosen.products, here.chosen.ranges, here.bound) == (SITES[:2], False, "accuracy")
    assert here.remark == "ranges lower the accuracy here, and were left out"
    room = chooser(without, [(0.4, 0.03), (0.1, 0.07), (0.0, 0.12)]).choose()
    assert (room.chosen.products, room.chosen.ranges, room.bound) == (SITES[:2], False, "accuracy")
    assert room.remark == "ranges pass the overhead limit unless a product is given up, and were left out"


def test_ranges_that_no_room_is_left_for_were_bound_by_the_overhead() -> None:
    found = chooser([(0.5, 0.0), (0.3, 0.04)], [(0.0, 0.11), (0.0, 0.15)]).choose()
    assert (found.chosen.products, found.chosen.ranges) == (SITES[:1], False)
    assert (found.bound, found.remark) == ("overhead", "ranges alone pass the overhead limit, and were left out")


def test_ranges_that_surely_do_harm_are_left_out() -> None:
    rows = [(0.5, 0.0), (0.3, 0.04)], [(0.6, 0.03), (0.35, 0.08)]
    found = chooser(*rows, surely_worse=frozenset({1})).choose()
    assert (found.chosen.ranges, found.bound) == (False, "products")
    assert found.remark == "ranges lower the accuracy here, and were left out"
    unsure = chooser(*rows).choose()
    assert (unsure.chosen.ranges, unsure.bound, unsure.remark) == (True, "products", "")


rates = st.sampled_from([0.0, 0.01, 0.02, 0.03, 0.2, 0.3])
costs = st.sampled_from([0.0, 0.02, 0.05, 0.099, 0.1, 0.101, 0.3])
tables = st.integers(1, 5).flatmap(
    lambda n: st.tuples(*[st.lists(st.tuples(rates, costs), min_size=n, max_size=n)] * 2)
)


@given(tables, st.sampled_from(["whole", "needed"]), st.frozensets(st.integers(0, 4)))
@hypothesis_settings(max_examples=300, deadline=None)
def test_whatever_the_measurements_a_plan_keeps_its_word(
    table: tuple[list[Row], list[Row]], frontier: Any, worse: frozenset[int]
) -> None:
    without, also = table
    without = [(max(without[0][0], 0.03), 0.0), *without[1:]]  # that nothing needs protecting is judged before
    found: Choice = chooser(without, also, frontier=frontier, surely_worse=worse).choose()
    count = len(found.chosen.products)
    loss, overhead = (also if found.chosen.ranges else without)[count]
    assert overhead <= 0.1
    assert (found.bound == "accuracy") == (loss <= 0.02)

    last = len(without) - 1  # the last step that Algorithm 1 takes
    if frontier == "needed":
        stops = [k for k, row in enumerate(without) if row[0] <= 0.02 or row[1] > 0.1]
        last = min([last, *stops])
    within = [k for k in range(last + 1) if without[k][1] <= 0.1]
    reached = [k for k in within if without[k][0] <= 0.02]
    best = reached[0] if reached else min(within, key=lambda k: (without[k][0], without[k][1], k))
    if reached:
        assert found.bound == "accuracy"
    room = [k for k in range(best, -1, -1) if also[k][1] <= 0.1]
    if not found.chosen.ranges:
        assert count == best
        assert found.remark
        if room:
            assert also[room[0]][0] > 0.02  # ranges that reach the target within the limit are never left out
    else:
        assert count == room[0]
        assert count == best or loss <= 0.02 or loss <= without[best][0]
        assert not (loss > 0.02 and count in worse)
    if found.bound == "products":
        assert not found.chosen.ranges or count == best
        assert all(without[k][1] <= 0.1 for k in range(last + 1))
        assert also[best][1] <= 0.1
    measured = [len(step.products) for step in found.frontier if not step.ranges]
    assert measured[: last + 1] == list(range(last + 1))
    extra = measured[last + 1 :]  # those that were tried as the most protected step to judge
    assert all(k > last for k in extra)
    table_of = also if found.chosen.ranges else without
    assert table_of[found.top][1] <= 0.1
    assert found.top == max(k for k in range(count, len(without)) if k == count or table_of[k][1] <= 0.1)


# --- the judgement ---


@dataclass(frozen=True, kw_only=True)
class Judged(Tabled):
    """Also has what the other images say: lost answers of 1,000 by the number of products; gained ones: a tenth."""

    others: tuple[int, ...] = ()

    def measured(self, products: Any, *, ranges: bool, on: Any, told: str = "") -> tuple[Step, Outcome]:
        assert on is JUDGES
        assert told == "judging: "
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


def measured_as(lost: int) -> tuple[Step, Outcome]:
    return counted(lost), counted(99).outcome


def counted(lost: int) -> Step:
    """So many answers of 120 are lost."""
    found = step_of((), ranges=False, row=(lost / 120, 0.0))
    return replace(found, outcome=replace(found.outcome, differing=Differences(lost=int(lost), gained=0, n=120)))


@pytest.mark.parametrize("values", [{"loss": -0.1}, {"loss": 1.0}, {"overhead": -1.0}, {"loss": float("nan")}])
def test_limits_are_shares(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match="shares from 0 on"):
        Limits(**values)


# --- a real plan ---


def follow(progress: Iterable[Progress], name: str) -> None:
    assert name
    for _ in progress:
        pass


def real(store: Store, on: Bench, **options: Any) -> Planner:
    def ordering(bench: Bench) -> Ordering:
        one = replace(plain(60.0), data=bench.data.name, data_digest=bench.data.digest)
        return Ordering(
            bench=bench, plain=one, images=8, trials=1, store=store, executor=InProcess(bench=bench), follow=follow
        )

    choosers, judges = shared(on, 8, 8)
    chooser = Chooser(
        ordering=ordering(choosers),
        hardening=on.hardening("int8", words=Words()),
        method=read_method("row-abft:margin=0.1"),
        weights=Weights(),
        **{"limits": Limits(loss=0.2, overhead=0.6), "grain": "layer", "chunk": 4, **options},
    )
    return Planner(chooser=chooser, judging=ordering(judges))


def test_a_plan_of_the_tiny_vision_transformer(tmp_path: Path) -> None:
    small = replace(bench(), data=bench().data.take(torch.arange(16), name="noise"))  # there is nothing else to see
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


def test_a_copy_of_an_image_that_chooses_does_not_judge() -> None:
    places = torch.tensor([0, 1, 2, 0, 3, 2, 4, 5])
    twice = bench().data.take(places, name="twice")
    twice = replace(twice, ids=torch.arange(100, 108))
    choosers, judges = shared(replace(bench(), data=twice), 3, 2)
    assert choosers.data.ids.tolist() == [100, 101, 102]
    assert judges.data.ids.tolist() == [104, 106]
    assert judges.data.name == "twice, from image 4 on, without copies of those before"
    with pytest.raises(InputError, match=r"has 8 images \(2 of them copies of those that choose\), 3 .* and 4 that"):
        shared(replace(bench(), data=twice), 3, 4)
    assert shared(replace(bench(), data=twice.take(torch.tensor([0, 1, 2, 4]), name="x")), 3, 1)[1].data.name == (
        "x, from image 4 on"
    )


def test_operations_are_those_of_the_images_that_plan() -> None:
    program = bench().programs["int8"]
    schemes = HARD.linear(Method(), ber=plain().ber)
    weights = Weights(mul=2.0, add=1.0, cmp=0.5)
    found = executed(bench(), plain(), Protection.of(schemes), images=3, weights=weights)
    expected = dict.fromkeys(schemes, 0.0)
    for image in range(3):
        ids = torch.tensor([image])
        machine = Protection.of(schemes).on(Faulty(Clean(), plain().faults(0)))
        run(program, bench().images(ids), machine, ids=ids)
        for name, account in machine.accounts.items():
            expected[name] += (2 * account.executed.mul + account.executed.add + account.executed.cmp / 2) / 3
    assert found == pytest.approx(expected)
