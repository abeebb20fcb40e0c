"""What results/*.md quote is what the data beside them say; some of it counted a second time, from the CSV files."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from benchmarks.claims import options, protection, vulnerability
from benchmarks.claims.__main__ import BLOCK, BLOCKS, block, files, stale
from benchmarks.claims.data import RESULTS, between, listed, points, points_of, rate


def rows(name: str) -> list[dict[str, str]]:
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_no_block_is_stale(path: Path) -> None:
    assert stale(path) == [], "python -m benchmarks.claims writes them"


def test_every_block_is_somewhere() -> None:
    found = [name for path in files() for name in re.findall(r"<!-- claims: (.*?) -->", path.read_text())]
    assert sorted(found) == sorted(BLOCKS)
    for path in files():
        text = path.read_text()
        assert text.count("<!-- claims: ") == text.count("<!-- claims end -->") == len(BLOCK.findall(text))


def test_a_changed_number_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text(f"before\n\n{block('frontier').replace('87.3 %', '87.4 %')}\n\nafter\n")
    assert stale(path) == ["frontier"]
    path.write_text(f"before\n\n{block('frontier')}\n\nafter\n")
    assert stale(path) == []


def test_how_many_plans_held_by_the_csv() -> None:
    held = dict.fromkeys(("surely", "surely not", "by the estimate", "claimed"), 0)
    for path in (RESULTS / "plans").glob("*.json"):
        plan = json.loads(path.read_text())
        if plan["bound"] != "accuracy":
            continue
        held["claimed"] += 1
        found = [r for r in rows("zoo-evaluate") if r["model"] == plan["model"] and float(r["ber"]) == plan["ber"]]
        last = [r for r in found if r["condition"] != "unprotected"][-1]  # parts first, then all
        held["by the estimate"] += float(last["loss_rate"]) <= 0.02
        held["surely"] += float(last["loss_high"]) <= 0.02
        held["surely not"] += float(last["loss_low"]) > 0.02
    assert held == {"surely": 6, "surely not": 1, "by the estimate": 11, "claimed": 18}
    text = protection.plans_held()
    assert "18 of the 24 plans" in text
    assert "11 of these lose at most 2 points by the estimate and 7 lose more" in text
    assert "6 surely held, 1 surely did not, and of 11 these images cannot tell" in text


def test_the_spread_of_factors_by_the_csv() -> None:
    for model, expected in (("fashion-vit", 8.3), ("fashion-cait", 3.3), ("fashion-resnet18", 2.7)):
        found = [r for r in rows("zoo-blocks") if r["model"] == model and float(r["loss"]) == 0.3]
        factor = np.array([float(r["factor"]) for r in found])
        error = np.array([(float(r["high"]) - float(r["low"])) / 2 / 1.96 for r in found])
        own = 100 * math.sqrt(factor.var(ddof=1) - (error**2).mean())
        told = vulnerability.spread(vulnerability.at_loss("zoo-blocks", model))
        assert told == pytest.approx(own, abs=0.01)
        assert round(told, 1) == expected


def test_claims_that_the_data_do_not_bear_are_not_called_reproduced() -> None:
    verdicts = dict(re.findall(r"^\| (\d+[a-c]?)\. .*?\| \*\*(.*?)\*\* \|", _claims(), re.MULTILINE))
    assert verdicts["3"] == "mixed"
    assert verdicts["4b"] == "cannot tell"
    assert verdicts["5"] == "cannot tell"  # the second of the two, on faults in all operations
    assert verdicts["10a"].endswith("as accurate: cannot tell")
    assert "with recomputation" in verdicts["8"]


def _claims() -> str:
    return "\n".join((vulnerability.judged(), protection.judged()))


def test_equivalence_needs_both_one_sided_tests() -> None:
    def row(loss: float, half: float) -> dict[str, dict[str, float]]:
        return {"loss": {"rate": loss, "low": loss - half, "high": loss + half}}

    assert protection.equivalent(row(0.01, 0.005), row(0.01, 0.005), margin=0.02)
    assert not protection.equivalent(row(0.01, 0.02), row(0.01, 0.02), margin=0.02)  # not told apart is not equal
    assert not protection.equivalent(row(0.0, 0.001), row(0.03, 0.001), margin=0.02)


def test_blocks_given_up_are_not_wrong_words() -> None:
    found = {r["condition"]: r for r in rows("vit-options") if float(r["ber"]) > 0}
    leave, immune = found["lb-abft:policy=leave"], found["lb-abft:policy=leave:checks=immune"]
    text = " ".join(options.options().split())
    for row in (leave, immune):
        assert f"{float(row['overhead_left']):,.0f}" in text
        assert f"{float(row['overhead_residual']):,.0f}" in text
    assert "1,081 blocks an image are given up" in text
    assert "of wrong words 2,074 and 1,575 are left, 24% fewer" in text


def test_two_points_take_what_the_frontier_says() -> None:
    for strategy, expected in (("gain", "3.71 %"), ("algorithm1", "5.40 %")):
        steps = [r for r in rows(f"vit-{strategy}") if float(r["loss_rate"]) <= 0.02 and r["ranges"] == "False"]
        assert f"{100 * min(float(r['overhead_share'] or 0) for r in steps):.2f} %" == expected
        assert expected in options.frontiers()


def test_numbers_are_written_plainly() -> None:
    assert between([0.1, 0.23], 1, scale=100) == "10.0 to 23.0"
    assert between([-0.001], 0, scale=100) == "0"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([]) == "none"
    assert rate(5e-7) == "5e-7"


def test_studies_are_read_as_commands_of_now_and_of_before_print_them() -> None:
    before = points("zoo-module")
    shared = ("model", "recipe", "by", "images")
    models: dict[str, dict[str, object]] = {}
    for point in before:
        model = models.setdefault(point["model"], {key: point[key] for key in shared} | {"points": []})
        model["points"] += [{key: value for key, value in point.items() if key not in shared}]  # type: ignore[operator]
    assert len(models) > 1
    assert points_of({"models": list(models.values())}) == before
