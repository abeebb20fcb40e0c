"""The frontier of a plan as a figure and CSV, its table and its summary."""

import csv
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from radhard.errors import InputError
from radhard.protection import (
    Block,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Plan,
    Protection,
    Ranges,
    Scheme,
    StandardAbft,
    Tmr,
    read_plan,
    write_plan,
)
from radhard.protection.planning.grounds import MeasuredOverhead
from radhard.report.frontier import chosen_step, frontier_data, write_frontier
from radhard.report.frontier_figure import draw_frontier
from radhard.report.plan import described, plan_summary, plan_table
from tests.analysis.test_curve import shown
from tests.support.plans import ACCURACY, judged, judgement, plan
from tests.support.plans import step as step_of

BY_HAND = Plan(
    model="toy", program="ab" * 32, recipe="int8", ber=1e-7, protection=Protection.of({"head": StandardAbft()})
)


def heavier(times: float) -> Plan:
    """The plan with overheads so many times as large, as it is read from a file."""

    def scaled(of: MeasuredOverhead | None) -> MeasuredOverhead | None:
        if of is None:
            return None
        return replace(
            of, share=of.share * times, low=of.low * times, high=None if of.high is None else of.high * times
        )

    steps = tuple(replace(step, overhead=scaled(step.overhead)) for step in plan().frontier)
    return replace(plan(), frontier=steps, strategy="gain")


# --- the frontier ---


def test_the_frontier_has_the_steps_in_the_order_of_products() -> None:
    shuffled = replace(plan(ranges=(3, 2)), frontier=tuple(reversed(plan(ranges=(3, 2)).frontier)))
    (line,) = frontier_data([shuffled]).lines
    assert line.label == "lb-abft:retries=1, algorithm1"
    assert line.steps.products == (0, 1, 2, 3, 4)
    assert line.steps.quality.rate == ACCURACY
    assert line.steps.quality.high == pytest.approx([x + 0.03 for x in ACCURACY])
    assert line.steps.overhead.rate == (0.0, 0.004, 0.01, 0.015, 0.03)
    assert line.steps.overhead.low == pytest.approx((0.0, 0.0036, 0.009, 0.0135, 0.027))
    assert line.ranges.products == (2, 3)
    assert line.ranges.overhead.rate == pytest.approx((0.012, 0.017))
    assert line.chosen == (pytest.approx(0.017), pytest.approx(0.895))
    assert (line.clean, line.target, line.most) == (0.9, pytest.approx(0.88), 0.02)


@pytest.mark.parametrize(("chosen", "ranges"), [(0, ()), (0, (0,)), (2, (3,)), (3, (3, 2))])
def test_the_chosen_step_is_that_of_the_protection(chosen: int, ranges: tuple[int, ...]) -> None:
    one = plan(chosen, ranges=ranges)
    found = chosen_step(one)
    assert (found.products, found.ranges) == (chosen, chosen in ranges)
    assert found in one.frontier
    assert chosen_step(replace(one, frontier=())) == one.expected


