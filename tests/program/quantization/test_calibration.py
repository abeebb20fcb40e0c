"""Scales as a value: written, read, used again, carried by plans and stores, and what is said when they do not fit."""

import inspect
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from radhard.campaign.contents import contents, mixed_programs
from radhard.campaign.merge import merge
from radhard.campaign.scales import KnownScales, chosen
from radhard.campaign.store import Store
from radhard.cli import compare, evaluate, harden, plan, replay, sweep, trace, vulnerability
from radhard.cli import quantize as quantizing
from radhard.cli.commands import app
from radhard.cli.signature import command
from radhard.errors import InputError
from radhard.program import Calibration, capture, quantize, read_calibration, write_calibration
from radhard.program.description import describe, difference
from radhard.program.quantization.observers import _rounded
from radhard.protection import Plan, Protection, read_plan
from tests.cli.test_commands import call, refused
from tests.support.models import TinyViT, images, seeded, tiny_program

NET = """
import torch
from torch import nn

def net(seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.GELU(), nn.Flatten(), nn.Linear(676, 10))
    for values in model.parameters():
        values.data = torch.randn(values.shape, generator=generator) / values.shape[-1] ** 0.5
    return model

def other():
    return net(1)
"""
COMMANDS = {
    "compare": compare.compare, "evaluate": evaluate.evaluate, "harden": harden.harden, "plan": plan.plan,
    "quantize": quantizing.quantize, "replay": replay.replay, "sweep": sweep.sweep, "trace": trace.trace,
    "vulnerability": vulnerability.vulnerability,
}  # fmt: skip
SMALL = ("--input-shape", "1,28,28", "--images", "12", "--trials", "1", "--ber", "1e-5", "--chunk", "4")


@pytest.fixture
def net(tmp_path: Path) -> str:
    file = tmp_path / "m.py"
    file.write_text(NET)
    return f"{file}:net"


def elsewhere(calibration: Calibration) -> Calibration:
    """The same, as a processor finds it that rounds otherwise: the last bit of one scale differs."""
    name, (scale, zero) = next(iter(calibration.scales.items()))
    other = float(torch.nextafter(torch.tensor(scale), torch.tensor(math.inf)))
    return replace(calibration, scales={**calibration.scales, name: (other, zero)})


def test_scales_make_the_same_program_again() -> None:
    program = tiny_program("int8")
    assert program.calibration is not None
    again = quantize(tiny_program(), calibration=program.calibration)
    assert again.digest == program.digest
    assert again.calibration == program.calibration
    assert quantize(tiny_program(), calibration=elsewhere(program.calibration)).digest != program.digest


def test_a_file_of_scales_is_exact(tmp_path: Path) -> None:
    calibration = tiny_program("int8").calibration
    assert calibration is not None
    write_calibration(calibration, tmp_path / "scales.json")
    assert read_calibration(tmp_path / "scales.json") == calibration


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"radhard_calibration": 3}, "is no calibration of format 1 or 2"),
        ({"model": 5}, "'model' is 5, not a text"),
        ({"count": -1}, "'count' is -1"),
        ({"count": True}, "'count' is True"),
        ({"scales": []}, r"'scales' is \[\], not a mapping"),
        ({"scales": {"x": [0.0, 0]}}, r"scale 'x' is \[0.0, 0\]"),
        ({"scales": {"x": [1e999, 0]}}, "is no JSON: Infinity"),
        ({"scales": {"x": [10**400, 0]}}, "is too large"),
        ({"scales": {"x": [True, 0]}}, "scale 'x' is"),
        ({"scales": {"x": [1.0, 0.5]}}, "scale 'x' is"),
        ({"scales": {"x": [1.0, 2**40]}}, "scale 'x' is"),
        ({"scales": {"x": 1.0}}, "scale 'x' is 1.0; it is"),
        ({"more": 1}, "'more' is no field"),
    ],
)
def test_a_file_that_is_no_calibration_is_told(tmp_path: Path, change: dict[str, object], told: str) -> None:
    calibration = tiny_program("int8").calibration
    assert calibration is not None
    (tmp_path / "scales.json").write_text(json.dumps({**calibration.as_dict(), **change}))
    with pytest.raises(InputError, match=rf"scales\.json.*{told}"):
        read_calibration(tmp_path / "scales.json")


