"""Made-up results of every verb, with known numbers, for tests of the report: no model runs."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from radhard.campaign.experiment import Unit
from radhard.campaign.results import KeptResult, keep_result
from radhard.campaign.store import Provenance, Store
from tests.support.campaigns import outcome, setting

EVIL = "<script>alert(1)</script>"
UNIT = Unit(setting=setting(), trial=2, start=200, stop=333)


def point(ber: float, accuracy: float, *, n: int = 400, half: float = 0.05) -> dict[str, Any]:
    """A point of a curve whose clean accuracy is 0.9."""
    low, high = max(0.0, accuracy - half), min(1.0, accuracy + half)
    return {
        "ber": ber, "trials": 2, "n": n, "accuracy": accuracy, "low": low, "high": high, "relative": accuracy / 0.9,
        "relative_low": low / 0.9, "relative_high": high / 0.9, "changed": 0.9 - accuracy, "non_finite": 0.0,
        "flips_expected": 1e8 * ber, "flips": 1e8 * ber, "ended": "trials", "changed_low": 0.0, "changed_high": 1.0,
    }  # fmt: skip


def component(name: str, factor: float, *, rank: int = 1, half: float = 0.02) -> dict[str, Any]:
    """A component whose interval is `half` wide on each side, and twice that for all at once."""
    return {
        "name": name, "rank": rank, "factor": factor, "low": factor - half, "high": factor + half,
        "all_low": factor - 2 * half, "all_high": factor + 2 * half, "n": 400, "operations": 10, "bits": 320,
        "operations_share": 0.25, "bits_share": 0.25, "per_bit": factor / 320, "unpaired_ratio": 3.0, "passes": 4.0,
        "guessed": False,
    }  # fmt: skip


def vulnerability(model: str, by: str, *components: dict[str, Any], grid: list[int] | None = None) -> dict[str, Any]:
    """The record of a study at one rate."""
    found = {
        "ber": 1e-6, "operating_point": None, "search_forward_passes": 0.0, "trials": 2, "ended": "trials",
        "clean": point(0.0, 0.9), "plain": point(1e-6, 0.8), "loss": {"rate": 0.1, "low": 0.08, "high": 0.12},
        "evenness": None, "forward_passes": 100.0, "naive_forward_passes": 200, "components": list(components),
    }  # fmt: skip
    return {**SHARED, "model": model, "by": by, "grid": grid, "unexposed": [], "exposed_bits": 10**8, "points": [found],
            "simultaneous": "Bonferroni", "where": {}}  # fmt: skip


def share(rate: float, *, half: float = 0.01) -> dict[str, float]:
    """A share of flips, and an interval `half` wide on each side."""
    return {"rate": rate, "low": max(0.0, rate - half), "high": rate + half}


def avf(model: str) -> dict[str, Any]:
    """AVFs of three layers: that of `block.0` is 4 %, which the second's interval for all at once reaches."""
    parts = [
        {
            "component": name, "bits": 100, "bits_share": 0.25, "operations": 10, "trials": 2, "n": 400,
            "sdc": share(rate), "sdc_all": share(rate, half=0.02), "critical": share(rate / 2), "due": share(0.0),
            "part": False, "guessed": guessed,
        }
        for name, rate, guessed in (("block.0", 0.04, False), ("block.1", 0.02, True), (f"=head{EVIL}", 0.0, False))
    ]  # fmt: skip
    return {
        **SHARED, "model": model, "by": "layer", "where": {}, "exposed_bits": 400, "simultaneous": "Bonferroni",
        "n": 1200, "bits_share": 0.75, "sdc": share(0.02), "critical": share(0.01), "due": share(0.0),
        "forward_passes": 300.0, "components": parts,
    }  # fmt: skip


SHARED: dict[str, Any] = {
    "recipe": "int8", "data": "toy/test", "data_digest": "cd" * 32, "calibrated_on": "toy/train", "skipped": 0,
    "pixels": None, "images": 200, "labelled": True, "measure": "accuracy", "kinds": ["add", "mul"],
    "words": {"product": "int16", "accumulator": "int32"}, "device": "cpu", "back_end": {}, "seed": 0, "anatomy": {},
}  # fmt: skip


def sweep(model: str) -> dict[str, Any]:
    """The record of a sweep that loses 10 points between 1e-7 and 1e-6, and half of all between 1e-6 and 1e-5."""
    return {
        **SHARED, "model": model, "macs": 1000, "exposed_bits": 10**8, "clean": {"float": 0.91, "int8": 0.9},
        "loses_10_points": {"level": 0.8, "ber": 4.2e-7, "above": 1e-7, "below": 1e-6},
        "loses_half": {"level": 0.45, "ber": 3e-6, "above": 1e-6, "below": 1e-5},
        "points": [point(1e-8, 0.9), point(1e-7, 0.88), point(1e-6, 0.7), point(1e-5, 0.2)],
    }  # fmt: skip


def configuration(name: str, ber: float, accuracy: float, *, share: float | None) -> dict[str, Any]:
    """What a configuration gave."""
    spent = None if share is None else {"share": share, "low": share - 0.01, "high": share + 0.01}
    return {
        **point(ber, accuracy), "configuration": name, "note": "", "gain": None, "sites": 3, "overhead": spent,
        "loss": {"rate": 0.9 - accuracy, "low": 0.85 - accuracy, "high": 0.95 - accuracy},
        "differing": {"gained": 1, "lost": 2, "n": 400},
    }  # fmt: skip


