"""The figure's data, the figure's file, the tables and the records of sweeps."""

import csv
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from radhard.analysis.crossing import Crossing, crossing
from radhard.analysis.curve import Point
from radhard.errors import InputError
from radhard.report.curve import curve_data, draw_curve
from radhard.report.sweep import sweep_record, write_csv
from radhard.report.table import clean_table, comparison_table, points_table
from tests.support.sweeps import CLEAN, NOTHING, POINTS, point, sweep

MODELS = ("toy", "second", "third")


def shown(*tables: RenderableType, width: int = 160) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(*tables)
    return captured.get()


# --- the figure ---


def test_the_figure_shows_the_points_in_order_and_leaves_out_what_has_no_place() -> None:
    data = curve_data([sweep()])
    (line,) = data.lines
    assert line.model == "toy"
    assert line.ber == (1e-8, 1e-6)
    assert line.accuracy.rate == (0.85, 0.3)
    assert line.accuracy.low == pytest.approx((0.83, 0.28))
    assert line.accuracy.high == pytest.approx((0.88, 0.33))
    assert line.relative.rate == pytest.approx((0.85 / 0.9, 0.3 / 0.9))
    assert line.relative.low == pytest.approx((0.85 / 0.9 - 0.01, 0.3 / 0.9 - 0.01))
    assert line.relative.high == pytest.approx((0.85 / 0.9 + 0.015, 0.3 / 0.9 + 0.015))
    assert dict(line.clean) == {"float": 0.91, "int8": 0.9}
    assert "toy" in data.title
    for part in ("int8", "n = 500", "100 images", "95 %", "add, mul", "product=int16,accumulator=int32", "toy/test"):
        assert part in data.subtitle
    mixed = curve_data([sweep(points=(point(1e-8, 0.5), point(1e-7, 0.5, n=2000)))])
    assert "n = 500 to 2,000" in mixed.subtitle


def test_the_figure_has_a_line_a_model() -> None:
    data = curve_data([sweep(model) for model in MODELS])
    assert [line.model for line in data.lines] == list(MODELS)
    assert "3 models" in data.title


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("points", [POINTS, (NOTHING,)], ids=["points", "none"])
@pytest.mark.parametrize("models", [MODELS[:1], MODELS], ids=["one", "several"])
def test_the_figure_is_drawn(tmp_path: Path, suffix: str, points: tuple[Point, ...], models: tuple[str, ...]) -> None:
    path = tmp_path / f"curve{suffix}"
    draw_curve(curve_data([sweep(model, points) for model in models]), path)
    raw = path.read_bytes()
    if suffix == ".png":
        assert raw.startswith(b"\x89PNG")
        assert len(raw) > 10_000
        return
    assert ET.fromstring(raw).tag.endswith("svg")
    texts = ["toy, with faults", "float, no faults: 91.00%"] if len(models) == 1 else [f">{m}  (clean" for m in models]
    for text in (*texts, "accuracy relative to clean", "words product=int16"):
        assert text in raw.decode()


def test_an_interval_without_an_end_is_drawn(tmp_path: Path) -> None:
    vague = Point(**{**vars(point(1e-8, 0.5)), "relative_high": math.inf})
    draw_curve(curve_data([sweep(points=(vague, point(1e-7, 0.4)))]), tmp_path / "curve.svg")
    assert "nan" not in (tmp_path / "curve.svg").read_text()


def test_the_same_data_give_the_same_svg(tmp_path: Path) -> None:
    data = curve_data([sweep(model) for model in MODELS])
    for name in ("a.svg", "b.svg"):
        draw_curve(data, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_figure_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"curve\.gif ends in '\.gif'; name a file that ends in \.png, \.svg or \.pdf"):
        draw_curve(curve_data([sweep()]), tmp_path / "curve.gif")


# --- where accuracy is lost ---


def test_a_crossing_lies_between_two_points_evenly_in_the_logarithm() -> None:
    points = (point(1e-6, 0.1), point(0.0, 0.9), point(1e-8, 0.9), point(1e-7, 0.7), NOTHING)
    found = crossing(points, level=0.4)  # half way from 0.7 to 0.1: at 10 ** -6.5
    assert (found.above, found.below) == (1e-7, 1e-6)
    assert found.ber == pytest.approx(10**-6.5)
    third = crossing(points, level=0.9 - 0.2 / 3)  # a third of the way from 0.9 to 0.7
    assert third.ber == pytest.approx(10 ** (-8 + 1 / 3))
    assert crossing(points, level=0.7).ber == pytest.approx(1e-7)  # at a point


