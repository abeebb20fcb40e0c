"""The main job on every architecture: quantised, inspected, run under faults, hardened, exported."""

import pytest
import torch

from radhard.analysis.anatomy import anatomy
from radhard.campaign.model_under_test import exposed_bits
from radhard.deploy import harden
from radhard.faults import Faults, Faulty, Where, trace
from radhard.machine import Clean, Kind
from radhard.program import Program, capture, quantize, run, run_and_keep
from radhard.program.coverage import coverage
from radhard.protection import Protection, Scheme, Tmr
from radhard.report.anatomy import anatomy_record
from radhard.report.coverage import coverage_record
from radhard.words import Words
from tests.support.architectures import ARCHITECTURES, Architecture
from tests.support.hardened import all_products

# one of each kind of structure; the nightly run takes all
QUICK = {
    "timm:vit_base_patch16_224",
    "timm:swin_tiny_patch4_window7_224",
    "own:deepvit",
    "timm:resnet18",
    "timm:deit_tiny_distilled_patch16_224",
    "timm:beit_base_patch16_224",
    "timm:pvt_v2_b0",
    "timm:convnext_atto",
    "timm:eva02_tiny_patch14_224",
    "timm:mixer_s32_224",
    "timm:gmlp_s16_224",
    "timm:poolformer_s12",
    "timm:visformer_tiny",
    "timm:densenet121",
    "torchvision:vit_b_16",
    "torchvision:convnext_tiny",
    "torchvision:squeezenet1_1",
    "hf:ViT",
    "hf:Swin",
    "own:encoder",
}
EVERY = [pytest.param(row, id=row.name, marks=[] if row.name in QUICK else [pytest.mark.slow]) for row in ARCHITECTURES]
WORDS = Words()


def test_quick_rows_are_rows() -> None:
    assert {row.name for row in ARCHITECTURES} >= QUICK
    assert len(QUICK) == 20


@pytest.mark.parametrize("row", EVERY)
def test_inspect_sweep_and_harden(row: Architecture) -> None:
    program = quantize(capture(row.build(), row.images(1)), [row.images(2)])
    images = row.images(2)
    inspected(program)
    clean = run(program, images).logits
    assert bool(clean.isfinite().all())
    hit_alike_in_any_batch(program, images)
    hardened_is_the_program(program, images, clean, export=row.name not in QUICK)


def inspected(program: Program) -> None:
    """The record of `radhard inspect` counts what the program costs, and that of its coverage every node."""
    found = anatomy(program, kinds=frozenset({"mul", "add"}), where=Where(), words=WORDS, by="site")
    for kind in ("mul", "add"):
        assert sum(row.operations[kind] for row in found.rows) == operations(program, kind)
    assert len(anatomy_record(found, weights="random")["rows"]) == len(program.costs)
    assert sum(row["nodes"] for row in coverage_record(coverage(program), torch_macs=None)["rows"]) == len(
        program.accounts
    )


def operations(program: Program, kind: Kind) -> int:
    return sum(cost.operations(kind) for cost in program.costs.values())


def hit_alike_in_any_batch(program: Program, images: torch.Tensor) -> None:
    """Some fifty flips of high bits an image change what is computed, and an image alone is hit as in a batch."""
    high = Where(bits=("add:*:[23]?", "mul:int16:1?"))  # low ones are rounded away, nearly all in some models
    bits = exposed_bits(program, Faults(ber=1e-9, where=high))
    faults, ids = Faults(ber=50 / bits, seed=3, where=high), torch.tensor([11, 4])
    assert 60 < len(trace(program, faults, ids)) < 150
    kept = [run_and_keep(program, images, machine, ids=ids) for machine in (Faulty(Clean(), faults), Clean())]
    hit, spared = (each.outputs for each in kept)
    assert sum(not torch.equal(hit[site], spared[site]) for site in spared) > 5
    together = kept[0].result
    parts = [run(program, images[i : i + 1], Faulty(Clean(), faults), ids=ids[i : i + 1]) for i in (1, 0)]
    assert torch.equal(together.logits.nan_to_num(), torch.cat([p.logits for p in parts[::-1]]).nan_to_num())


def hardened_is_the_program(program: Program, images: torch.Tensor, clean: torch.Tensor, *, export: bool) -> None:
    """Every product checked, every other site three times; the file too."""
    schemes: dict[str, Scheme] = {site.name: Tmr() for site in program.sites} | all_products(program).schemes
    hardened = harden(program, Protection.of(schemes)).eval()
    assert torch.equal(hardened(images), clean)
    assert not any(counts["alarms"] for counts in hardened.counts().values())
    if export:
        batch = torch.export.Dim("batch")
        module = torch.export.export(hardened, (images,), dynamic_shapes=({0: batch},)).module()
        assert torch.equal(module(images), clean)
        assert torch.equal(module(images[:1]), clean[:1])
