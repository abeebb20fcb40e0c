"""The verbs in Python: the same numbers as the commands', whichever way model and images come, and how results look."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from torch.utils.data import DataLoader, TensorDataset
from typer.testing import CliRunner

import radhard as rh
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.protection import Shape
from radhard.studies.under_test import under_test
from tests.support.verbs import Told, floats, folder, network, pictures

PIXELS, LABELS = pictures()
FLOATS = floats(PIXELS)
SHAPE = rh.ModelOptions(input_shape=(3, 8, 8), mean=(0.5,), std=(0.25,))
RUN = rh.RunOptions(images=12, trials=2, chunk=5)
OPTIONS = (
    "--input-shape",
    "3,8,8",
    "--mean",
    "0.5",
    "--std",
    "0.25",
    "--images",
    "12",
    "--trials",
    "2",
    "--chunk",
    "5",
)
RATES = (1e-4, 1e-3)


@cache
def swept() -> rh.SweepResult:
    return rh.sweep(network(), (FLOATS, LABELS), ber=RATES, run=RUN)


@cache
def studied() -> rh.VulnerabilityResult:
    return rh.vulnerability(network(), (FLOATS, LABELS), by="site", ber=RATES, run=RUN)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A model's file with its function, and a folder of images."""
    (tmp_path / "net.py").write_text("from tests.support.verbs import network as net\n")
    return f"{tmp_path / 'net.py'}:net", folder(tmp_path / "images", PIXELS, LABELS)


def command(*arguments: object) -> dict[str, Any]:
    """The one record that a command prints."""
    result = CliRunner().invoke(app, [*map(str, arguments), *OPTIONS, "--json"])
    assert result.exit_code == 0, result.output
    (record,) = json.loads(result.stdout)["models"]
    assert isinstance(record, dict)
    return record


def as_json(record: Any) -> Any:
    return json.loads(json.dumps(record, allow_nan=False))


# --- the numbers ---


def test_sweep_is_the_command(files: tuple[str, Path]) -> None:
    model, data = files
    found = command("sweep", model, "--data", data, "--ber", "1e-4,1e-3", "--seed", 3)
    named = rh.sweep(model, data, ber=RATES, model_options=SHAPE, faults=rh.FaultOptions(seed=3), run=RUN)
    assert as_json(named.to_dict()) == found
    own = rh.sweep(network(), data, ber=RATES, model_options=SHAPE, faults=rh.FaultOptions(seed=3), run=RUN)
    assert as_json(own.to_dict()["points"]) == found["points"]


def test_vulnerability_is_the_command(files: tuple[str, Path]) -> None:
    model, data = files
    found = command("vulnerability", model, "--data", data, "--ber", "1e-3", "--by", "kind")
    result = rh.vulnerability(model, data, by="kind", ber=1e-3, model_options=SHAPE, run=RUN)
    assert as_json(result.to_dict()) == found


def test_sweep_is_what_plain_runs_give() -> None:
    model_under_test = under_test(network(), (FLOATS, LABELS))
    images, ids, labels = (
        model_under_test.images(torch.arange(12)),
        model_under_test.data.ids[:12],
        model_under_test.data.labels[:12],
    )
    for point, ber in zip(swept().sweep.points, RATES, strict=True):
        right = 0
        for trial in range(2):
            machine = rh.Faulty(rh.Clean(), rh.Faults(ber=ber, seed=0, trial=trial))
            right += int(
                (rh.run(model_under_test.programs["int8"], images, machine, ids=ids).logits.argmax(1) == labels).sum()
            )
        assert point.accuracy == right / 24
    assert swept().sweep.points[1].flips > 0


@pytest.mark.parametrize("data", ["data set", "loader"])
def test_images_may_come_as_torch_gives_them(data: str) -> None:
    items = TensorDataset(FLOATS, LABELS)
    given: Any = items if data == "data set" else DataLoader(items, batch_size=9, shuffle=True)
    found = rh.sweep(network(), given, ber=RATES, run=RUN)
    assert found.sweep.points == swept().sweep.points
    assert found.to_dict()["data"].startswith("TensorDataset, 48 of 60")


def test_the_most_vulnerable_component_is_the_one_whose_flips_cost_most() -> None:
    """With all else spared, the first in rank loses at least as much as the last."""
    ranked = studied().points[-1].found.ranked
    assert {component.name for component in ranked} == {"0", "3"}
    lost = []
    for component in (ranked[0], ranked[-1]):
        alone = rh.sweep(
            network(), (FLOATS, LABELS), ber=RATES[-1], faults=rh.FaultOptions(site=(component.name,)), run=RUN
        ).sweep
        lost.append(alone.clean["int8"].accuracy - alone.points[0].accuracy)
    assert lost[0] >= lost[1] - 0.05


