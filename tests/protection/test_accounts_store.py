"""Accounts in the store: kept with outcomes, compared like them; and stores from before there were any."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radhard.campaign.experiment import Unit
from radhard.campaign.merge import merge
from radhard.campaign.outcomes import Outcome, pack
from radhard.campaign.store import APPLICATION, SCHEMA, Provenance, Store
from radhard.errors import StoreError
from radhard.protection import Account, Operations, Protection, Tmr
from tests.support.campaigns import outcome, setting, without_checksums

HOW = Provenance(seconds=0.5, passes=12.25, made_by="{}")
OLD = Unit(setting=setting(), trial=1, start=10, stop=29)
NEW = Unit(setting=setting(protection=Protection.of({"head": Tmr()})), trial=0, start=0, stop=4)
ACCOUNT = Account(
    checks=40, alarms=3, flagged=3, repaired=2, uncorrected=1, residual=5,
    executed=Operations(mul=10**12, add=7, cmp=3), hidden=Operations(add=1),
)  # fmt: skip

TABLES_2 = """
CREATE TABLE setting (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE unit (
    setting TEXT NOT NULL REFERENCES setting (digest),
    trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    prediction BLOB NOT NULL, correct BLOB NOT NULL, changed BLOB NOT NULL,
    non_finite BLOB NOT NULL, flips BLOB NOT NULL,
    PRIMARY KEY (setting, trial, start, stop)
);
CREATE TABLE provenance (
    setting TEXT NOT NULL, trial INTEGER NOT NULL, start INTEGER NOT NULL, stop INTEGER NOT NULL,
    seconds REAL NOT NULL, passes REAL NOT NULL, made_by TEXT NOT NULL,
    PRIMARY KEY (setting, trial, start, stop),
    FOREIGN KEY (setting, trial, start, stop) REFERENCES unit (setting, trial, start, stop)
);
"""


def schema_2(path: Path) -> Path:
    """A store as it was written before there were accounts, with one unit."""
    found = outcome(OLD)
    words = [getattr(found, name).astype("<i4").tobytes() for name in ("prediction", "non_finite", "flips")]
    bits = [np.packbits(getattr(found, name)).tobytes() for name in ("correct", "changed")]
    digest, text = OLD.setting.digest, OLD.setting.text
    file = sqlite3.connect(path)
    file.executescript(TABLES_2)
    file.execute(f"PRAGMA application_id = {APPLICATION}")
    file.execute("PRAGMA user_version = 2")
    file.execute("INSERT INTO setting VALUES (?, ?)", (digest, text))
    file.execute("INSERT INTO unit VALUES (?, 1, 10, 29, ?, ?, ?, ?, ?)", (digest, words[0], *bits, words[1], words[2]))
    file.execute("INSERT INTO provenance VALUES (?, 1, 10, 29, 0.5, 12.25, '{}')", (digest,))
    file.commit()
    file.close()
    return path


def guarded(**changes: int) -> Outcome:
    return replace(outcome(NEW), account=replace(ACCOUNT, **changes))


def filled(path: Path, found: Outcome) -> Path:
    with Store(path) as store:
        store.write(NEW, found, provenance=HOW)
    return path


def version(path: Path) -> int:
    file = sqlite3.connect(path)
    try:
        return int(file.execute("PRAGMA user_version").fetchone()[0])
    finally:
        file.close()


def test_accounts_add_and_go_through_json() -> None:
    twice = ACCOUNT + ACCOUNT
    assert twice.executed == Operations(mul=2 * 10**12, add=14, cmp=6)
    assert (twice.checks, twice.alarms, twice.residual, twice.uncorrected) == (80, 6, 10, 2)
    assert Account.from_dict(ACCOUNT.as_dict()) == ACCOUNT
    assert Account.from_dict(Account().as_dict()) == Account()


def test_an_account_is_kept(tmp_path: Path) -> None:
    with Store(filled(tmp_path / "run.db", guarded()), mode="read") as store:
        found = store.outcome(NEW)
    assert found is not None
    assert found.account == ACCOUNT
    assert pack(found) == pack(guarded())


def test_another_account_of_the_same_unit_is_refused(tmp_path: Path) -> None:
    path = filled(tmp_path / "run.db", guarded())
    with Store(path) as store:
        store.write(NEW, guarded(), provenance=HOW)
        for other in (guarded(residual=6), replace(guarded(), account=None)):
            with pytest.raises(StoreError, match=r"images 0 to 3: column 'account' differs"):
                store.write(NEW, other, provenance=HOW)
        found = store.outcome(NEW)
    assert found is not None
    assert found.account == ACCOUNT


def test_merging_keeps_accounts_and_refuses_contradicting_ones(tmp_path: Path) -> None:
    one, same, other = (
        filled(tmp_path / f"{name}.db", found)
        for name, found in (("a", guarded()), ("b", guarded()), ("c", guarded(alarms=4)))
    )
    assert merge(tmp_path / "m.db", [one, same]).units == 1
    with Store(tmp_path / "m.db", mode="read") as store:
        found = store.outcome(NEW)
    assert found is not None
    assert found.account == ACCOUNT
    with pytest.raises(StoreError, match=r"column 'account' differs"):
        merge(tmp_path / "m.db", [other])


@pytest.mark.parametrize(
    "damage", ["'{'", "'[]'", "'{\"checks\": 1}'", "x'ff'", "'{\"executed\": 3, \"hidden\": {}}'"]
)  # fmt: skip
def test_a_damaged_account_is_told(tmp_path: Path, damage: str) -> None:
    """In a store without checksums: one that has them refuses it before it is read."""
    path = without_checksums(filled(tmp_path / "run.db", guarded()))
    with sqlite3.connect(path) as file:
        file.execute(f"UPDATE unit SET account = CAST({damage} AS BLOB)")
    file.close()
    with pytest.raises(StoreError, match=r"run\.db: .* images 0 to 3 is damaged: column 'account'"):
        Store(path)  # which would give it a checksum
    told = r"run\.db: .* images 0 to 3 is damaged: .*'account'"
    with Store(path, mode="read") as store, pytest.raises(StoreError, match=told):
        store.outcome(NEW)


# --- schema 2 ---


def test_a_store_without_accounts_is_brought_up_to_date_when_it_is_written(tmp_path: Path) -> None:
    path = schema_2(tmp_path / "old.db")
    with Store(path) as store:
        found = store.outcome(OLD)
        assert found is not None
        assert pack(found) == pack(outcome(OLD))
        assert found.account is None
        assert store.settings() == {OLD.setting.digest: OLD.setting.text}
        assert store.provenance(OLD.key) == HOW
        store.write(OLD, outcome(OLD), provenance=HOW)  # the same again
        store.write(NEW, guarded(), provenance=HOW)
    assert version(path) == SCHEMA
    with Store(path, mode="read") as store:
        after = store.outcome(NEW)
        assert after is not None
        assert after.account == ACCOUNT
        assert [key for key, _ in store.rows()] == sorted([OLD.key, NEW.key])
    fresh = tmp_path / "fresh.db"
    with Store(fresh) as store:
        store.write(OLD, outcome(OLD), provenance=HOW)
        store.write(NEW, guarded(), provenance=HOW)
        expected = list(store.rows())
    with Store(path) as store:  # opened again, nothing more is to do
        assert list(store.rows()) == expected


def test_a_store_without_accounts_is_read_as_it_is(tmp_path: Path) -> None:
    path = schema_2(tmp_path / "old.db")
    before = path.read_bytes()
    with Store(path, mode="read") as store:
        found = store.outcome(OLD)
        assert found is not None
        assert pack(found) == pack(outcome(OLD))
        assert [key for key, _ in store.rows()] == [OLD.key]
    assert path.read_bytes() == before
    merged = merge(tmp_path / "m.db", [path, filled(tmp_path / "new.db", guarded())])
    assert (merged.units, merged.new) == (2, 2)
    assert path.read_bytes() == before


@pytest.mark.parametrize("number", [1, SCHEMA + 1])
@pytest.mark.parametrize("mode", ["read", "write"])
def test_other_schemas_are_left_alone(tmp_path: Path, mode: str, number: int) -> None:
    path = schema_2(tmp_path / "old.db")
    with sqlite3.connect(path) as file:
        file.execute(f"PRAGMA user_version = {number}")
    file.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"has schema {number}, this radhard reads schema {SCHEMA}"):
        Store(path, mode=mode)  # type: ignore[arg-type]
    assert path.read_bytes() == before


def test_the_names_in_stores_are_those_of_older_ones() -> None:
    """Written out: a store of any version is read by any other."""
    told = Account(excluded=1, false_alarms=2, inconsistent=3, uncorrected=4, corrupted=5).as_dict()
    assert {name: told[name] for name in ("spared", "cleared", "one_sided", "left", "stale")} == {
        "spared": 1, "cleared": 2, "one_sided": 3, "left": 4, "stale": 5,
    }  # fmt: skip
    assert set(told) == {
        "checks", "alarms", "flagged", "repaired", "recomputed", "spared", "cleared", "one_sided", "left", "stale",
        "residual", "executed", "hidden",
    }  # fmt: skip
