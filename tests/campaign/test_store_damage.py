"""Damage of a store: one byte anywhere, a page, the end, a log; each is refused, or changes nothing that is read."""

import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from radhard.campaign.experiment import Unit
from radhard.campaign.merge import merge
from radhard.campaign.outcomes import pack
from radhard.campaign.salvage import salvage
from radhard.campaign.store import Provenance, Store
from radhard.errors import StoreError
from radhard.protection import Account, Operations, Protection, Tmr
from tests.support.campaigns import outcome, setting

PROTECTED = setting(protection=Protection.of({"head": Tmr()}))
UNITS = [
    *(
        Unit(setting=each, trial=trial, start=start, stop=start + 60)
        for each in (setting(0.0), setting(1e-9), setting(1e-8), PROTECTED)
        for trial in range(1 if each.clean else 3)
        for start in (0, 60, 120)
    ),
    Unit(setting=setting(1e-8), trial=9, start=0, stop=3000),  # on overflow pages
]
Kept = dict[tuple[str, int, int, int], tuple[tuple[bytes, ...], Provenance]]


def filled(path: Path) -> Kept:
    """A store of all UNITS, and what is in it."""
    kept: Kept = {}
    with Store(path) as store:
        for number, unit in enumerate(UNITS):
            found = outcome(unit)
            if unit.setting is PROTECTED:
                account = Account(checks=40, alarms=3, executed=Operations(mul=10**6 + number))
                found = replace(found, account=account)
            how = Provenance(seconds=0.5 + number, passes=12.25, made_by='{"radhard": "0"}')
            store.write(unit, found, provenance=how, program='{"model": "toy"}')
            kept[unit.key] = pack(found), how
    return kept


def read(path: Path) -> Kept:
    """All UNITS as a run reads them."""
    found: Kept = {}
    with Store(path, mode="read") as store:
        store.programs()
        for unit in UNITS:
            if (one := store.outcome(unit)) is not None:
                found[unit.key] = pack(one), store.provenance(unit.key)
    return found


def refused(path: Path, *, by: Callable[[Path], object]) -> bool:
    """Whether a StoreError of one line refuses the store."""
    try:
        by(path)
    except StoreError as error:
        told = str(error)
    else:
        return False
    assert "\n" not in told
    assert len(told) < 1000
    return True


def verdict(path: Path, kept: Kept) -> str:
    """What becomes of a store that was damaged: "refused" or "the same"; anything else fails."""
    answer = "refused" if refused(path, by=read) else "the same"
    if answer == "the same":
        assert read(path) == kept
    if not refused(path, by=salvage):
        whole = salvage(path)
        assert whole.units.items() <= kept.items()
        assert answer == "refused" or whole.units == kept
    return answer


def check_bytes(tmp_path: Path, *, changes: int, seed: int) -> Counter[str]:
    source, path = tmp_path / "whole.db", tmp_path / "run.db"
    kept = filled(source)
    whole = source.read_bytes()
    rng, found = random.Random(seed), Counter[str]()
    for _ in range(changes):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
        path.write_bytes(data)
        found[verdict(path, kept)] += 1
        for rest in tmp_path.glob("run.db-*"):
            rest.unlink()
    return found


def test_a_changed_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    found = check_bytes(tmp_path, changes=150, seed=1)
    assert found["refused"] > 30


