"""What schemes make of hardware faults in whole models, `python -m benchmarks.whole_models`: fault model by scheme.

`radhard compare` on two models of the zoo: in each inference one upset, or an array of which one cell is broken. Beside
each record stands how many of the faults some word depends on, by their places: of the others nothing can be wrong.
Goes on from results/upsets.db if it is interrupted; writes results/upsets.json.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import radhard as rh
from radhard.hardware import fault_model_of, register_duties

RESULTS = Path(__file__).parent.parent / "results"
COMMAND = "python -m benchmarks.whole_models"
MODELS = ("fashion-vit", "fashion-resnet18")
SCHEMES = ("none", "row-check", "row-abft", "lb-abft", "standard-abft", "tmr")
CHUNK = 80
"""Images of a unit of work, and at a time."""
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault model, as the command line has it, on the first `images`, one trial, under `schemes`.

    Schemes are alike within `margin` percentage points: more of them where fewer images can tell less.
    """

    faults: str
    images: int
    margin: float
    schemes: tuple[str, ...] = SCHEMES


ONE_UPSET, BROKEN = 960, 160
CASES = (
    Case(faults="registers:array=16x16:dataflow=output", images=ONE_UPSET, margin=1),
    Case(faults="registers:array=16x16:dataflow=weight", images=ONE_UPSET, margin=1),
    Case(faults="timing", images=ONE_UPSET, margin=1),
    Case(faults="outputs", images=ONE_UPSET, margin=1),
    Case(faults="memory:what=activations", images=ONE_UPSET, margin=1),
    Case(faults="stuck:of=sum", images=BROKEN, margin=3),
    Case(faults="stuck:of=product:dataflow=weight", images=BROKEN, margin=3),
    Case(faults="dead", images=BROKEN, margin=3),
    Case(faults="stuck:of=sum:copies=other", images=BROKEN, margin=3, schemes=("tmr",)),
    Case(faults="stuck:of=product:dataflow=weight:copies=other", images=BROKEN, margin=3, schemes=("tmr",)),
    Case(faults="dead:copies=other", images=BROKEN, margin=3, schemes=("tmr",)),
)

_OUTCOME = (
    "configuration", "n", "accuracy", "sdc", "sdc_low", "sdc_high", "critical", "critical_low", "critical_high", "due",
    "due_low", "due_high", "gain",
)  # fmt: skip
_ACCOUNT = ("share", "alarms", "repaired", "recomputed", "left", "residual")


def measure(model: str, case: Case, *, store: Path | None) -> Row:
    """The record of a model and a case: what was drawn, the outcomes by configuration, and the pairs."""
    options = rh.CompareOptions(schemes=case.schemes, reference=case.schemes[0], margin=case.margin)
    run = rh.RunOptions(images=case.images, trials=1, batch=CHUNK, chunk=CHUNK, store=store)
    record = rh.compare(model, fault_model=case.faults, compare_options=options, run=run).to_dict()
    faulty = [row for row in record["configurations"] if row["flips_an_inference"]]
    clean = {row["configuration"]: row for row in record["configurations"] if not row["flips_an_inference"]}
    return {
        "model": model,
        "recipe": record["recipe"],
        "faults": case.faults,
        **{name: record[name] for name in ("data", "images", "trials", "seed")},
        **drawn(model, case),
        "rows": [{**outcome(row), "sdc_without_faults": clean[row["configuration"]]["sdc"]} for row in faulty],
        "pairs": list(record["pairs"]),
    }


def outcome(row: Mapping[str, Any]) -> Row:
    """What is kept of a configuration: its rates, its `gain` of accuracy over no protection under the same faults, and
    the means an image that its account counts; null without one.
    """
    account = row["overhead"] or {}
    return {name: row[name] for name in _OUTCOME} | {name: account.get(name) for name in _ACCOUNT}


def drawn(model: str, case: Case) -> Row:
    """How many of the faults that `compare` meets some word depends on; `duty`: of registers, their share of all."""
    trace = rh.trace(model, fault_model=case.faults, run=rh.RunOptions(images=case.images))
    assert isinstance(trace, rh.UpsetTrace)
    duty, fault_model = None, fault_model_of(case.faults)
    if isinstance(fault_model, rh.RegisterUpsets):
        places = fault_model.places(trace.model_under_test.programs[trace.recipe])
        registers = register_duties(places.array, places.products.values())
        duty = sum(one.bits * one.useful for one in registers) / sum(one.bits * one.cell_cycles for one in registers)
    return {"reached": sum(bool(row["words"]) for row in trace.rows()), "duty": duty}


def records(*, store: Path | None) -> Iterator[Row]:
    """Of all models and cases, each told of when it is done."""
    for model in MODELS:
        for case in CASES:
            begun = time.monotonic()
            yield measure(model, case, store=store)
            print(f"{model}, {case.faults}: {case.images} images in {time.monotonic() - begun:.0f} s", flush=True)


def main() -> None:
    """Measure, and write results/upsets.json."""
    found = {"command": COMMAND, "records": list(records(store=RESULTS / "upsets.db"))}
    (RESULTS / "upsets.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
