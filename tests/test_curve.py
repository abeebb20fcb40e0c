"""The figure's data, the figure's file, the table and the records of a sweep."""

import csv
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from rich.console import Console

from radhard.analysis.curve import Point
from radhard.errors import InputError
from radhard.report.curve import curve_data, draw_curve
from radhard.report.record import write_csv
from radhard.report.table import clean_table, points_table


def point(ber: float, accuracy: float, *, n: int = 500) -> Point:
    return Point(
        ber=ber, trials=5, n=n, accuracy=accuracy, low=accuracy - 0.02, high=accuracy + 0.03, changed=0.25,
        non_finite=0.125, flips_expected=12.5, flips=12.4, ended="trials",
    )  # fmt: skip


NOTHING = Point(
    ber=1e-4, trials=0, n=0, accuracy=math.nan, low=0.0, high=1.0, changed=math.nan, non_finite=math.nan,
    flips_expected=1e5, flips=math.nan, ended="incomplete",
)  # fmt: skip
POINTS = (point(1e-6, 0.3), point(1e-8, 0.85), point(0.0, 0.9), NOTHING)
CLEAN = {"float": point(0.0, 0.91), "int8": point(0.0, 0.9)}


def test_the_figure_shows_the_points_in_order_and_leaves_out_what_has_no_place() -> None:
    data = curve_data(POINTS, model="toy", recipe="int8", clean=CLEAN)
    assert data.ber == (1e-8, 1e-6)
    assert data.accuracy == (0.85, 0.3)
    assert data.low == pytest.approx((0.83, 0.28))
    assert data.high == pytest.approx((0.88, 0.33))
    assert dict(data.clean) == {"float": 0.91, "int8": 0.9}
    for part in ("toy", "int8", "n = 500", "95 %"):
        assert part in data.title
    mixed = curve_data((point(1e-8, 0.5), point(1e-7, 0.5, n=2000)), model="toy", recipe="int8", clean=CLEAN)
    assert "n = 500 to 2,000" in mixed.title


@pytest.mark.parametrize("suffix", [".png", ".svg"])
@pytest.mark.parametrize("points", [POINTS, (NOTHING,)], ids=["points", "none"])
def test_the_figure_is_drawn(tmp_path: Path, suffix: str, points: tuple[Point, ...]) -> None:
    path = tmp_path / f"curve{suffix}"
    draw_curve(curve_data(points, model="toy", recipe="int8", clean=CLEAN), path)
    raw = path.read_bytes()
    if suffix == ".png":
        assert raw.startswith(b"\x89PNG")
        assert len(raw) > 10_000
    else:
        assert ET.fromstring(raw).tag.endswith("svg")
        assert b"float, no faults: 91.00%" in raw


def test_the_same_data_give_the_same_svg(tmp_path: Path) -> None:
    data = curve_data(POINTS, model="toy", recipe="int8", clean=CLEAN)
    for name in ("a.svg", "b.svg"):
        draw_curve(data, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_figure_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"curve\.pdf ends in '\.pdf'; name a file that ends in \.png or \.svg"):
        draw_curve(curve_data(POINTS, model="toy", recipe="int8", clean=CLEAN), tmp_path / "curve.pdf")


def test_the_csv_reads_back(tmp_path: Path) -> None:
    write_csv(POINTS, tmp_path / "points.csv")
    with (tmp_path / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(vars(NOTHING))
    assert [float(row["ber"]) for row in rows] == [p.ber for p in POINTS]
    assert float(rows[1]["low"]) == POINTS[1].low
    assert rows[3]["accuracy"] == ""


def test_a_point_without_answers_is_json() -> None:
    record = json.loads(json.dumps([p.as_dict() for p in POINTS], allow_nan=False))
    assert record[3]["accuracy"] is None
    assert record[0]["accuracy"] == 0.3


def test_the_tables_say_it_all() -> None:
    console = Console(width=140, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(points_table(POINTS, title="toy"), clean_table(CLEAN, title="clean"))
    text = captured.get()
    for part in ("1e-06", "30.00%", "28.00% - 33.00%", "25.00%", "12.50%", "12.5", "12.4", "91.00%", "float"):
        assert part in text
