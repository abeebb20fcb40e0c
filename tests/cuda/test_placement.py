"""Programs, machines and deployed modules on a GPU: they run there, and give what they give on the CPU."""

import copy
import json
from functools import cache
from pathlib import Path

import pytest
import torch

from radhard.campaign.build import build_program
from radhard.deploy import harden
from radhard.faults import Faults, Faulty, trace
from radhard.machine import Clean, Operator
from radhard.models.data.fashion import fashion_mnist
from radhard.models.load import load
from radhard.models.zoo import ZOO
from radhard.program import Program, capture, quantize, rerun, run, run_and_keep
from radhard.program.relocated import relocated
from radhard.protection import Protected
from tests.cli.test_commands import call
from tests.support.hardened import all_products
from tests.support.models import images, tiny_program
from tests.support.protections import ALL, CASES, PRODUCTS, TABLE

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: placement is tested on one")
ZOO_IMAGES = 64


@cache
def zoo_program(name: str, recipe: str) -> Program:
    return build_program(load(name), recipe=recipe)


@pytest.mark.parametrize("recipe", ["int8", "float"])
@pytest.mark.parametrize("name", list(ZOO))
def test_the_zoo_answers_as_on_the_cpu(name: str, recipe: str, device: torch.device) -> None:
    program, loaded = zoo_program(name, recipe), load(name)
    x = fashion_mnist("test").batch(torch.arange(ZOO_IMAGES), mean=loaded.mean, std=loaded.std)
    here = run(program, x).logits
    there = run(program.to(device), x.to(device))
    assert there.logits.is_cuda
    assert not there.non_finite.any()
    assert (there.logits.cpu().argmax(1) == here.argmax(1)).float().mean() >= 1 - 1 / ZOO_IMAGES
    assert (there.logits.cpu() - here).abs().max() <= (0.01 if recipe == "float" else 0.5)


@pytest.mark.parametrize("name", ["fashion-vit", "fashion-resnet20"])
def test_calibration_finds_the_same_scales(name: str, device: torch.device) -> None:
    loaded, data = load(name), fashion_mnist("calibration")
    batches = [data.batch(part, mean=loaded.mean, std=loaded.std) for part in torch.arange(64).split(32)]
    captured = capture(loaded.module, batches[0], name=name)
    here, there = quantize(captured, batches), quantize(captured, batches, device=device)
    assert there.device == torch.device("cpu")
    assert there.calibration == here.calibration
    assert there.digest == here.digest


def test_a_run_again_is_a_whole_run(device: torch.device) -> None:
    program = tiny_program("int8").to(device)
    x, ids = images(6).to(device), torch.arange(6)
    faults = Faults(ber=3e-6, seed=1)
    flips = trace(program, faults, ids)
    assert len(flips) > 3
    kept = run_and_keep(program, x, Clean(), ids=ids)
    touched = {site: torch.from_numpy(own.per_image(ids.numpy())) > 0 for site, own in flips.by_site().items()}
    again = rerun(kept, Faulty(Clean(), flips), touched=touched)
    whole = run(program, x, Faulty(Clean(), flips), ids=ids)
    assert torch.equal(again.result.logits, whole.logits)
    assert torch.equal(again.result.non_finite, whole.non_finite)


@pytest.mark.parametrize(("case", "scheme"), TABLE)
def test_protection_repairs_and_counts_as_on_the_cpu(case: str, scheme: str, device: torch.device) -> None:
    chosen, faults, found = CASES[case], Faults(ber=2e-4, kinds=frozenset({"mul", "add"}), seed=3), []
    for where in (torch.device("cpu"), device):
        machine = Protected(Faulty(Clean(), faults), {"here": ALL[scheme]})
        machine.begin(chosen.costs, torch.arange(4))
        inputs = tuple(None if x is None else x.to(where) for x in chosen.inputs)
        out = machine.apply(on(chosen.operator, where), inputs, chosen.site)
        assert out.device.type == where.type
        found.append((out.cpu(), machine.accounts["here"]))
    (here, account), (there, other) = found
    assert (here.shape, here.dtype) == (there.shape, there.dtype)
    if case in PRODUCTS:  # others compute in floats, whose last bits may differ
        assert torch.equal(here, there)
        assert account == other


def on(operator: Operator, device: torch.device) -> Operator:
    moved: Operator = relocated(operator, device, copies={})
    return moved


def test_a_hardened_module_moves_and_repairs_itself(device: torch.device) -> None:
    program, x = tiny_program("int8"), images(4)
    here = harden(program, all_products(program))
    there = copy.deepcopy(here).to(device)
    assert (there(x.to(device)).cpu() - here(x)).abs().max() <= 0.5
    assert there.counts() == here.counts()
    weight = next(tensor for name, tensor in there.named_buffers() if name.endswith(".weight"))
    clean = there(x.to(device))
    there.reset()
    weight[0, 0] ^= 64
    assert torch.equal(there(x.to(device)), clean)
    assert there.scrub()
    assert torch.equal(there(x.to(device)), clean)


def test_a_sweep_flips_as_on_the_cpu(tmp_path: Path) -> None:
    small = ("sweep", "fashion-vit", "--images", "64", "--trials", "1", "--ber", "1e-7,1e-6", "--json")
    here = json.loads(call(*small, "--store", tmp_path / "cpu.db"))
    there = json.loads(call(*small, "--store", tmp_path / "gpu.db", "--device", "cuda"))
    assert there["models"][0]["device"] == torch.cuda.get_device_name()
    for a, b in zip(here["models"][0]["points"], there["models"][0]["points"], strict=True):
        assert a["flips"] == b["flips"]
        assert abs(a["accuracy"] - b["accuracy"]) <= 2 / 64
