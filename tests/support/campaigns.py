"""Settings and an executor for tests of campaigns: outcomes follow from the unit alone, no model runs."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from radhard.campaign.executor import Done
from radhard.campaign.experiment import Setting, Unit
from radhard.campaign.measure import Job, Measured
from radhard.campaign.outcomes import LATER, Outcome


def setting(ber: float = 1e-8, **changes: object) -> Setting:
    fields = {
        "model": "toy", "recipe": "int8", "program": "ab" * 32, "data": "toy/test", "data_digest": "cd" * 32,
        "ber": ber, "kinds": frozenset({"mul", "add"}), "bits": 10**7,
    }  # fmt: skip
    return Setting(**{**fields, **changes})


def outcome(unit: Unit) -> Outcome:
    """Random, but always the same for one image and trial of a setting, whatever the unit."""
    rows = [row(unit, image) for image in range(unit.start, unit.stop)]
    prediction, label, clean, non_finite, flips = np.array(rows, np.int32).T
    return Outcome(
        prediction=prediction,
        correct=prediction == label,
        changed=prediction != clean,
        non_finite=non_finite,
        flips=flips,
    )


def row(unit: Unit, image: int) -> tuple[int, ...]:
    digits = int(unit.setting.digest[:8], 16)
    generator = np.random.default_rng([digits, unit.trial, image])
    label = image % 10
    if unit.setting.clean:
        return label, label, label, 0, 0
    flips = int(generator.poisson(unit.setting.bits * unit.setting.ber * 1e3))
    return label if generator.random() < 0.6 else -1, label, label, flips // 50, flips


def without_effects(file: sqlite3.Connection) -> None:
    """The same store as schema 5 has it: no outcome says what its faults reached."""
    for column in LATER:
        file.execute(f"ALTER TABLE unit DROP COLUMN {column}")
    file.execute("PRAGMA user_version = 5")


def without_checksums(path: Path) -> Path:
    """The same store as schema 3 has it."""
    file = sqlite3.connect(path)
    without_effects(file)
    for table in ("unit", "provenance"):
        file.execute(f"ALTER TABLE {table} DROP COLUMN checksum")
    for table in ("program", "result"):
        file.execute(f"DROP TABLE {table}")
    file.execute("PRAGMA user_version = 3")
    file.commit()
    file.close()
    return path


@dataclass(kw_only=True)
class Toy:
    """An executor that notes what it was given, and dies after `life` units."""

    life: int = 10**9
    given: list[Unit] = field(default_factory=list)

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        for job in jobs:
            if len(self.given) >= self.life:
                raise KeyboardInterrupt
            assert len({(unit.trial, unit.start, unit.stop) for unit in job.units}) == 1
            assert job.units[0].setting.clean or job.clean is not None
            self.given.extend(job.units)
            yield Done(job=job, measured=tuple(map(measured, job.units)))


def measured(unit: Unit) -> Measured:
    return Measured(outcome=outcome(unit), passes=len(unit) / 4, seconds=0.01)
