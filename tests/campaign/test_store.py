"""The store: what goes in comes out, what contradicts is refused, what is damaged is told."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radhard.campaign.experiment import Unit
from radhard.campaign.merge import merge
from radhard.campaign.outcomes import COLUMNS, Outcome, add, empty_tally, pack, unpack
from radhard.campaign.store import APPLICATION, SCHEMA, Provenance, Store
from radhard.errors import InputError, StoreError
from tests.support.campaigns import outcome, setting, without_checksums

HOW = Provenance(seconds=0.5, passes=12.25, made_by="{}")
UNIT = Unit(setting=setting(), trial=2, start=200, stop=333)


def filled(path: Path, *units: Unit) -> Path:
    with Store(path) as store:
        for unit in units:
            store.write(unit, outcome(unit), provenance=HOW)
    return path


def rows(path: Path) -> list[object]:
    with Store(path, mode="read") as store:
        return list(store.rows())


def same(a: Outcome, b: Outcome) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in vars(a))


@given(st.lists(st.tuples(*[st.integers(-(2**31), 2**31 - 1)] * 3, st.booleans(), st.booleans()), max_size=20))
def test_packing_loses_nothing(images: list[tuple[int, int, int, bool, bool]]) -> None:
    columns = [np.array([image[k] for image in images]) for k in range(5)]
    before = Outcome(
        prediction=columns[0].astype(np.int32),
        non_finite=columns[1].astype(np.int32),
        flips=columns[2].astype(np.int32),
        correct=columns[3].astype(np.bool_),
        changed=columns[4].astype(np.bool_),
    )
    after = unpack(pack(before), images=len(images))
    assert same(before, after)
    assert [vars(after)[name].dtype for name in COLUMNS[:5]] == [vars(before)[name].dtype for name in COLUMNS[:5]]
    more = replace(before, leading=np.arange(5 * len(images), dtype=np.int32).reshape(-1, 5), reached=before.changed)
    again = unpack(pack(more), images=len(images))
    assert same(more, again) or not images  # of no images nothing is known


def test_the_bytes_are_those_that_the_format_says() -> None:
    packed = pack(
        Outcome(
            prediction=np.array([3, -1], np.int32),
            correct=np.array([True, False]),
            changed=np.array([False, True]),
            non_finite=np.array([0, 258], np.int32),
            flips=np.array([1, 2], np.int32),
        )
    )
    assert packed == (
        b"\x03\0\0\0\xff\xff\xff\xff", b"\x80", b"\x40", b"\0\0\0\0\x02\x01\0\0", b"\x01\0\0\0\x02\0\0\0", b"",
        b"", b"",
    )  # fmt: skip


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", UNIT)
    with Store(path) as store:
        found = store.outcome(UNIT)
        assert found is not None
        assert same(found, outcome(UNIT))
        assert store.outcome(Unit(setting=UNIT.setting, trial=3, start=200, stop=333)) is None
        assert store.settings() == {UNIT.setting.digest: UNIT.setting.text}
        assert store.provenance((UNIT.setting.digest, 2, 200, 333)) == HOW


def test_rows_do_not_depend_on_the_order_of_writing(tmp_path: Path) -> None:
    units = [Unit(setting=setting(ber), trial=t, start=0, stop=9) for ber in (1e-9, 1e-8) for t in (0, 1)]
    assert rows(filled(tmp_path / "a.db", *units)) == rows(filled(tmp_path / "b.db", *reversed(units)))


def test_the_same_outcome_again_is_welcome_and_another_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path / "run.db") as store:
        store.write(UNIT, outcome(UNIT), provenance=HOW)
        store.write(UNIT, outcome(UNIT), provenance=Provenance(seconds=9.0, passes=1.0, made_by="{}"))
        other = outcome(UNIT)
        other.flips[5] += 1
        with pytest.raises(StoreError, match=r"another outcome .* trial 2, images 200 to 332: column 'flips'"):
            store.write(UNIT, other, provenance=HOW)
        found = store.outcome(UNIT)
        assert found is not None
        assert same(found, outcome(UNIT))
        with pytest.raises(InputError, match="133"):
            store.write(UNIT, outcome(Unit(setting=UNIT.setting, trial=0, start=0, stop=4)), provenance=HOW)


def test_counts_add() -> None:
    unit = Unit(setting=setting(), trial=0, start=3, stop=8)
    one = outcome(unit)
    twice = add(add(empty_tally(10), one, start=3), one, start=3)
    assert twice.trials.tolist() == [0, 0, 0, 2, 2, 2, 2, 2, 0, 0]
    assert twice.n == 10
    assert twice.flips[3:8].tolist() == (2 * one.flips).tolist()
    assert twice.correct[3:8].tolist() == (2 * one.correct).tolist()
    assert twice.non_finite[3:8].tolist() == (2 * (one.non_finite > 0)).tolist()


# --- files that are no store ---


@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_file_that_is_not_sqlite_is_told(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "notes.db"
    path.write_text("These are my notes. " * 500)
    with pytest.raises(StoreError, match=rf"notes\.db is not an SQLite file of radhard schema {SCHEMA}"):
        Store(path, mode=mode)
    assert path.read_text().startswith("These are my notes")


def test_another_programs_database_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE photo (name TEXT)")
    file.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"photos\.db is an SQLite file, but not one of radhard's: .* 0x0, exp"):
        Store(path)
    assert path.read_bytes() == before


def test_another_schema_is_told_with_both_numbers(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", UNIT)
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        file.execute("PRAGMA user_version = 7")
    file.close()
    with pytest.raises(StoreError, match=rf"run\.db has schema 7, this radhard reads schema {SCHEMA}; open it"):
        Store(path)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_store_cut_short_is_told_wherever_it_is_cut(tmp_path: Path, share: float, mode: str) -> None:
    units = [Unit(setting=setting(), trial=t, start=0, stop=500) for t in range(20)]
    path = filled(tmp_path / "run.db", *units)
    assert not path.with_name("run.db-wal").exists()
    whole = path.read_bytes()
    assert len(whole) > 100_000
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(StoreError, match=r"run\.db .*(cut short|not an SQLite)"):
        Store(path, mode=mode)


def test_a_store_cut_between_pages_is_told(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", *[Unit(setting=setting(), trial=t, start=0, stop=500) for t in range(20)])
    path.write_bytes(path.read_bytes()[:-4096])
    with pytest.raises(StoreError, match="cut short"):
        Store(path)


def test_a_damaged_column_is_told(tmp_path: Path) -> None:
    path = without_checksums(filled(tmp_path / "run.db", UNIT))
    with sqlite3.connect(path) as file:
        file.execute("UPDATE unit SET flips = x'0011'")
    file.close()
    told = r"run\.db: toy, int8, BER 1e-08, .* trial 2, images 200 to 332 is damaged: column 'flips' of 133 .* holds 2"
    with Store(path, mode="read") as store, pytest.raises(StoreError, match=told):
        store.outcome(UNIT)
    with pytest.raises(StoreError, match=told):
        Store(path)


def test_an_empty_file_is_a_new_store_to_write_but_not_to_read(tmp_path: Path) -> None:
    """A process that is killed after it made the file and before it filled it leaves it so."""
    path = tmp_path / "run.db"
    path.touch()
    with pytest.raises(StoreError, match="not one of radhard's"):
        Store(path, mode="read")
    assert rows(filled(path, UNIT))


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.db does not exist"):
        Store(tmp_path / "none.db", mode="read")
    with pytest.raises(StoreError, match=r"folder .*nowhere does not exist; make it"):
        Store(tmp_path / "nowhere" / "run.db")


def test_an_older_store_is_brought_up_to_date_and_that_is_said(tmp_path: Path) -> None:
    path = without_checksums(filled(tmp_path / "run.db", UNIT))
    before = path.read_bytes()
    with Store(path, mode="read") as store:
        assert store.remarks == []
        found = store.outcome(UNIT)
        assert found is not None
        assert same(found, outcome(UNIT))
    assert path.read_bytes() == before
    with Store(path) as store:
        assert [remark for remark in store.remarks if "schema 3" in remark and "1 units have them" in remark]
        assert list(store.rows()) == rows(filled(tmp_path / "new.db", UNIT))
    with Store(path) as store:
        assert store.remarks == []
    with sqlite3.connect(path) as file:
        file.execute("UPDATE unit SET flips = zeroblob(length(flips))")
    file.close()
    with Store(path) as store, pytest.raises(StoreError, match=r"images 200 to 332 is damaged: its checksum"):
        store.outcome(UNIT)


TABLES_3 = """
CREATE TABLE setting (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE unit (
        setting TEXT NOT NULL REFERENCES setting (digest),
        trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
        prediction BLOB NOT NULL, correct BLOB NOT NULL, changed BLOB NOT NULL,
        non_finite BLOB NOT NULL, flips BLOB NOT NULL, account BLOB NOT NULL DEFAULT x'',
        PRIMARY KEY (setting, trial, start, stop)
    );
CREATE TABLE provenance (
        setting TEXT NOT NULL, trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
        seconds REAL NOT NULL, passes REAL NOT NULL, made_by TEXT NOT NULL,
        PRIMARY KEY (setting, trial, start, stop),
        FOREIGN KEY (setting, trial, start, stop) REFERENCES unit (setting, trial, start, stop)
    );
"""


def test_a_store_as_the_version_before_wrote_it(tmp_path: Path) -> None:
    """Letter by letter, line breaks among them."""
    path, new = tmp_path / "run.db", tmp_path / "new.db"
    file = sqlite3.connect(path)
    file.executescript(TABLES_3)
    file.execute(f"PRAGMA application_id = {APPLICATION}")
    file.execute("PRAGMA user_version = 3")
    file.execute("INSERT INTO setting VALUES (?, ?)", (UNIT.setting.digest, UNIT.setting.text))
    file.execute("INSERT INTO unit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*UNIT.key, *pack(outcome(UNIT))[:6]))
    file.execute("INSERT INTO provenance VALUES (?, ?, ?, ?, 0.5, 12.25, '{}')", UNIT.key)
    file.commit()
    file.close()
    expected = rows(filled(tmp_path / "now.db", UNIT))
    assert rows(path) == expected
    assert merge(new, [path]).new == 1
    with Store(path) as store:
        assert "schema 3" in store.remarks[0]
    assert rows(path) == rows(new) == expected


# --- disks that cannot be written ---


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder on a disk that nobody can write: mounted again so, where this process may do that."""
    if os.geteuid() == 0:
        mounted = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True, check=False)
        if mounted.returncode or os.access(folder, os.W_OK):
            pytest.skip("neither the rights of others nor a mount can make a folder read-only here")
        try:
            yield
        finally:
            subprocess.run(["umount", folder], check=True)
        return
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("left", ["nothing", "a log"])
def test_a_store_on_a_read_only_disk_is_read_and_merged(tmp_path: Path, left: str) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    store = Store(tmp_path / "run.db")
    store.write(UNIT, outcome(UNIT), provenance=HOW)
    if left == "nothing":
        store.close()
    for each in tmp_path.glob("run.db*"):
        if not each.name.endswith("-shm"):
            shutil.copy(each, folder)
    store.close()
    with read_only(folder):
        path = folder / "run.db"
        assert rows(path) == rows(tmp_path / "run.db")
        assert merge(tmp_path / "merged.db", [path]).new == 1
        with Store(path) as kept:
            assert any("cannot be written" in remark for remark in kept.remarks)
            found = kept.outcome(UNIT)
            assert found is not None
            assert same(found, outcome(UNIT))
            with pytest.raises(StoreError, match=r"cannot be written, and it lacks units"):
                kept.write(replace(UNIT, trial=5), outcome(replace(UNIT, trial=5)), provenance=HOW)
    assert rows(tmp_path / "merged.db") == rows(tmp_path / "run.db")