def compared(model: str) -> dict[str, Any]:
    """Two schemes at one rate: the other one is better by three points, and nobody can tell."""
    pair = {
        "configuration": f"tmr{EVIL}", "reference": "row-abft", "ber": 1e-6, "n": 200,
        "difference": {"rate": 0.03, "low": -0.01, "high": 0.07}, "relation": "cannot tell",
        "equivalence": {"low": 0.0, "high": 0.06, "level": 0.95, "margin": 0.02},
    }  # fmt: skip
    found = [
        configuration("unprotected", 0.0, 0.9, share=None), configuration("row-abft", 1e-6, 0.86, share=0.05),
        configuration(f"tmr{EVIL}", 1e-6, 0.89, share=2.0),
    ]  # fmt: skip
    return {
        **SHARED, "model": model, "program": "ab" * 32, "where": {}, "weights": {"mul": 1.0, "add": 1.0, "cmp": 1.0},
        "trials": 1, "chunk": 100, "own_operations": {"mul": 10, "add": 10}, "configurations": found, "pairs": [pair],
    }  # fmt: skip


def evaluated(model: str) -> dict[str, Any]:
    """A plan that meets its target of two points."""
    check = {
        "ber": 1e-6, "target": 0.02, "verdict": "met", "loss": {"rate": 0.01, "low": 0.0, "high": 0.019},
        "level": 0.95, "images": 200, "images_needed": None,
    }  # fmt: skip
    return {key: value for key, value in compared(model).items() if key != "pairs"} | {"checks": [check]}


def planned(model: str) -> dict[str, Any]:
    """A plan of one product of two."""
    step = {**point(1e-6, 0.8), "condition": "0 products", "overhead": None}
    chosen = {**point(1e-6, 0.89), "condition": "1 product", "overhead": {"share": 0.031, "low": 0.03, "high": 0.032}}
    product = {"layer": "block.0", "layer_factor": 0.07, "operations": 416.0}
    return {
        "model": model, "device": "cpu",
        "plan": {
            "model": model, "recipe": "int8", "ber": 1e-6, "verdict": "cannot tell", "method": {"name": "row-abft"},
            "limits": {"loss": 0.02, "overhead": 0.05, "level": 0.95},
            "protection": {"sites": {f"block.0{EVIL}": {"scheme": "row-abft"}}},
            "expected": chosen, "frontier": [step, chosen],
            "judged": {
                "level": 0.95, "images": 300, "images_needed": 900, "loss": {"rate": 0.01, "low": -0.01, "high": 0.03},
            },
            "order": [
                {**product, "site": f"block.0{EVIL}", "factor": {"rate": 0.07, "low": 0.05, "high": 0.09}},
                {**product, "site": "head", "factor": None},
            ],
        },
    }  # fmt: skip


def hardened(model: str) -> dict[str, Any]:
    """A hardened module that takes three times as long as the same without protection."""
    times = {"batch": 1, "median": 1.5, "low": 1.4, "high": 1.6}
    return {
        "model": model, "recipe": "int8", "device": "cpu", "threads": 2, "plan": "gain", "sites": 1, "rounds": 40,
        "hardened": {**times, "median": 4.5}, "unprotected": times, "eager": {**times, "median": 0.5}, "ratio": 3.0,
        "low": 2.9, "high": 3.2, "to_eager": 9.0, "file": "hardened.pt2",
    }  # fmt: skip


def coverage(model: str) -> dict[str, Any]:
    """A linear layer and a view."""
    counts = {"mul": 12, "add": 12, "special": 0, "scale": 0, "load": 4}
    row = {"op": "aten.linear.default", "role": "computes", "meaning": "exposed", "nodes": 1, "operations": counts}
    view = {"op": "aten.view.default", "role": "moves", "meaning": "data movement", "nodes": 2}
    rows = [row, {**view, "operations": dict.fromkeys(counts, 0)}]
    return {"model": model, "recipe": "int8", "nodes": 3, "macs": 12, "torch_macs": None, "rows": rows}


def results_of_all(model: str = EVIL) -> tuple[KeptResult, ...]:
    """A result of each verb, and of each kind of study."""
    layers = [component("block.0", 0.07), component("block.1", 0.06), component(f"=head{EVIL}", 0.0, rank=3)]
    bits = [component(f"mul int16 bit {bit}", 0.001 * bit, half=0.01) for bit in range(16)]
    patches = [component(f"{row},{column}", 0.01 * row) for row in range(2) for column in range(2)]
    of_patches = vulnerability(model, "patch", *patches, grid=[2, 2])
    found: list[tuple[str, Mapping[str, Any]]] = [
        ("sweep", sweep(model)),
        ("vulnerability", vulnerability(model, "layer", *layers)),
        ("vulnerability", vulnerability(model, "bit", *bits)),
        ("vulnerability", {**of_patches, "mean_image": [[0, 10, 20, 30]] * 4}),
        ("avf", avf(model)),
        ("plan", planned(model)),
        ("evaluate", evaluated(model)),
        ("compare", compared(model)),
        ("harden", hardened(model)),
        ("inspect", coverage(model)),
    ]
    return tuple(
        KeptResult(
            verb=verb, model=model, settings={"number": number, "data": f"toy {EVIL}"}, record=record, device="cpu",
            command="" if verb == "inspect" else f"radhard {verb} '{model}' --store 'a run.db'",
            made=f"2026-01-{number + 1:02}T00:00:00.000+00:00",
        )
        for number, (verb, record) in enumerate(found)
    )  # fmt: skip


def store_of_all(path: Path, *, model: str = EVIL) -> Path:
    """A store of one unit with all these results."""
    made_by = '{"radhard": "0", "torch": "2", "device": "cpu", "back_end": {"weight": "float32"}}'
    unit = replace(UNIT, setting=setting(model=model))
    with Store(path) as store:
        store.write(unit, outcome(unit), provenance=Provenance(seconds=0.5, passes=1.0, made_by=made_by))
        for one in results_of_all(model):
            keep_result(store, one)
    return path
