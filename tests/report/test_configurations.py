"""The table, the record, the CSV and the figure of configurations."""

import csv
import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from radhard.analysis.configurations import ConfigurationOutcome
from radhard.errors import InputError
from radhard.report.configurations.figure import caption, draw_configurations
from radhard.report.configurations.points import configurations_data, overhead_scale
from radhard.report.configurations.record import configurations_record, write_configurations
from radhard.report.configurations.table import configurations_table, percent
from tests.analysis.test_curve import shown
from tests.support.outcomes import OWN_ADD, OWN_MUL, evaluation, outcome, outcomes, spent
from tests.support.sweeps import NOTHING

UNKNOWN = outcome("both", 1e-4, 0.0, measured=NOTHING)


def table(found: tuple[ConfigurationOutcome, ...] = outcomes(), *, width: int = 160) -> str:
    return shown(configurations_table(evaluation(found=found)), width=width)


# --- the table ---


def test_the_table_has_a_row_a_configuration_and_rate_the_clean_ones_first() -> None:
    rows = [line.split() for line in table().splitlines()]
    found = [(row[0], row[1]) for row in rows if len(row) > 9 and row[0] in ("0", "1e-08", "1e-07")]
    names = ("unprotected", "ranges", "products")
    assert found == [(ber, name) for ber in ("0", "1e-08", "1e-07") for name in names]


def test_the_table_says_it_all() -> None:
    lines = table((outcomes()[2],)).splitlines()
    first, second = (line.split() for line in lines if line.strip().startswith(("1e-07", "500")))
    assert " ".join(first) == "1e-07 products only 85.00 5.00 55.00 5.00 1.25 2.50 1.25 12.5 0.25 2"
    assert " ".join(second) == "500 83.00 - 88.00 4.00 - 7.00 53.50 - 99.00 4.50 - 5.50 1,234 0"
    text = " ".join("\n".join(lines).split())
    for part in ("weighted mul 1, add 0.5, cmp 0.25", "40,000,000 multiplications and 39,000,000 additions"):
        assert part in text
    assert "toy, recipe int8, toy/test: 100 images, flips in add, mul" in text
    assert "idle time" not in text
    assert "idle time" in table((outcome("both", 1e-7, 0.8, overhead=replace(spent(0.1), hidden=5.0)),))


def test_the_table_tells_what_was_not_measured() -> None:
    text = table((UNKNOWN, *outcomes()))
    assert "nan" not in text
    assert "unbounded" in text
    assert "-1.00 to 2.00" in text
    assert "ranges only (BER 0): bounds from 500 images" in text
    (line,) = [line for line in text.splitlines() if line.strip().startswith("0.0001")]
    assert line.split() == ["0.0001", "both", *["-"] * 10]


def test_a_narrow_terminal_costs_no_digit() -> None:
    text = table((*outcomes(), outcome("lb-abft:policy=leave:ranges=none", 1e-7, 0.8)), width=80)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    for part in ("85.00", "-1.50", "1,234", "lb-", "products only"):
        assert part in text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.00"), (0.0123, "1.23"), (2.034, "203.40"), (4.27e-5, "0.0043"), (12.5, "1,250.00"),
     (math.inf, "unbounded")],
)  # fmt: skip
def test_a_small_share_keeps_two_digits(share: float, text: str) -> None:
    assert percent(share) == text


def test_the_caption_says_what_is_compared_with_what() -> None:
    """Records without pairs, as those of `evaluate` are: the baseline is no protection, and the caption says so."""
    data = configurations_data([evaluation()])
    told = " ".join(caption(data).sentences)
    assert "its accuracy minus that of unprotected" in told
    assert "the records compare no configuration with another one than unprotected, and test no equivalence" in told
    assert "test no equivalence" not in " ".join(caption(replace(data, baseline="tmr", margin=0.02)).sentences)


# --- records ---


def test_the_record_names_what_was_measured() -> None:
    record = json.loads(json.dumps(configurations_record(evaluation()), allow_nan=False))
    wanted = {
        "model": "toy", "recipe": "int8", "data": "toy/test", "chunk": 100, "calibrated_on": "toy/train", "images": 100,
        "trials": 5, "seed": 0,
    }  # fmt: skip
    assert {name: record[name] for name in wanted} == wanted
    assert record["data_digest"] == "cd" * 32
    assert record["words"] == {"product": "int16", "accumulator": "int32"}
    assert record["kinds"] == ["add", "mul"]
    assert record["weights"] == {"mul": 1.0, "add": 0.5, "cmp": 0.25}
    assert record["own_operations"] == {"mul": OWN_MUL, "add": OWN_ADD}
    assert [c["configuration"] for c in record["configurations"]] == [o.configuration.name for o in outcomes()]
    assert record["configurations"][2]["overhead"]["share"] == 0.05


def test_the_csv_has_a_row_a_model_configuration_and_rate(tmp_path: Path) -> None:
    write_configurations([evaluation(), evaluation("second")], tmp_path / "c.csv")
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["toy"] * 9 + ["second"] * 9
    assert [row["configuration"] for row in rows[:9]] == [o.configuration.name for o in outcomes()]
    first = rows[2]
    assert {name: float(first[name]) for name in ("ber", "accuracy", "n", "images", "sites")} == {
        "ber": 1e-7, "accuracy": 0.85, "n": 500, "images": 100, "sites": 1,
    }  # fmt: skip
    assert float(first["loss_rate"]) == pytest.approx(0.05)
    assert float(first["gain_low"]) == pytest.approx(0.535)
    assert float(first["overhead_share"]) == 0.05
    assert float(first["overhead_own_mul"]) == OWN_MUL
    assert rows[0]["gain_rate"] == rows[0]["overhead_share"] == ""
    assert rows[5]["overhead_high"] == ""  # of a single unit
    assert not {"loss", "gain", "overhead"} & rows[0].keys()