# --- merging ---


def test_merging_is_the_union_and_can_be_repeated(tmp_path: Path) -> None:
    units = [Unit(setting=setting(ber), trial=t, start=0, stop=50) for ber in (1e-9, 1e-8) for t in range(3)]
    whole = filled(tmp_path / "whole.db", *units)
    left, right = filled(tmp_path / "l.db", *units[:4]), filled(tmp_path / "r.db", *units[2:])
    merged = merge(tmp_path / "m.db", [left, right])
    assert (merged.settings, merged.units, merged.new) == (2, 6, 6)
    assert rows(tmp_path / "m.db") == rows(whole)
    assert merge(tmp_path / "m.db", [right, left]).new == 0
    assert rows(tmp_path / "m.db") == rows(whole)


def test_contradicting_stores_are_not_merged_at_all(tmp_path: Path) -> None:
    units = [Unit(setting=setting(), trial=t, start=0, stop=50) for t in range(3)]
    left, right = filled(tmp_path / "l.db", *units[:2]), tmp_path / "r.db"
    other = outcome(units[1])
    other.changed[:] = True
    with Store(right) as store:
        store.write(units[1], other, provenance=HOW)
        store.write(units[2], outcome(units[2]), provenance=HOW)
    before = rows(left)
    with pytest.raises(StoreError, match=r"l\.db already holds another outcome .* trial 1, .*'changed' differs"):
        merge(left, [right])
    assert rows(left) == before


def test_merging_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    path = filled(tmp_path / "a.db", UNIT)
    with pytest.raises(InputError, match="both read and written"):
        merge(path, [path])
    with pytest.raises(InputError, match="at least one"):
        merge(path, [])
    with pytest.raises(StoreError, match="does not exist"):
        merge(path, [tmp_path / "none.db"])


def test_a_store_left_by_a_killed_process_can_be_read(tmp_path: Path) -> None:
    """Its last transactions are in the log file beside it."""
    store = Store(tmp_path / "run.db")
    store.write(UNIT, outcome(UNIT), provenance=HOW)
    for name in ("run.db", "run.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / f"killed{name[3:]}")
    store.close()
    assert (tmp_path / "killed.db-wal").stat().st_size > 0
    assert rows(tmp_path / "killed.db") == rows(tmp_path / "run.db")