@pytest.mark.slow
def test_two_thousand_changed_bytes(tmp_path: Path) -> None:
    found = check_bytes(tmp_path, changes=2000, seed=2)
    assert found.total() == 2000


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.5, 0.9, 0.999])
def test_a_store_cut_short_is_refused_and_its_rest_saved(tmp_path: Path, share: float) -> None:
    path = tmp_path / "run.db"
    kept = filled(path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert verdict(path, kept) == "refused" or share > 0.99  # of the last page all that is used is there


def test_pages_of_zeros_are_refused_and_the_others_saved(tmp_path: Path) -> None:
    source, path = tmp_path / "whole.db", tmp_path / "run.db"
    kept = filled(source)
    whole = source.read_bytes()
    most = 0
    for page in range(1, len(whole) // 4096):
        path.write_bytes(whole[: 4096 * page] + bytes(4096) + whole[4096 * (page + 1) :])
        assert verdict(path, kept) == "refused"
        if not refused(path, by=salvage):
            most = max(most, len(salvage(path).units))
    assert most >= len(kept) - 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE unit SET correct = 5",
        "UPDATE unit SET correct = 'text' WHERE trial = 1",
        "UPDATE unit SET flips = NULL",
        "UPDATE unit SET trial = 7 WHERE trial = 2",
        "UPDATE unit SET trial = 'one' WHERE trial = 2",
        "UPDATE unit SET stop = stop + 1 WHERE trial = 2",
        "UPDATE unit SET checksum = x''",
        "UPDATE unit SET prediction = changed WHERE trial = 2",
        "UPDATE provenance SET passes = 1.0 WHERE trial = 1",
        "UPDATE provenance SET passes = 'many' WHERE trial = 1",
        "UPDATE provenance SET made_by = CAST(x'ff00' AS TEXT)",
        "DELETE FROM provenance WHERE trial = 1",
        "UPDATE setting SET text = replace(text, '1e-08', '1e-07')",
        "UPDATE setting SET text = 5",
        "UPDATE program SET text = '{}'",
        "DROP TABLE provenance",
        "ALTER TABLE unit ADD COLUMN mine TEXT",
        "ALTER TABLE unit RENAME COLUMN correct TO correkt",
        "CREATE TRIGGER t AFTER INSERT ON unit BEGIN DELETE FROM unit; END",
        "PRAGMA user_version = 3",
        "PRAGMA user_version = 2",
        "PRAGMA application_id = 0",
        "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = CAST(x'ff' || sql AS TEXT) WHERE name = 'unit'",
    ],
)
def test_what_another_program_writes_into_a_store_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "run.db"
    kept = filled(path)
    file = sqlite3.connect(path)
    try:
        file.executescript(statement)
    except sqlite3.IntegrityError:
        assert "NULL" in statement  # SQLite itself refuses that
        return
    finally:
        file.commit()
        file.close()
    assert verdict_of_all(path, kept) == "refused"


def verdict_of_all(path: Path, kept: Kept) -> str:
    """As `verdict`, of everything in the store, not only of what a run asks for."""

    def everything(path: Path) -> None:
        read(path)
        with Store(path, mode="read") as store:
            assert len(list(store.rows())) == len(kept)

    assert not refused(path, by=read) or verdict(path, kept) == "refused"
    return "refused" if refused(path, by=everything) else "the same"


def test_a_damaged_unit_is_named_with_what_to_do(tmp_path: Path) -> None:
    path, new = tmp_path / "run.db", tmp_path / "new.db"
    kept = filled(path)
    unit = next(unit for unit in UNITS if unit.trial == 2 and unit.start == 60)
    file = sqlite3.connect(path)
    file.execute(
        "UPDATE unit SET correct = x'ffffffffffffffff' WHERE setting = ? AND trial = 2 AND start = 60", unit.key[:1]
    )
    file.commit()
    file.close()
    told = (
        rf"run\.db: toy, int8, BER 1e-09, setting {unit.setting.digest[:12]}, trial 2, images 60 to 119 is damaged: "
        r"its checksum is another one; `radhard merge NEW\.db .*run\.db --drop-damaged` copies what is whole"
    )
    with Store(path) as store, pytest.raises(StoreError, match=told):
        store.outcome(unit)
    with pytest.raises(StoreError, match=told):
        merge(new, [path])
    assert not new.exists()
    merged = merge(new, [path], damaged="drop")
    assert (merged.units, merged.new) == (len(kept) - 1, len(kept) - 1)
    assert len(merged.damaged) == 1
    assert "trial 2, images 60 to 119" in merged.damaged[0]
    assert read(new) == {key: value for key, value in kept.items() if key != unit.key}


def test_a_log_that_was_cut_loses_whole_units_at_most(tmp_path: Path) -> None:
    """What a killed process leaves beside the file: where its end is damaged, the last units were not written."""
    with Store(tmp_path / "run.db") as store:
        for unit in UNITS[:6]:
            store.write(unit, outcome(unit), provenance=Provenance(seconds=1.0, passes=1.0, made_by="{}"))
        main, log = ((tmp_path / name).read_bytes() for name in ("run.db", "run.db-wal"))
    rng = random.Random(3)
    for number in range(20):
        path = tmp_path / f"{number}.db"
        path.write_bytes(main)
        data = bytearray(log)
        data[rng.randrange(len(data))] ^= 1 + rng.randrange(255)
        path.with_name(f"{number}.db-wal").write_bytes(data[: len(data) if number % 2 else rng.randrange(len(data))])
        if refused(path, by=read):
            continue
        for key, (packed, _) in read(path).items():
            assert packed == next(pack(outcome(unit)) for unit in UNITS if unit.key == key)
