"""Many flips are drawn and applied in parts: the same faults, in bounded memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from radhard.campaign.experiment import Setting, Unit
from radhard.campaign.measure import Job, measure
from radhard.campaign.outcomes import Outcome, pack
from radhard.errors import InputError
from radhard.faults import Faults, Faulty, Where, draw_in_parts, patches_of, room, trace
from radhard.machine import Clean
from radhard.program import run
from tests.support import guarded
from tests.support.models import images, tiny_program

IDS = torch.tensor([3, 40, 7, 12, 5])
RATE = 2e-4
COLUMNS = ("image", "kind", "index", "bit")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few flips at once that sites are drawn in several parts."""
    monkeypatch.setattr(room, "DRAWN_AT_ONCE", 40)


@pytest.mark.parametrize("recipe", ["int8", "int8-float", "float"])
@pytest.mark.parametrize(
    "where",
    [
        Where(),
        Where(operators=("linear", "softmax")),
        Where(bits=("mul:*:1?", "add:*:3")),
        Where(grid=(2, 2), patches=("0,1",)),
    ],
)
def test_flips_drawn_site_by_site_are_the_same(recipe: str, where: Where, request: pytest.FixtureRequest) -> None:
    program, x = tiny_program(recipe), images(len(IDS))
    faults = Faults(ber=RATE, where=where, kinds=frozenset({"mul", "add", "special"}), seed=9)
    table = trace(program, faults, IDS)
    whole = run(program, x, Faulty(Clean(), table), ids=IDS)
    counts = torch.from_numpy(table.per_image(IDS.numpy()))
    assert len(table) > 40 * 3
    request.getfixturevalue("few")
    machine = Faulty(Clean(), faults, patches=patches_of(program, where))
    found = run(program, x, machine, ids=IDS)
    assert torch.equal(found.logits.view(torch.int32), whole.logits.view(torch.int32))
    assert torch.equal(found.non_finite, whole.non_finite)
    assert torch.equal(machine.counts, counts)
    assert machine.flips is not None
    assert len(machine.flips) == len(table)


@pytest.mark.parametrize("where", [Where(), Where(bits=("mul:*:1?",)), Where(grid=(2, 2), patches=("0,1",))])
def test_the_parts_of_a_table_are_the_table(where: Where, request: pytest.FixtureRequest) -> None:
    program = tiny_program("int8")
    faults = Faults(ber=RATE, where=where, seed=4)
    table = trace(program, faults, IDS)
    request.getfixturevalue("few")
    parts = list(draw_in_parts(program, faults, IDS))
    assert len(parts) > 3
    names = [np.array(part.sites)[part.site] for part in parts]
    assert np.array_equal(np.concatenate(names), np.array(table.sites)[table.site])
    for column in COLUMNS:
        assert np.array_equal(np.concatenate([getattr(part, column) for part in parts]), getattr(table, column))


def outcome(setting: Setting) -> Outcome:
    """Of eight images in two runs."""
    model_under_test = guarded.model_under_test()
    unit = Unit(setting=setting, trial=1, start=2, stop=10)
    (clean,) = measure(Job(units=(unit.without_faults(),), clean=None), model_under_test, batch=5)
    return measure(Job(units=(unit,), clean=clean.outcome), model_under_test, batch=5)[0].outcome


def test_outcomes_do_not_depend_on_how_flips_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [guarded.plain(200.0), guarded.guarded(200.0)]
    expected = [pack(outcome(setting)) for setting in settings]
    assert min(np.frombuffer(packed[4], "<i4").min() for packed in expected) > 0
    monkeypatch.setattr(room, "DRAWN_AT_ONCE", 40)
    assert [pack(outcome(setting)) for setting in settings] == expected


def test_a_rate_that_memory_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    program = tiny_program("int8")
    monkeypatch.setattr(room, "free_bytes", lambda: 1e5)
    with pytest.raises(InputError, match=r"a bit error rate of 0.5 asks for .* flips at once, .*\(batch\)"):
        trace(program, Faults(ber=0.5), IDS)
    monkeypatch.setattr(room, "DRAWN_AT_ONCE", 40)
    with pytest.raises(InputError, match=r"a bit error rate of 0.5 asks for"):
        run(program, images(len(IDS)), Faulty(Clean(), Faults(ber=0.5)), ids=IDS)


def test_free_memory_is_the_least_of_what_limits_it(tmp_path: Path) -> None:
    assert 0 < room.free_bytes() < 1e15
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 1500000\nfile 1000000\n")
    assert room._of_group(tmp_path) == 1.5e6
    (tmp_path / "memory.max").write_text("max\n")
    assert room._of_group(tmp_path) == float("inf")


SWEEP = """
import json, sys
from pathlib import Path
from radhard.cli import main
sys.argv = ["radhard", *json.loads(sys.argv[1])]
try:
    main()
finally:  # not getrusage, whose peak may be that of the process that started this one
    (peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(peak.split()[1], file=sys.stderr)
"""


def peak(*arguments: str) -> float:
    """Gigabytes that a command holds at its peak."""
    done = subprocess.run(
        [sys.executable, "-c", SWEEP, json.dumps(arguments)],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return int(done.stderr.split()[-1]) * 1024 / 1e9


@pytest.mark.slow
def test_a_high_rate_takes_little_memory() -> None:
    """Some 12 million flips an image, 24 images at a time."""
    assert peak("sweep", "fashion-vit", "--ber", "1e-2", "--images", "24", "--trials", "1") < 3


@pytest.mark.slow
def test_a_high_rate_of_a_large_model_takes_little_memory(tmp_path: Path) -> None:
    """ViT-B, one image with some 90 million flips."""
    noise = np.random.default_rng(0)
    for label in range(1000):
        (tmp_path / str(label)).mkdir()
        if label > 1:
            continue
        for number in range(12):
            pixels = noise.integers(0, 256, (224, 224, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / str(label) / f"{number}.png")
    assert peak(
        "sweep", "vit_base_patch16_224", "--data", str(tmp_path), "--ber", "1e-4", "--images", "1", "--trials", "1",
        "--batch", "1",
    ) < 6  # fmt: skip