def test_the_figure_tells_plans_apart() -> None:
    data = frontier_data([plan(), heavier(0.5), replace(plan(), ber=1e-8), replace(plan(), model="second")])
    assert data.title.startswith("2 models")
    assert [line.label for line in data.lines] == [
        "toy, lb-abft:retries=1, algorithm1, BER 1e-07", "toy, lb-abft:retries=1, gain, BER 1e-07",
        "toy, lb-abft:retries=1, algorithm1, BER 1e-08", "second, lb-abft:retries=1, algorithm1, BER 1e-07",
    ]  # fmt: skip
    for part in ("int8", "BER 1e-07, 1e-08", "chosen on 500 images of toy/test", "95 %"):
        assert part in data.subtitle
    assert frontier_data([BY_HAND]).lines[0].label == "by hand"


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize(
    "plans",
    [[plan()], [plan(), heavier(0.7), heavier(80.0)], [BY_HAND], [plan(0, ranges=())]],
    ids=["one", "far apart", "by hand", "nothing protected"],
)
def test_the_frontier_is_drawn_the_same_each_time(tmp_path: Path, suffix: str, plans: list[Plan]) -> None:
    data = frontier_data(plans)
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        draw_frontier(data, path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    if suffix == ".png":
        assert first.startswith(b"\x89PNG")
        return
    assert ET.fromstring(first).tag.endswith("svg")
    assert "nan" not in first.decode()
    for text in (*(line.label for line in data.lines), "toy: accuracy over the overhead", "chosen"):
        assert f"{text}" in first.decode()


def test_an_overhead_that_is_not_bounded_is_drawn(tmp_path: Path) -> None:
    steps = list(plan().frontier)
    steps[2] = replace(steps[2], overhead=replace(steps[2].overhead, high=None))  # of a single unit
    data = frontier_data([replace(plan(), frontier=tuple(steps))])
    assert data.lines[0].steps.overhead.high[2] == math.inf
    draw_frontier(data, tmp_path / "frontier.svg")
    with pytest.raises(InputError, match=r"name a file that ends in \.png, \.svg or \.pdf"):
        draw_frontier(data, tmp_path / "frontier.gif")


def test_the_frontier_is_csv(tmp_path: Path) -> None:
    write_frontier([plan(), heavier(2.0)], tmp_path / "f.csv")
    with (tmp_path / "f.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert {row["strategy"] for row in rows} == {"algorithm1", "gain"}
    assert [row["chosen"] for row in rows[:6]] == ["0"] * 5 + ["1"]
    assert (rows[5]["products"], rows[5]["ranges"], float(rows[5]["overhead_share"])) == ("3", "True", 0.017)
    assert rows[0]["overhead_share"] == rows[0]["gain_rate"] == ""
    write_frontier([BY_HAND], tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text().strip() == ""


# --- the table and the summary ---


def test_the_table_groups_sites_by_layer_in_the_order_of_the_plan() -> None:
    text = shown(plan_table(plan()))
    rows = [line.split() for line in text.splitlines() if "lb-abft" in line or "ranges" in line]
    assert [row[0] for row in rows] == [
        "blocks.1", "blocks.1.mlp.fc2", "blocks.1.mlp.act", "blocks.0", "blocks.0.attn.softmax", "-",
    ]  # fmt: skip
    assert rows[0][1:] == [
        "blocks.1.mlp.fc1", "lb-abft", "16x64x32", "8.00",
        "5.00", "-", "9.00", "1,000", "16.7%",
    ]  # fmt: skip
    assert "-0.33 to 3.67" in text
    narrow = shown(plan_table(plan()), width=80)
    assert "…" not in narrow
    assert max(map(len, narrow.splitlines())) <= 80


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        (
            LbAbft(block=Block(m=1, k=2, n=3), policy="leave", retries=0, repair="visible"),
            "lb-abft 1x2x3, policy leave, retries 0, repair visible",
        ),
        (Ranges(low=-0.17, high=3.21987, outside="clamp"), "ranges -0.17 to 3.22, else clamp"),
        (Tmr(vote="bitwise"), "tmr, vote bitwise"),
        (HuangAbraham(), "huang-abraham"),
        (IntensityGuided(), "intensity-guided"),
    ],
)
def test_a_scheme_is_described_with_its_options(scheme: Scheme, text: str) -> None:
    assert described(scheme) == text


def test_the_summary_says_what_was_wanted_and_what_is_expected(tmp_path: Path) -> None:
    text = plan_summary(plan())
    assert text == [
        "protected: 3 of 4 products by lb-abft:retries=1, 3 non-linear sites by ranges",
        "target: at most 2 points lost from 90.00% clean, so 88.00%; overhead at most 2 %",
        "met: at most 1.55 points are lost (one-sided 95 % limit on 100 images that did not choose it)",
        "expected accuracy: 89.50% (87.50 - 92.50), unprotected 30.00%; lost 0.50 points (-0.50 to 2.50, paired); "
        "gained 59.50 points (58.00 - 99.00, paired)",
        "expected overhead: 1.70 % (1.53 - 1.87) of 40,000,000 multiplications and 39,000,000 additions an image, "
        "weighted mul 1, add 0.5, cmp 0.25",
        "chosen on 500 images of toy/test, judged on 100 others in 1 trial, fault seed 7",
        "not protected: conv: its scales are not known",
    ]
    write_plan(plan(), tmp_path / "plan.json")
    assert plan_summary(read_plan(tmp_path / "plan.json")) == text


def test_the_summary_says_what_the_images_that_judge_say() -> None:
    unsure = judgement(step_of(3))
    text = plan_summary(replace(plan(), verdict=unsure.verdict, judged=judged(unsure)))
    assert text[2] == (
        "cannot tell: 1.50 points were lost on 100 images that did not choose it, in truth 0.78 to 2.88 (one-sided "
        f"95 % limits); if all goes on so, about {unsure.needed:,.0f} would tell (--judge)"
    )
    normal = 1.6448536269514722**2 * (0.016 - 0.016**2) / 0.004**2  # 8 of 500 are lost
    assert normal < unsure.needed < 1.5 * normal
    hopeless = judgement(step_of(3), loss=0.01)
    text = plan_summary(replace(plan(), verdict=hopeless.verdict, judged=judged(hopeless)))
    assert text[2].endswith("on these no less than the target was lost, so that more images would hardly help")
    beyond = judgement(step_of(3), loss=0.004)
    text = plan_summary(replace(plan(), verdict=beyond.verdict, judged=judged(beyond)))
    assert text[2].startswith("not met: at least 0.78 points are lost (one-sided 95 % limit on 100 images")
    nothing = judgement(step_of(4))
    bare = replace(plan(), verdict="met", judged=judged(nothing), protection=Protection())
    assert plan_summary(bare)[2].startswith("met, and nothing needs protecting: at most ")


def test_a_plan_of_format_1_was_judged_by_nothing() -> None:
    text = plan_summary(replace(plan(), verdict="", judged=None))
    assert text[2] == "ended by accuracy: no more was lost on the images that chose the plan; none judged it"


@pytest.mark.parametrize(
    ("bound", "text"), [("overhead", "would pass the overhead limit"), ("products", "every product")]
)
def test_the_summary_says_what_was_in_the_way(bound: str, text: str) -> None:
    remark = replace(plan().expected, remark="ranges lower the accuracy here, and were left out")
    lines = plan_summary(replace(plan(), bound=bound, expected=remark))
    assert any(line.startswith(f"ended by {bound}") and text in line for line in lines)
    assert "remark: ranges lower the accuracy here, and were left out" in lines


def test_a_plan_by_hand_is_shown() -> None:
    assert plan_summary(BY_HAND) == ["protected: 1 products by their schemes, 0 non-linear sites by ranges"]
    assert "standard-abft" in shown(plan_table(BY_HAND))


def test_a_guessed_layer_is_marked() -> None:
    made = plan()
    order = tuple(replace(each, guessed=each.layer == "blocks.0") for each in made.order)
    doubtful = replace(made, order=order)
    assert "blocks.0 ?" in shown(plan_table(doubtful))
    assert "blocks.1 ?" not in shown(plan_table(doubtful))
    assert any("? a layer or module is a guess" in line for line in plan_summary(doubtful))
    assert "?" not in shown(plan_table(made))
    assert not any("?" in line for line in plan_summary(made))
