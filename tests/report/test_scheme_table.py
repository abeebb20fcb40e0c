"""The table of schemes: a row each, costs that a count confirms, verdicts that follow from what a scheme can see."""

import re

import pytest
import torch

from radhard.machine import Clean, Counting, Shape, Site
from radhard.operators import Linear
from radhard.protection.forms import NoForm
from radhard.protection.planning.method import NONE, Method, methods
from radhard.protection.protected import Protected
from radhard.report.scheme_table import BERS, COSTED, FAULTS, SchemeRow, option_table, scheme_rows, scheme_table
from radhard.words import Words


@pytest.fixture(scope="module")
def rows() -> dict[str, SchemeRow]:
    return {row.name: row for row in scheme_rows()}


def test_every_scheme_has_its_row(rows: dict[str, SchemeRow]) -> None:
    assert [*rows] == [name for name in methods() if name != NONE]
    text = scheme_table(tuple(rows.values()))
    for name, row in rows.items():
        assert len(re.findall(rf"^\| `{name}` \|", text, re.MULTILINE)) == 2
        assert row.about in text
        assert set(row.verdicts) == set(FAULTS)


def test_verdicts_follow_from_what_a_scheme_sees(rows: dict[str, SchemeRow]) -> None:
    # a vote outvotes any transient fault, and copies on one broken cell agree on what is wrong
    for fault in ("one word", "words of a row", "words of a column", "a tile of words", "two that cancel"):
        assert rows["tmr"].verdicts[fault] == "corrected"
    assert rows["tmr"].verdicts["stuck multiplier"] == "SDC"
    # sums modulo 2^32 do not see two sign bits of a row; full checksums have column sums, too
    for name in ("standard-abft", "lb-abft", "row-abft", "row-check"):
        assert rows[name].verdicts["two that cancel"] == "SDC"
        assert rows[name].verdicts["one word"] == "corrected"
    assert rows["huang-abraham"].verdicts["two that cancel"] == "DUE"
    # one correction a product: several words are found and left
    assert rows["standard-abft"].verdicts["a tile of words"] == "DUE"
    assert rows["row-check"].verdicts["a tile of words"] == "corrected"
    assert set(rows["float-abft"].verdicts.values()) == {None}


def test_the_cost_of_a_vote_is_counted() -> None:
    shape, site = Shape(m=6, k=10, n=8, bias=True), Site(name="p", operator="linear", batch_axis=0)
    x, w = torch.ones(1, 6, 10, dtype=torch.int8), torch.ones(8, 10, dtype=torch.int8)
    counting = Counting(Clean())
    scheme = Method.of("tmr").scheme_of(shape, ber=1e-9, words=Words())
    assert scheme is not None
    Protected(counting, {"p": scheme}).apply(Linear(), (x, w, torch.zeros(8, dtype=torch.int32)), site)
    runs = [cost for site, cost in counting.costs.items() if cost.operations("mul")]
    assert len(runs) == 3
    expected = scheme.expected(shape, ber=1e-9, words=Words())
    assert expected is not None
    assert expected.total.arithmetic == 2 * (runs[0].operations("mul") + runs[0].operations("add"))


def test_costs_grow_with_the_rate_and_are_shares(rows: dict[str, SchemeRow]) -> None:
    assert rows["tmr"].costs[BERS[0]] == pytest.approx(2)
    for row in rows.values():
        known = [cost for cost in row.costs.values() if cost is not None]
        assert known == sorted(known)
        assert all(cost > 0 for cost in known)
    # standard ABFT where nothing is hit, by hand: the output summed, the columns of A summed, one dot product of sums
    scheme = Method.of("standard-abft").scheme_of(COSTED, ber=0.0, words=Words())
    assert scheme is not None
    expected = scheme.expected(COSTED, ber=0.0, words=Words())
    assert expected is not None
    m, k, n = COSTED.m, COSTED.k, COSTED.n
    assert expected.total.arithmetic == pytest.approx(m * n + m * k + 2 * k, rel=0.01)


def test_a_scheme_without_a_form_says_why(rows: dict[str, SchemeRow]) -> None:
    for name, row in rows.items():
        found = Method.of(name).scheme_of(COSTED, ber=BERS[0], words=Words())
        assert found is not None
        if isinstance(found.deployed, NoForm):
            assert row.deployed == f"no: {found.deployed.reason}"
        else:
            assert re.fullmatch(r"(row|block) check|vote", row.deployed)


def test_options_are_those_that_are_read() -> None:
    text = option_table(("tmr",))
    assert "| `tmr` | `vote` | word, **bitwise** |" in text
    assert Method.of("tmr")["vote"] == "bitwise"