def test_scales_of_another_program_are_refused_with_the_reason() -> None:
    program, calibration = tiny_program(), tiny_program("int8").calibration
    assert calibration is not None
    other = capture(seeded(TinyViT(), seed=5), images(2), name="other")
    with pytest.raises(InputError, match="the weights or the architecture are other ones"):
        quantize(other, calibration=calibration)
    with pytest.raises(InputError, match="is for recipe int8, and int8-float is asked for"):
        quantize(program, recipe="int8-float", calibration=calibration)
    with pytest.raises(InputError, match="both images and a calibration"):
        quantize(program, [images(2)], calibration=calibration)
    fewer = dict(calibration.scales)
    del fewer["images"]
    with pytest.raises(InputError, match="1 of its values differ, the model has 'images' alone"):
        quantize(program, calibration=replace(calibration, scales=fewer))


def of_format_1(calibration: Calibration | None) -> Calibration:
    """As a file had it before words had zero points."""
    assert calibration is not None
    return Calibration.from_dict({**calibration.as_dict(), "radhard_calibration": 1}, place="here")


def test_scales_of_int8_before_it_had_zero_points_are_refused_with_the_cure() -> None:
    program, earlier = tiny_program(), of_format_1(tiny_program("int8").calibration)
    assert earlier.as_dict()["radhard_calibration"] == 1
    assert Calibration.from_dict(earlier.as_dict(), place="here") == earlier
    with pytest.raises(InputError, match="before its words had zero points: calibrate again with `radhard quantize`"):
        quantize(program, calibration=earlier)
    known = KnownScales(calibration=earlier, source="plan.json", when="same model")
    assert chosen([known], program, recipe="int8", images=lambda: "") is None  # it is calibrated anew
    plan = Plan(model="m", program="0" * 64, recipe="int8", ber=1e-6, protection=Protection(), calibration=earlier)
    with pytest.raises(InputError, match=r"int8 had no words with zero points in .* that made the plan; make a plan"):
        plan.check(tiny_program("int8"))
    here = describe(tiny_program("int8"))
    there = {**here, "scales": "others", "calibration": earlier.as_dict()}
    assert "int8 had no words with zero points" in difference(there, here)  # of a store's programs


@pytest.mark.parametrize("recipe", ["int8-symmetric", "int8-float"])
def test_scales_of_other_recipes_are_of_format_1_as_ever(recipe: str) -> None:
    known = tiny_program(recipe).calibration
    assert known is not None
    assert known.as_dict()["radhard_calibration"] == 1
    assert of_format_1(known) == known


def test_rounding_keeps_the_nearest_number_of_so_many_bits() -> None:
    for scale, expected in [(1.0, 1.0), (0.3, 77 / 256), (3.0000001, 3.0), (511 / 512, 1.0), (1e-30, None)]:
        found = _rounded(scale, bits=8)
        assert expected is None or found == expected
        assert abs(found / scale - 1) <= 2**-8
        mantissa, _ = math.frexp(found)
        assert (mantissa * 2**8).is_integer()
    assert _rounded(0.3, bits=None) == 0.3


# --- commands ---


