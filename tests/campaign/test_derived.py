"""What follows from the rest of an outcome is compared where a run takes one from a store."""

import re
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from radhard.campaign.derived import contradiction
from radhard.campaign.execute import execute
from radhard.campaign.experiment import Campaign, Unit
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.store import Store
from radhard.errors import StoreError
from tests.support.campaigns import Toy, outcome, setting, without_checksums

UNIT = Unit(setting=setting(), trial=1, start=20, stop=60)
CLEAN = UNIT.without_faults()
LABELS = np.arange(20, 60) % 10
BENCH = ModelUnderTest(
    model="toy", programs={}, data=SimpleNamespace(labels=torch.arange(60) % 10), mean=(), std=()
)  # fmt: skip


def test_nothing_is_wrong_with_what_was_measured() -> None:
    assert contradiction(UNIT, outcome(UNIT), clean=outcome(CLEAN), labels=LABELS) is None
    assert contradiction(CLEAN, outcome(CLEAN), clean=None, labels=LABELS) is None


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("correct", r"'correct' is not: prediction equals label \(image 27\)"),
        ("changed", r"'changed' is not: prediction differs from the clean one \(image 27\)"),
        ("prediction", r"image 27"),
    ],
)
def test_one_changed_value_contradicts_the_others(column: str, told: str) -> None:
    found = outcome(UNIT)
    values = getattr(found, column)
    values[7] = not values[7] if values.dtype == np.bool_ else 8 if values[7] == 7 else 7  # the label is 7
    wrong = contradiction(UNIT, found, clean=outcome(CLEAN), labels=LABELS)
    assert wrong is not None
    assert re.search(told, wrong)


def test_flips_that_cannot_be() -> None:
    found = outcome(UNIT)
    found.flips[3] = -1
    assert "below 0 (image 23)" in str(contradiction(UNIT, found, clean=None, labels=None))
    clean = outcome(CLEAN)
    clean.flips[4] = 1
    assert "flips without faults (image 24)" in str(contradiction(CLEAN, clean, clean=None, labels=None))


@pytest.mark.parametrize(("column", "trial"), [("correct", 0), ("changed", 1), ("correct", 1)])
def test_a_run_refuses_an_older_store_that_contradicts_itself(tmp_path: Path, column: str, trial: int) -> None:
    """Without checksums the file itself looks whole."""
    path = tmp_path / "run.db"
    campaign = Campaign(settings=(setting(),), images=60, trials=2, chunk=40)
    with Store(path) as store:
        list(execute(campaign, store, executor=Toy(), model_under_test=BENCH))
    without_checksums(path)
    digest = setting().digest if trial else setting().without_faults().digest
    file = sqlite3.connect(path)
    where = (digest, trial)
    (raw,) = file.execute(f"SELECT {column} FROM unit WHERE setting = ? AND trial = ? AND start = 0", where).fetchone()
    other = bytes([raw[0] ^ 0x10]) + raw[1:]
    file.execute(f"UPDATE unit SET {column} = ? WHERE setting = ? AND trial = ? AND start = 0", (other, *where))
    file.commit()
    file.close()
    with (
        Store(path) as store,
        pytest.raises(StoreError, match=rf"trial {trial}, images 0 to 39 is damaged: '{column}' is not: .*\(image 3\)"),
    ):
        list(execute(campaign, store, executor=Toy(), model_under_test=BENCH))