def test_a_store_is_gone_on_from(tmp_path: Path) -> None:
    run = replace(RUN, store=tmp_path / "run.db")
    told = Told()
    first = rh.sweep(network(), (FLOATS, LABELS), ber=RATES, run=run, progress=told)
    states = [event for event in told.events if isinstance(event, rh.Measuring)]
    assert [state.done for state in states] == list(range(1, states[-1].total + 1))
    assert states[-1].model == "Sequential"
    assert states[-1].ber == RATES[-1]
    assert states[-1].known.startswith("accuracy ")
    again = Told()
    assert rh.sweep(network(), (FLOATS, LABELS), ber=RATES, run=run, progress=again) == first
    assert not [event for event in again.events if isinstance(event, rh.Measuring)]


def test_inspect_and_blocks() -> None:
    found = rh.inspect(network(), by="operator", model_options=SHAPE)
    rows = {row["name"]: row for row in found.rows()}
    assert rows["conv2d"]["mul"] == 4 * 4 * 4 * 27
    assert rows["linear"]["mul"] == 64 * 5
    assert found.to_dict()["macs"] == found.torch_macs == found.coverage.macs == 4 * 4 * 4 * 27 + 64 * 5
    assert 'layer = "' in found.template
    blocks = rh.blocks(Shape(m=64, k=64, n=64), ber=(1e-9, 1e-8), model="exact")
    assert [row["ber"] for row in blocks.rows()] == [1e-9, 1e-8]
    assert blocks.to_dict()["k"] == 64


# --- how results look ---


def test_a_verb_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    result = rh.sweep(network(), (FLOATS, LABELS), ber=1e-3, run=RUN)
    rh.inspect(network(), model_options=SHAPE)
    repr(result), result._repr_html_(), result.rows()
    assert tuple(capsys.readouterr()) == ("", "")


def test_a_result_is_short_in_a_console_and_a_table_in_a_notebook() -> None:
    text = repr(swept())
    assert text.startswith("<SweepResult: Sequential, int8: clean ")
    assert len(text) < 160
    assert "by site at BER 0.001: none surely vulnerable; greatest factor 0, 12.50 points (-10.65" in repr(studied())
    odd = replace(swept().sweep, settings=tuple(replace(s, model="<b>a & b</b>") for s in swept().sweep.settings))
    page = replace(swept(), sweep=odd)._repr_html_()
    assert page.count("<tr>") == 3
    assert page.count("<td>&lt;b&gt;a &amp; b&lt;/b&gt;</td>") == 2
    assert "<b>" not in page


def test_rows_are_those_of_the_csv_file(files: tuple[str, Path], tmp_path: Path) -> None:
    model, data = files
    command("sweep", model, "--data", data, "--ber", "1e-4,1e-3", "--csv", tmp_path / "points.csv")
    with (tmp_path / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    own = rh.sweep(model, data, ber=RATES, model_options=SHAPE, run=RUN).rows()
    assert [{name: "" if v is None else str(v) for name, v in row.items()} for row in own] == rows


def test_to_pandas() -> None:
    pytest.importorskip("pandas")
    frame = studied().to_pandas()
    assert list(frame.columns) == list(studied().rows()[0])
    assert len(frame) == 4
    assert list(frame.groupby("ber")["factor"].count()) == [2, 2]


def test_plots(tmp_path: Path) -> None:
    blocks = rh.blocks(Shape(m=64, k=64, n=64), model="exact")
    inspected = rh.inspect(network(), model_options=SHAPE)
    patches = rh.vulnerability(network(), (FLOATS, LABELS), by="patch", grid=(2, 2), ber=1e-2, run=RUN)
    for result in (swept(), studied(), blocks, inspected, patches):
        file = tmp_path / f"{type(result).__name__}.svg"
        result.plot(file)
        assert "<svg" in file.read_text()
        axes = Figure().subplots()
        result.plot(axes)
        assert axes.get_title() or axes.get_title(loc="left")
        assert axes.has_data()
    with pytest.raises(InputError, match="png"):
        swept().plot(tmp_path / "curve.txt")


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ber": ()}, "ber is empty"),
        ({"ber": 1.5}, "a probability, from 0 to 1"),
        ({"ber": (1e-4, 1e-4)}, "given twice"),
        ({"ber": 1e-4, "faults": rh.FaultOptions(except_=True)}, "excludes every site"),
        ({"ber": 1e-4, "faults": rh.FaultOptions(layer=("none",))}, "matches none"),
        ({"ber": 1e-4, "run": rh.RunOptions(images=100)}, "100 images are asked for"),
    ],
)
def test_a_sweep_that_cannot_be_meant(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        rh.sweep(network(), (FLOATS, LABELS), **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ber": 1e-4, "loss": 10}, "give one of them"),
        ({"ber": 0.0}, "at BER 0 nothing flips"),
        ({"loss": 100}, "not between 0 and 100"),
        ({"loss": (10, 10)}, "given twice"),
        ({"grid": (2, 2)}, "are for by patch"),
        ({"by": "patch", "faults": rh.FaultOptions(layer=("0",))}, "the input image alone"),
        ({"run": rh.RunOptions(until_width=0.0)}, "above 0 and up to 100"),
    ],
)
def test_a_study_that_cannot_be_meant(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        rh.vulnerability(network(), (FLOATS, LABELS), **options)
