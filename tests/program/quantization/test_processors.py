"""One program on every kind of processor: the instruction sets that this one can be limited to.

With scales that are known, and, of the recipe `int8`, with scales and shifts that each finds for itself.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from radhard.models.load import load

ROOT = Path(__file__).parents[3]
SLOW = pytest.mark.slow
LIMITED = [
    "ONEDNN_MAX_CPU_ISA=AVX2",
    "ATEN_CPU_CAPABILITY=avx2",
    pytest.param("ATEN_CPU_CAPABILITY=default", marks=SLOW),
    pytest.param("MKL_CBWR=COMPATIBLE", marks=SLOW),
    pytest.param("MKL_ENABLE_INSTRUCTIONS=SSE4_2", marks=SLOW),
]
SCRIPT = """
import json, sys, warnings
from pathlib import Path
import numpy
import torch
from torch import nn
import radhard as rh
from radhard.campaign.build import build
from radhard.models.load import load
from radhard.program import read_calibration

def net():
    draw = numpy.random.default_rng(0)  # torch draws normal numbers by kernels that differ between processors
    model = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.GELU(), nn.Flatten(), nn.Linear(676, 10))
    for values in model.parameters():
        drawn = draw.standard_normal(values.shape) / values.shape[-1] ** 0.5
        values.data = torch.from_numpy(drawn.astype(numpy.float32))
    return model.eval()

def answers(program, images):
    faults = rh.Faulty(rh.Clean(), rh.Faults(ber=2e-6, seed=1))
    return [rh.run(program, images, machine).logits.argmax(1).tolist() for machine in (rh.Clean(), faults)]

model_under_test = build(load("fashion-vit"), recipe="int8-symmetric")
zoo = model_under_test.programs["int8-symmetric"]
images = model_under_test.images(torch.arange(24))
for plan in sorted(Path("results/plans").glob("fashion-vit-*.json")):
    rh.read_plan(plan).check(zoo)
scales = Path(sys.argv[1])
captured = rh.capture(net(), images[:2])
if not scales.exists():
    from radhard.program import write_calibration
    write_calibration(rh.quantize(captured, [images]).calibration, scales)
mine = rh.quantize(captured, calibration=read_calibration(scales))
found = [rh.quantize(program, [images]).calibration for program in (captured, model_under_test.programs["float"])]
assert all(map(any, found[1].shifts.values()))
print(json.dumps([zoo.digest, mine.digest, answers(zoo, images), answers(mine, images), [one.digest for one in found]]))
"""


@pytest.fixture(scope="module")
def scales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scales") / "scales.json"


@cache
def found(setting: str, scales: Path) -> list[object]:
    name, _, value = setting.partition("=")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(scales)], env={**os.environ, name: value}, cwd=ROOT, capture_output=True,
        text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: list[object] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("setting", LIMITED)
def test_programs_plans_and_answers_are_the_same(setting: str, scales: Path) -> None:
    assert found("PYTHONHASHSEED=0", scales) == found(setting, scales)


@pytest.mark.parametrize("name", ["fashion-vit", "fashion-resnet20"])
def test_the_zoo_ships_its_scales(name: str) -> None:
    shipped = {calibration.recipe: calibration for calibration in load(name).calibrations}
    assert {"int8", "int8-symmetric"} <= shipped.keys()
    assert all(len(calibration.scales) > 30 for calibration in shipped.values())
    weights = ROOT / "src" / "radhard" / "models" / "weights" / f"{name}.safetensors"
    assert load(name, weights).calibrations == ()  # nobody knows what is in another file
