"""Algorithm 1: the order of products and the step that is chosen, against slow readings of the rules."""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from radhard.analysis.conditions import Condition, Outcome
from radhard.analysis.intervals import Interval
from radhard.analysis.ordering import Candidate, Grain, Ordering, executed, ordered
from radhard.analysis.overhead import Spent, Weights
from radhard.analysis.planning import Limits, Planned, Planner, Step
from radhard.campaign.bench import Bench
from radhard.campaign.execute import Progress
from radhard.campaign.executor import InProcess
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.faults import Faulty
from radhard.machine import Clean
from radhard.program import run
from radhard.protection import Hardening, Method, Protection, products_of, read_method
from radhard.words import Words
from tests.campaigns import setting
from tests.guarded import bench, plain
from tests.models import tiny_program
from tests.sweeps import point


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
        condition=Condition(name=f"{len(products)} {ranges}", setting=setting()),
        point=point(1e-7, 0.9 - loss),
        loss=Interval(rate=loss, low=loss - 0.1, high=loss + 0.1),
        gain=None,
        spent=None if not products and not ranges else spent,
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
class Tabled(Planner):
    """A planner whose steps are in a table by the number of products: without ranges, and with them."""

    without: tuple[Row, ...]
    also: tuple[Row, ...]
    surely_worse: frozenset[int] = frozenset()

    def _step(self, products: Any, *, ranges: bool) -> Step:
        row = (self.also if ranges else self.without)[len(products)]
        return step_of(tuple(products), ranges=ranges, row=row)

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


def planner(without: list[Row], also: list[Row] | None = None, **options: Any) -> Tabled:
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
    found = planner([(0.5, 0.0), (0.3, 0.02), (0.02, 0.05), (0.0, 0.07), (0.0, 0.09)]).plan()
    assert found.chosen.products == SITES[:2]
    assert (found.bound, found.remark) == ("accuracy", "")
    assert set(found.protection.schemes) == set(SITES[:2])
    assert len(found.frontier) == 5
    assert names(found.order) == " ".join(SITES)


def test_nothing_is_protected_that_need_not_be() -> None:
    found = planner([(0.01, 0.0), (0.0, 0.02)]).plan()
    assert found.chosen.products == ()
    assert found.bound == "accuracy"
    assert found.protection.sites == ()


def test_a_target_out_of_reach_names_what_was_in_the_way() -> None:
    rows = [(0.5, 0.0), (0.3, 0.02), (0.4, 0.05), (0.2, 0.2), (0.0, 0.3)]
    found = planner(rows).plan()
    assert (found.chosen.products, found.bound) == (SITES[:1], "overhead")
    found = planner(rows, limits=Limits(loss=0.0, overhead=0.0)).plan()
    assert (found.chosen.products, found.bound) == ((), "overhead")
    found = planner(rows[:3], limits=Limits(loss=0.02, overhead=9.0)).plan()
    assert (found.chosen.products, found.bound) == (SITES[:1], "products")


def test_what_is_needed_stops_where_algorithm_1_stops() -> None:
    reached = planner([(0.5, 0.0), (0.01, 0.02), (0.0, 0.05), (0.0, 0.07)], frontier="needed").plan()
    assert [step.products for step in reached.frontier] == [(), SITES[:1]]
    assert reached.bound == "accuracy"
    passed = planner([(0.5, 0.0), (0.3, 0.02), (0.2, 0.11), (0.0, 0.12)], frontier="needed").plan()
    assert [step.products for step in passed.frontier] == [(), SITES[:1], SITES[:2]]
    assert (passed.chosen.products, passed.bound) == (SITES[:1], "overhead")
    all_of_it = planner([(0.5, 0.0), (0.3, 0.02), (0.2, 0.03)], frontier="needed").plan()
    assert (all_of_it.chosen.products, all_of_it.bound) == (SITES[:2], "products")