def refused_at_last(*arguments: object) -> str:
    """The last line of stderr of a command that fails, after notes."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 2, done.output
    return done.stderr.splitlines()[-1]


def test_every_command_on_a_model_and_images_has_the_same_options() -> None:
    """They are read by their names: one that a command lacks would end it."""
    taken = {name: set(inspect.signature(command(each)).parameters) for name, each in COMMANDS.items()}
    shared = set.intersection(*taken.values())
    assert {"data", "calibration", "checkpoint", "checkpoint_key", "anatomy", "resize", "skip_bad", "recipe"} <= shared
    for name, parameters in taken.items():
        assert taken["harden"] - {"plan", "policy", "out", "model", "scales", "program_digest"} <= parameters, name
        assert name == "quantize" or "scales" in parameters


def test_a_run_takes_the_scales_that_it_is_given(net: str, tmp_path: Path) -> None:
    scales, there = tmp_path / "scales.json", tmp_path / "there.json"
    said = call("quantize", net, "--input-shape", "1,28,28", "--out", scales)
    assert "from 512 images of fashion-mnist/calibration" in said
    write_calibration(elsewhere(read_calibration(scales)), there)
    store = tmp_path / "run.db"
    call("sweep", net, *SMALL, "--scales", there, "--store", store)
    with Store(store, mode="read") as kept:
        (program,) = {one.program for one in contents(kept) if one.recipe == "int8"}
    assert program[:12] not in said
    assert "the weights or the architecture are other ones" in refused(
        "sweep", net.replace(":net", ":other"), *SMALL, "--scales", scales
    )


def test_a_store_goes_on_with_its_own_scales(net: str, tmp_path: Path) -> None:
    """On another kind of processor, where calibration would find others: nothing is measured again."""
    scales, store = tmp_path / "scales.json", tmp_path / "run.db"
    call("quantize", net, "--input-shape", "1,28,28", "--out", scales)
    write_calibration(elsewhere(read_calibration(scales)), scales)
    call("sweep", net, *SMALL, "--scales", scales, "--store", store)
    with Store(store, mode="read") as kept:
        before = list(kept.rows())
    call("sweep", net, *SMALL, "--store", store)
    with Store(store, mode="read") as kept:
        assert list(kept.rows()) == before


def test_what_of_a_store_is_not_used_is_told(net: str, tmp_path: Path) -> None:
    scales, here, there = tmp_path / "scales.json", tmp_path / "here.db", tmp_path / "there.db"
    call("quantize", net, "--input-shape", "1,28,28", "--out", scales)
    call("sweep", net, *SMALL, "--scales", scales, "--store", here)
    write_calibration(elsewhere(read_calibration(scales)), scales)
    call("sweep", net, *SMALL, "--scales", scales, "--store", there, "--shard", "1/2")
    merged = merge(tmp_path / "both.db", [here, there])
    assert merged.units > 0
    with Store(tmp_path / "both.db", mode="read") as kept:
        (told,) = mixed_programs(contents(kept))
    assert "units of 2 programs" in told
    assert "its scales: the same images calibrated both, on processors or libraries that round otherwise" in told
    done = CliRunner().invoke(app, ["sweep", net, *SMALL, "--store", str(tmp_path / "both.db")])
    assert done.exit_code == 0
    (line,) = [line for line in done.stderr.splitlines() if "not used" in line]
    assert "both.db holds" in line
    assert "its scales: the same images calibrated both" in line


def test_a_plan_carries_its_scales(net: str, tmp_path: Path) -> None:
    scales, plan = tmp_path / "scales.json", tmp_path / "plan.json"
    call("quantize", net, "--input-shape", "1,28,28", "--out", scales)
    there = elsewhere(read_calibration(scales))
    write_calibration(there, scales)
    few = ("--input-shape", "1,28,28", "--images", "12")
    call("plan", net, "--ber", "1e-5", *few, "--judge", "12", "--scales", scales, "--out", plan)
    assert read_plan(plan).calibration == there
    call("evaluate", net, "--plan", plan, *few)  # calibrated here, the program would be another one
    told = refused("evaluate", net.replace(":net", ":other"), "--plan", plan, *few)
    assert "none of the plans is for" in told
    values = json.loads(plan.read_text())
    values["calibration"]["program"] = "0" * 64
    plan.write_text(json.dumps(values))
    assert "its weights or its architecture are other ones" in refused_at_last("evaluate", net, "--plan", plan, *few)
    values["calibration"] = None
    plan.write_text(json.dumps(values))
    assert "the plan does not say which it was made with" in refused_at_last("evaluate", net, "--plan", plan, *few)