def test_a_crossing_that_was_not_measured_is_not_made_up() -> None:
    points = (point(1e-8, 0.8), point(1e-7, 0.7))
    assert crossing(points, level=0.6) == Crossing(level=0.6)
    assert crossing(points, level=0.85) == Crossing(level=0.85, above=0.0, below=1e-8)
    assert crossing((NOTHING,), level=0.5) == Crossing(level=0.5)
    unknown = crossing(points, level=math.nan)
    assert (unknown.ber, unknown.below, unknown.as_dict()["level"]) == (None, None, None)


def test_the_first_crossing_counts_where_a_curve_wavers() -> None:
    points = (point(1e-9, 0.9), point(1e-8, 0.5), point(1e-7, 0.7), point(1e-6, 0.1))
    assert crossing(points, level=0.6).below == 1e-8


def test_a_sweep_knows_where_it_loses_10_points_and_half() -> None:
    one = sweep(points=(point(1e-8, 0.9), point(1e-7, 0.6), point(1e-6, 0.3)))  # clean int8: 0.9
    assert one.loses_10_points.level == pytest.approx(0.8)
    assert one.loses_10_points.ber == pytest.approx(10 ** (-8 + 1 / 3))
    assert one.loses_half.level == pytest.approx(0.45)
    assert one.loses_half.ber == pytest.approx(10**-6.5)


# --- tables and records ---


def test_the_csv_reads_back(tmp_path: Path) -> None:
    write_csv([sweep(), sweep("second")], tmp_path / "points.csv")
    with (tmp_path / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["model", "measure", *vars(NOTHING)]
    assert {row["measure"] for row in rows} == {"accuracy"}
    assert [row["model"] for row in rows] == ["toy"] * 4 + ["second"] * 4
    assert [float(row["ber"]) for row in rows[4:]] == [p.ber for p in POINTS]
    assert float(rows[1]["low"]) == POINTS[1].low
    assert float(rows[1]["relative_high"]) == POINTS[1].relative_high
    assert rows[3]["accuracy"] == rows[3]["relative_high"] == ""


def test_a_point_without_answers_is_json() -> None:
    record = json.loads(json.dumps([p.as_dict() for p in POINTS], allow_nan=False))
    assert record[3]["accuracy"] is None
    assert record[3]["relative_high"] is None
    assert record[0]["accuracy"] == 0.3


def test_the_record_names_what_was_measured() -> None:
    record = json.loads(json.dumps(sweep_record(sweep("second")), allow_nan=False))
    assert record["model"] == "second"
    assert (record["macs"], record["exposed_bits"], record["images"]) == (1234, 10**7, 100)
    assert record["clean"] == {"float": 0.91, "int8": 0.9}
    assert record["loses_10_points"]["above"] == 1e-8
    unmeasured = sweep_record(sweep(points=(NOTHING,), clean={"float": NOTHING, "int8": NOTHING}))
    assert json.loads(json.dumps(unmeasured, allow_nan=False))["loses_half"]["level"] is None


def test_the_tables_say_it_all() -> None:
    text = shown(points_table(POINTS, title="toy"), clean_table(CLEAN, title="clean"))
    for part in (
        "1e-06",
        "30.00%",
        "28.00% - 33.00%",
        "33.33%",
        "20.00%",
        "18.00% - 23.00%",
        "15.00%",
        "5.00%",
        "12.50%",
        "12.5",
        "12.4",
        "91.00%",
        "float",
    ):
        assert part in text


def test_a_narrow_terminal_costs_no_digit() -> None:
    text = shown(points_table(POINTS, title="toy"), comparison_table([sweep("fashion-resnet18")]), width=80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_models_are_compared() -> None:
    fragile = sweep("fragile", points=(point(1e-8, 0.2), point(1e-7, 0.1)))
    sturdy = sweep("sturdy", points=(point(1e-8, 0.9), point(1e-7, 0.75)))
    unknown = sweep("third", clean={"int8": NOTHING})  # measured by nobody, and without a float program
    text = shown(comparison_table([fragile, sturdy, unknown]))
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert rows["fragile"].count("under 1e-08") == 2
    for part in ("1,234", "10,000,000", "91.00%", "90.00%", "4.6e-08 (1e-08 - 1e-07)", "not reached"):
        assert part in rows["sturdy"]
    assert rows["third"].count("not reached") == 2