@pytest.mark.parametrize("strategy", ["gain", "algorithm1"])
def test_by_layer_a_step_protects_all_products_of_one_more(strategy: Any) -> None:
    rows: list[Row] = [(0.5, 0.0), (9.0, 9.0), (0.3, 0.04), (9.0, 9.0), (0.01, 0.08)]
    found = planner(rows, strategy=strategy, grain="layer").plan()
    assert [set(step.products) for step in found.frontier] == [
        set(), {"blocks.0.attn.qkv", "blocks.0.mlp.fc1"}, set(SITES),
    ]  # fmt: skip
    assert found.bound == "accuracy"
    assert set(found.chosen.products) == set(SITES)


def test_ranges_come_last_and_replace_products_that_they_leave_no_room_for() -> None:
    without = [(0.5, 0.0), (0.3, 0.04), (0.01, 0.08)]
    found = planner(without, [(0.4, 0.03), (0.1, 0.07), (0.0, 0.09)]).plan()
    assert (found.chosen.products, found.chosen.ranges, found.bound) == (SITES[:2], True, "accuracy")
    assert set(found.protection.schemes) == {*SITES[:2], "norm"}
    found = planner(without, [(0.4, 0.03), (0.02, 0.07), (0.0, 0.12)]).plan()
    assert (found.chosen.products, found.chosen.ranges, found.bound) == (SITES[:1], True, "accuracy")


def test_ranges_are_left_out_where_they_undo_the_target() -> None:
    without = [(0.5, 0.0), (0.3, 0.04), (0.01, 0.08)]
    here = planner(without, [(0.4, 0.03), (0.1, 0.07), (0.05, 0.09)]).plan()
    assert (here.chosen.products, here.chosen.ranges, here.bound) == (SITES[:2], False, "accuracy")
    assert here.remark == "ranges lower the accuracy here, and were left out"
    assert "norm" not in here.protection.schemes
    room = planner(without, [(0.4, 0.03), (0.1, 0.07), (0.0, 0.12)]).plan()
    assert (room.chosen.products, room.chosen.ranges, room.bound) == (SITES[:2], False, "accuracy")
    assert room.remark == "ranges pass the overhead limit unless a product is given up, and were left out"


def test_ranges_that_no_room_is_left_for_were_bound_by_the_overhead() -> None:
    found = planner([(0.5, 0.0), (0.3, 0.04)], [(0.0, 0.11), (0.0, 0.15)]).plan()
    assert (found.chosen.products, found.chosen.ranges) == (SITES[:1], False)
    assert (found.bound, found.remark) == ("overhead", "ranges alone pass the overhead limit, and were left out")


def test_ranges_that_surely_do_harm_are_left_out() -> None:
    rows = [(0.5, 0.0), (0.3, 0.04)], [(0.6, 0.03), (0.35, 0.08)]
    found = planner(*rows, surely_worse=frozenset({1})).plan()
    assert (found.chosen.ranges, found.bound) == (False, "products")
    assert found.remark == "ranges lower the accuracy here, and were left out"
    unsure = planner(*rows).plan()
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
    without = [(without[0][0], 0.0), *without[1:]]
    found: Planned = planner(without, also, frontier=frontier, surely_worse=worse).plan()
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
    assert measured == list(range(last + 1))


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
    ordering = Ordering(
        bench=on, plain=plain(60.0), images=8, trials=1, store=store, executor=InProcess(bench=on), follow=follow
    )
    return Planner(
        ordering=ordering,
        hardening=on.hardening("int8", words=Words()),
        method=read_method("row-abft:margin=0.1"),
        weights=Weights(),
        **{"limits": Limits(loss=0.1, overhead=0.6), "grain": "layer", "chunk": 4, **options},
    )


def test_a_plan_of_the_tiny_vision_transformer(tmp_path: Path) -> None:
    small = replace(bench(), data=bench().data.take(torch.arange(8), name="noise"))  # there is nothing else to see
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
    within = [step for step in steps if step.overhead <= 0.6]
    reached = [step for step in within if step.outcome.loss.rate <= 0.1]
    if not found.chosen.ranges:
        expected = reached[0] if reached else max(within, key=lambda s: (s.outcome.point.accuracy, -s.overhead))
        assert found.chosen.products == expected.products
    assert found.chosen.overhead <= 0.6
    assert {name for name in found.protection.schemes if name in products} == set(found.chosen.products)
    assert len(found.protection.sites) > len(found.chosen.products) or not found.chosen.ranges


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