# --- the figure ---


def test_the_figure_shows_each_configuration_in_the_order_of_rates() -> None:
    data = configurations_data([evaluation(found=(UNKNOWN, *outcomes()))])
    (panel,) = data.panels
    assert data.names == ("both", "unprotected", "ranges only", "products only")
    assert [line.configuration for line in panel.lines] == list(data.names)
    nothing, plain, ranges, products = panel.lines
    assert nothing.ber == ()
    assert math.isnan(nothing.clean)
    assert products.ber == (1e-8, 1e-7)
    assert products.quality.rate == (0.89, 0.85)
    assert products.quality.low == pytest.approx((0.87, 0.83))
    assert products.overhead.rate == (0.02, 0.05)
    assert products.overhead.high == (math.inf, pytest.approx(0.055))
    assert (plain.clean, ranges.clean, products.clean) == (0.9, 0.895, 0.9)
    assert (plain.guarded, ranges.guarded) == (False, True)
    assert all(math.isnan(x) for x in (*plain.overhead.rate, *plain.mul, *plain.difference.rate))
    assert data.baseline == "unprotected"  # no pairs: the gain over no protection
    assert products.difference.rate == pytest.approx((0.59, 0.55))
    assert products.relation == ("better", "better")
    assert plain.relation == ("", "")
    assert ranges.mul == (0.0, 0.0)
    mul = spent(0.05).mul
    assert products.mul[1] == pytest.approx(mul / (OWN_MUL + 0.5 * OWN_ADD))  # by weights, as the overhead
    for part in ("int8", "n = 500", "100 images", "95 %", "mul 1, add 0.5, cmp 0.25", "toy/test"):
        assert part in data.subtitle


def test_the_figure_has_a_panel_a_model() -> None:
    data = configurations_data([evaluation(model) for model in ("toy", "second")])
    assert [panel.model for panel in data.panels] == ["toy", "second"]
    assert "2 models" in data.title
    assert data.panels[0].clean == 0.9


@pytest.mark.parametrize(("models", "suffix"), [(1, ".png"), (1, ".svg"), (2, ".svg"), (5, ".svg")])
def test_the_figure_is_drawn_the_same_each_time(tmp_path: Path, suffix: str, models: int) -> None:
    data = configurations_data([evaluation(f"model {k}") for k in range(models)])
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        draw_configurations(data, path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    if suffix == ".png":
        assert first.startswith(b"\x89PNG")
        return
    assert ET.fromstring(first).tag.endswith("svg")
    for text in (f"model {models - 1}", "products only", "without faults: 90.00%, protected 89.50 - 90.00%"):
        assert text in first.decode()
    assert "nan" not in first.decode()


@pytest.mark.parametrize(
    "found",
    [
        (outcome("unprotected", 0.0, 0.9),),
        (UNKNOWN,),
        (outcome("unprotected", 1e-7, 0.3), outcome("both", 1e-7, 0.9, overhead=spent(0.0))),
        (outcome("ranges only", 1e-7, 0.5, overhead=spent(3e-4)), outcome("both", 1e-7, 0.9, overhead=spent(2.0))),
    ],
    ids=["clean alone", "nothing", "one rate, no overhead", "far apart"],
)  # fmt: skip
def test_little_is_drawn_as_well(tmp_path: Path, found: tuple[ConfigurationOutcome, ...]) -> None:
    draw_configurations(configurations_data([evaluation(found=found)]), tmp_path / "figure.svg")
    assert "nan" not in (tmp_path / "figure.svg").read_text()


def test_a_figure_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"name a file that ends in \.png, \.svg or \.pdf"):
        draw_configurations(configurations_data([evaluation()]), tmp_path / "configurations.gif")


def at_one_rate(model: str) -> tuple[ConfigurationOutcome, ...]:
    return (
        outcome("unprotected", 0.0, 0.9, model=model),
        outcome("unprotected", 1e-7, 0.3, model=model),
        outcome("both", 1e-7, 0.8, overhead=spent(0.1), model=model),
        outcome("both", 0.0, 0.85, overhead=spent(0.1), model=model),
    )


def test_one_rate_is_drawn_row_by_row(tmp_path: Path) -> None:
    models = [f"model {k}" for k in range(3)]
    one = configurations_data([evaluation(model, found=at_one_rate(model)) for model in models])
    assert one.rates == (1e-7,)
    assert configurations_data([evaluation()]).rates == (1e-8, 1e-7)
    draw_configurations(one, tmp_path / "figure.svg")
    drawn = (tmp_path / "figure.svg").read_text()
    for text in ("at BER 1e-07", "model 2", "unprotected", "both", "without faults: 90.00%, protected 85.00%"):
        assert text in drawn


@pytest.mark.parametrize(
    ("shares", "kind", "bottom", "top"),
    [((), "linear", 0.0, 0.01), ((0.01, 0.3), "linear", 0.0, 0.324), ((0.01, 0.31), "log", 0.006, 0.496)],
)
def test_overheads_far_apart_have_a_logarithmic_scale(
    shares: tuple[float, ...], kind: str, bottom: float, top: float
) -> None:
    found = tuple(
        outcome(f"scheme {k}", 1e-7, 0.5, overhead=spent(share, mul=0.0, high=math.inf))
        for k, share in enumerate(shares)
    )
    data = configurations_data([evaluation(found=(outcome("unprotected", 1e-7, 0.3), *found))])
    scale = overhead_scale(data)
    assert (scale.kind, scale.bottom, scale.top) == (kind, pytest.approx(bottom), pytest.approx(top))
