"""What faults cost: faulty inference over clean inference of all models: `python -m benchmarks.faulty`.

The zoo at the bit error rates at which it loses accuracy, the six models at full size (random weights) at those of the
paper. One thread; ratios of best processor times, the cases taking turns, so that the load of the machine drops out.
Writes benchmarks/FAULTY.md and .json; models that are named replace their rows, the others keep theirs.
"""

import argparse
import gc
import json
import platform
from pathlib import Path
from typing import Any

import torch

from benchmarks.claims.data import between, rate, table
from benchmarks.turns import take_turns
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.models.load import load
from radhard.models.zoo import ZOO
from radhard.program import capture, quantize, run

RECIPE = "int8-symmetric"
FULL = (
    "vit_base_patch16_224", "swin_tiny_patch4_window7_224", "deepvit_s", "cait_xxs24_224", "resnet18", "resnet50",
)  # fmt: skip
OF_ZOO, OF_FULL = (5e-7, 2e-6, 5e-6, 1e-5), (1e-9, 1e-8, 1e-7)
BATCH = {"zoo": 64, "full": 4}
FILE = Path(__file__).with_name("FAULTY.json")


def measure(name: str, *, rounds: int) -> dict[str, Any]:
    """A model's clean time an image, and the ratio and the flips an image at each rate."""
    kind = "zoo" if name in ZOO else "full"
    loaded = load(name) if kind == "zoo" else load(name, weights="random")
    images = torch.randn(BATCH[kind], *loaded.input_shape, generator=torch.Generator().manual_seed(0))
    program = quantize(capture(loaded.module, images[:1], name=loaded.name), [images[:2]], recipe=RECIPE)
    machines = {ber: Faulty(Clean(), Faults(ber=ber)) for ber in (OF_ZOO if kind == "zoo" else OF_FULL)}
    cases: dict[str, Any] = {"clean": lambda: run(program, images, Clean())}
    for ber, machine in machines.items():
        cases[rate(ber)] = lambda machine=machine: run(program, images, machine)
    best = {case: float(times.cpu.min()) for case, times in take_turns(cases, rounds=rounds).items()}
    return {
        "model": name,
        "kind": kind,
        "rounds": rounds,
        "batch": BATCH[kind],
        "clean_ms_an_image": 1e3 * best["clean"] / BATCH[kind],
        "ratio": {rate(ber): best[rate(ber)] / best["clean"] for ber in machines},
        "flips_an_image": {rate(ber): len(machine.flips or ()) / BATCH[kind] for ber, machine in machines.items()},
    }


def written(found: dict[str, Any]) -> str:
    """The tables and what they say."""
    lines = [
        "# What faults cost",
        "",
        f"`python -m benchmarks.faulty`, recipe `{RECIPE}`, every multiplication and addition exposed, one thread,",
        f"torch {torch.__version__}, {platform.machine()}. Processor times of faulty over clean inference, each",
        "the best of so many rounds in which the cases take turns: a busy machine changes the times, hardly the",
        "ratios. Batches of 64 (zoo) and 4.",
    ]
    for kind, rates in (("full", OF_FULL), ("zoo", OF_ZOO)):
        rows = [row for row in found.values() if row["kind"] == kind]
        if not rows:
            continue
        heads = ["model", "rounds", "clean, ms an image", *(f"{rate(ber)} (flips an image)" for ber in rates)]
        cells = [
            [
                f"`{row['model']}`", str(row["rounds"]), f"{row['clean_ms_an_image']:.3g}",
                *(f"{row['ratio'][rate(ber)]:.2f} ({row['flips_an_image'][rate(ber)]:,.0f})" for ber in rates),
            ]
            for row in rows
        ]  # fmt: skip
        lines += ["", f"## {'Full size, random weights' if kind == 'full' else 'The zoo'}", "", table(heads, cells), ""]
        told = ", ".join(f"{between((row['ratio'][rate(ber)] for row in rows), 1)} at {rate(ber)}" for ber in rates)
        lines.append(f"Times clean: {told}.")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[*ZOO, *FULL])
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in chosen.models:
        found[name] = measure(name, rounds=chosen.rounds)
        FILE.write_text(json.dumps(found, indent=1) + "\n")
        FILE.with_suffix(".md").write_text(written(found))
        gc.collect()


if __name__ == "__main__":
    main()
