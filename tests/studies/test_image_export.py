"""`rh.export` and `radhard export`: each row against the store, read by hand through sqlite."""

import csv
import json
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

import radhard as rh
from radhard.campaign.experiment import Unit
from radhard.campaign.outcomes import Outcome
from radhard.campaign.store import Provenance, Store
from radhard.cli.commands import app
from radhard.errors import InputError, StoreError
from radhard.report import image_table
from tests.campaign.test_store_damage import filled
from tests.support.campaigns import outcome, setting

HOW = Provenance(seconds=0.0, passes=1.0, made_by="{}")
ARRAYS = {"prediction": "i", "non_finite": "i", "flips": "i"}


def by_hand(path: Path) -> dict[tuple[str, int, int], dict[str, Any]]:
    """(setting, trial, image) -> what the store's own bytes say, bit by bit."""
    file = sqlite3.connect(path)
    texts = dict(file.execute("SELECT digest, text FROM setting"))
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    rows = file.execute("SELECT setting, trial, start, stop, prediction, correct, changed, non_finite, flips FROM unit")
    for digest, trial, start, stop, prediction, correct, changed, non_finite, flips in rows:
        values = json.loads(texts[digest])
        count = stop - start
        numbers = [struct.unpack(f"<{count}i", raw) for raw in (prediction, non_finite, flips)]
        for k in range(count):
            found[digest, trial, start + k] = {
                "model": values["model"],
                "ber": values["faults"]["ber"] if values["faults"] else 0.0,
                "seed": values["faults"]["seed"] if values["faults"] else None,
                "schemes": "tmr" if "protection" in values else None,
                "prediction": numbers[0][k],
                "non_finite": numbers[1][k],
                "flips": numbers[2][k],
                "right": bool(correct[k // 8] >> (7 - k % 8) & 1),
                "changed": bool(changed[k // 8] >> (7 - k % 8) & 1),
            }
    file.close()
    return found


def exported(path: Path) -> Iterator[tuple[tuple[str, int, int], dict[str, Any]]]:
    for row in pyarrow.parquet.read_table(path).to_pylist():
        yield (row["setting"], row["trial"], row["image"]), row


@pytest.mark.parametrize("group", [7, 131_072])
def test_every_row_is_what_the_store_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr(image_table, "GROUP", group)
    filled(tmp_path / "run.db")
    known = by_hand(tmp_path / "run.db")
    count = rh.export(tmp_path / "run.db", tmp_path / "out.parquet")
    rows = list(exported(tmp_path / "out.parquet"))
    assert count == len(rows) == len(known) > 4000
    assert [place for place, _ in rows] == sorted(known)
    for place, row in rows:
        assert {name: row[name] for name in known[place]} == known[place]
        clean = setting(0.0).digest, 0, place[2]
        nan = row["prediction"] == -1
        assert (row["sdc"], row["due"]) == (row["changed"] and not nan, row["changed"] and nan)
        right_before = known[clean]["right"] if clean in known else (None if row["sdc"] else False)
        assert row["critical_sdc"] == (None if right_before is None else row["sdc"] and right_before)
    assert pyarrow.parquet.ParquetFile(tmp_path / "out.parquet").metadata.num_row_groups >= count // group


def write(path: Path, unit: Unit, **arrays: list[int]) -> None:
    count = len(unit)
    values = {name: np.array(arrays.get(name, [0] * count), np.int32) for name in ARRAYS}
    flags = {name: np.array(arrays.get(name, [0] * count), bool) for name in ("correct", "changed")}
    with Store(path) as store:
        store.write(unit, Outcome(**values, **flags), provenance=HOW)


def test_sdc_critical_and_due(tmp_path: Path) -> None:
    path, clean, faulty = tmp_path / "s.db", setting(0.0), setting(1e-6)
    write(path, Unit(setting=clean, trial=0, start=0, stop=4), prediction=[0, 1, 2, 3], correct=[1, 1, 0, 1])
    unit = Unit(setting=faulty, trial=0, start=0, stop=5)
    wrong = {"correct": [1, 0, 0, 0, 0], "changed": [0, 1, 1, 1, 1]}
    write(path, unit, prediction=[0, 5, 5, -1, 5], flips=[9, 8, 7, 6, 5], **wrong)
    assert rh.export(path, tmp_path / "t.parquet") == 9
    rows = [row for (digest, _, _), row in exported(tmp_path / "t.parquet") if digest == faulty.digest]
    assert [row["sdc"] for row in rows] == [False, True, True, False, True]
    assert [row["due"] for row in rows] == [False, False, False, True, False]
    assert [row["critical_sdc"] for row in rows] == [False, True, False, False, None]  # image 4: no clean answer kept
    assert [row["flips"] for row in rows] == [9, 8, 7, 6, 5]


def test_without_labels_nothing_is_right_or_wrong(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    for each in (setting(0.0, labelled=False), setting(1e-6, labelled=False)):
        unit = Unit(setting=each, trial=0, start=0, stop=3)
        write(path, unit, prediction=[0, 1, 2], correct=[1, 1, 1])
    rh.export(path, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert {(row["right"], row["critical_sdc"], row["sdc"]) for row in rows} == {("", "", "false")}
    assert {row["seed"] for row in rows} == {"", "0"}


def test_units_of_two_chunks_give_an_image_once(tmp_path: Path) -> None:
    path, faulty = tmp_path / "s.db", setting(1e-6)
    with Store(path) as store:
        for start, stop in ((0, 10), (0, 25), (10, 20), (20, 40), (60, 70)):
            unit = Unit(setting=faulty, trial=0, start=start, stop=stop)
            store.write(unit, outcome(unit), provenance=HOW)
        assert rh.export(store, tmp_path / "t.parquet") == 50
    rows = list(exported(tmp_path / "t.parquet"))
    assert [image for (_, _, image), _ in rows] == [*range(40), *range(60, 70)]
    assert {place: row["flips"] for place, row in rows} == {k: v["flips"] for k, v in by_hand(path).items()}


def test_units_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    path, faulty = tmp_path / "s.db", setting(1e-6)
    write(path, Unit(setting=faulty, trial=0, start=0, stop=4), prediction=[0, 1, 2, 3])
    write(path, Unit(setting=faulty, trial=0, start=2, stop=5), prediction=[2, 4, 4])
    with pytest.raises(StoreError, match="prediction of image 3 is 3 and 4"):
        rh.export(path, tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()
    assert not list(tmp_path.glob(".*"))  # no draft is left


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_command_writes_both_files(tmp_path: Path) -> None:
    filled(tmp_path / "run.db")
    parquet, table = tmp_path / "o.parquet", tmp_path / "o.csv"
    code, said, notes = run("export", tmp_path / "run.db", "--parquet", parquet, "--csv", table)
    count = len(by_hand(tmp_path / "run.db"))
    assert (code, notes) == (0, "")
    assert said.count(f"{count:,} rows") == 2
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == pyarrow.parquet.read_schema(parquet).names == image_table.SCHEMA.names
    assert [int(row["flips"]) for row in rows] == [row["flips"] for _, row in exported(parquet)]


def test_the_command_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    filled(tmp_path / "run.db")
    code, _, notes = run("export", tmp_path / "run.db")
    assert (code, "--parquet FILE" in notes) == (2, True)
    code, _, notes = run("export", tmp_path / "no.db", "--csv", tmp_path / "o.csv")
    assert (code, "no.db does not exist" in notes) == (2, True)
    file = sqlite3.connect(tmp_path / "run.db")
    file.execute("UPDATE unit SET flips = zeroblob(length(flips)) WHERE trial = 9")
    file.commit()
    file.close()
    code, _, notes = run("export", tmp_path / "run.db", "--csv", tmp_path / "o.csv")
    assert code == 2
    assert "trial 9, images 0 to 2999 is damaged" in notes
    assert "--drop-damaged" in notes
    assert not (tmp_path / "o.csv").exists()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "run.db")
    with pytest.raises(InputError, match=r"\.parquet or \.csv"):
        rh.export(tmp_path / "run.db", tmp_path / "out.txt")


def test_the_page_lists_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    for name in image_table.SCHEMA.names:
        assert f"| `{name}` |" in page
