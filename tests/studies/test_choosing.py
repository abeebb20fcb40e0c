"""Algorithm 1: the step that is chosen, against slow readings of the rules."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from radhard.errors import InputError
from radhard.studies.choosing import Choice, Target
from tests.support.choosing import SITES, Row, chooser, names


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
    found = chooser(rows, target=Target(loss=0.0, overhead=0.0)).choose()
    assert (found.chosen.products, found.bound) == ((), "overhead")
    found = chooser(rows[:3], target=Target(loss=0.02, overhead=9.0)).choose()
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


@pytest.mark.parametrize("values", [{"loss": -0.1}, {"loss": 1.0}, {"overhead": -1.0}, {"loss": float("nan")}])
def test_a_target_is_of_shares(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match="shares from 0 on"):
        Target(**values)
