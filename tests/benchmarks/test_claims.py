"""What results/*.md quote is what the data beside them say; some of it counted a second time, from the CSV files."""

import csv
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchmarks.gpu.page
import benchmarks.real
import benchmarks.recipes
import numpy as np
import pytest
from benchmarks.claims import options, protection
from benchmarks.claims.__main__ import BLOCK, BLOCKS, block, files, stale
from benchmarks.claims.data import RESULTS, between, listed, points, points_of, rate
from benchmarks.claims.judged import judgements

from radhard.analysis.claims.claims import CLAIMS, summaries_of


def rows(name: str) -> list[dict[str, str]]:
    with (RESULTS / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_no_block_is_stale(path: Path) -> None:
    assert stale(path) == [], "python -m benchmarks.claims writes them"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recipes", lambda data: benchmarks.recipes.text(data["models"])),
        ("real", benchmarks.real.page),
        ("gpu", benchmarks.gpu.page.text),
    ],
)
def test_a_page_that_is_written_whole_is_not_stale(name: str, expected: Callable[[Any], str]) -> None:
    data = json.loads((RESULTS / f"{name}.json").read_text())
    assert (RESULTS / f"{name}.md").read_text() == expected(data)


# pages that a benchmark writes whole, each tested above
WHOLE = ("gpu.md", "real.md", "recipes.md")
NAMES = re.compile(
    r"(?:Figs?\.|[Cc]laims?|Algorithm) \d+\w?(?:(?:, | and | to |-)\d+\w?)*"  # of the paper's figures and claims
    r"|\b95 %"  # the level of all intervals
)


def typed_numbers(text: str) -> list[str]:
    """Numbers of a page that stand neither in a block, nor in code, a link, or the name of a figure or claim."""
    text = NAMES.sub("", BLOCK.sub("", text))
    text = re.sub(r"`[^`]*`|\]\([^)]*\)|^    .*$", "", text, flags=re.MULTILINE)
    return re.findall(r"(?<![\w.-])\d[\d,.]*(?:e-?\d+)?(?!\w|-bit)", text)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.md")), ids=lambda path: path.name)
def test_no_number_is_typed_by_hand(path: Path) -> None:
    if path.name in WHOLE:
        assert "claims: " not in path.read_text()
    else:
        assert typed_numbers(path.read_text()) == [], "let benchmarks.claims write the sentence"


def test_typed_numbers_are_seen() -> None:
    prose = "Claim 2a: 5 of 1,000 `x=3` [a](b2.md) int8\n\n    radhard --trials 3\n\n"
    assert typed_numbers(f"{prose}{block('frontier')}\n| 1e-8 | 87.3 % |") == ["5", "1,000", "1e-8", "87.3"]


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


def test_verdicts_are_those_of_the_package_on_all_committed_data() -> None:
    found = {each.claim.number: each for each in summaries_of(judgements())}
    assert found.keys() == {claim.number for claim in CLAIMS}
    text = (RESULTS / "README.md").read_text()
    for number, summary in found.items():
        assert summary.verdict is not None, f"{number} has no data"
        assert re.search(rf"^\| {number}\. [^|]*\| \*\*{summary.verdict}\*\* \|", text, re.MULTILINE), number


def test_claims_that_the_data_do_not_bear_are_not_called_reproduced() -> None:
    verdicts = {each.claim.number: each.verdict for each in summaries_of(judgements())}
    assert {verdicts[number] for number in ("4b", "5c", "5d", "10a")} == {"cannot tell"}
    assert {verdicts[number] for number in ("3", "10d", "10e")} == {"not reproduced"}


def test_the_variance_of_factors_by_the_csv() -> None:
    for model, deviation in (("fashion-vit", 8.3), ("fashion-cait", 3.3), ("fashion-resnet18", 2.7)):
        found = [r for r in rows("zoo-layer") if r["model"] == model and float(r["loss"]) == 0.3]
        blocks = [r for r in found if r["name"] not in ("stem", "head")]
        factor = np.array([float(r["factor"]) for r in blocks])
        error = np.array([(float(r["high"]) - float(r["low"])) / 2 / 1.96 for r in blocks])
        own = 100 * math.sqrt(factor.var(ddof=1) - (error**2).mean())
        assert round(own, 1) == deviation


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
