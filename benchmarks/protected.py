"""What simulating protection costs: protected over faulty inference, by scheme: `python -m benchmarks.protected`.

All products of a model protected by one scheme, at the rate at which the model loses accuracy, checks exposed. One
thread; ratios of best processor times, the cases taking turns, so that the load of the machine drops out. Writes
benchmarks/PROTECTED.md and .json; models that are named replace their rows, the others keep theirs.
"""

import argparse
import gc
import json
import platform
from pathlib import Path
from typing import Any

import torch

from benchmarks.claims.data import rate, table
from benchmarks.turns import missed, take_turns
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.models.load import load
from radhard.models.zoo import ZOO
from radhard.program import capture, quantize, run
from radhard.protection import Protected, products_of, read_method
from radhard.studies.options import ONE_TRIAL
from radhard.words import Words

RECIPE = "int8-symmetric"
CASES = {"fashion-vit": (2e-6, 100), "vit_base_patch16_224": (1e-8, 16), "resnet18": (1e-8, 16)}
"""The rate, and images at a time."""
SCHEMES = (
    "standard-abft", "intensity-ideal", "huang-abraham", "row-check", "row-abft", "lb-abft", "dmr", "tmr",
)  # fmt: skip
TARGET = 3.0
FILE = Path(__file__).with_name("PROTECTED.json")


def measure(name: str, *, rounds: int) -> dict[str, Any]:
    """A model's faulty time an image, and the ratio of each scheme to it."""
    ber, batch = CASES[name]
    loaded = load(name) if name in ZOO else load(name, weights="random")
    images = torch.randn(batch, *loaded.input_shape, generator=torch.Generator().manual_seed(0))
    program = quantize(capture(loaded.module, images[:1], name=loaded.name), [images[:2]], recipe=RECIPE)
    products, faults = products_of(program), Faults(ber=ber)
    machines: dict[str, Any] = {"faulty": Faulty(Clean(), faults)}
    for spelling in SCHEMES:
        method = read_method(spelling)
        found = products.of(method.takes)
        schemes = {site: method.scheme_of(product.shape, ber=ber, words=Words()) for site, product in found.items()}
        plan = {site: scheme for site, scheme in schemes.items() if scheme is not None}
        machines[spelling] = Protected(Faulty(Clean(), faults), plan)
    cases = {case: lambda machine=machine: run(program, images, machine) for case, machine in machines.items()}
    best = {case: float(times.cpu.min()) for case, times in take_turns(cases, rounds=rounds).items()}
    return {
        "model": name,
        "ber": ber,
        "batch": batch,
        "rounds": rounds,
        "faulty_ms_an_image": 1e3 * best["faulty"] / batch,
        "ratio": {spelling: best[spelling] / best["faulty"] for spelling in SCHEMES},
    }


def written(found: dict[str, Any]) -> str:
    """The table and what it says."""
    heads = ["scheme", *(f"`{row['model']}`, {rate(row['ber'])}" for row in found.values())]
    cells = [[f"`{scheme}`", *(f"{row['ratio'][scheme]:.2f}" for row in found.values())] for scheme in SCHEMES]
    times = [f"{row['faulty_ms_an_image']:.3g}" for row in found.values()]
    ratios = {
        f"`{scheme}` on {row['model']}": (row["ratio"][scheme], TARGET) for row in found.values() for scheme in SCHEMES
    }
    rounds, batches = (" / ".join(str(row[name]) for row in found.values()) for name in ("rounds", "batch"))
    lines = [
        "# What simulating protection costs",
        "",
        f"`python -m benchmarks.protected`, recipe `{RECIPE}`, all products protected, checks exposed, one thread,",
        f"torch {torch.__version__}, {platform.machine()}. Processor times of protected over faulty inference, each",
        f"the best of {rounds} rounds in which the cases take turns, in batches of {batches}",
        f"(`compare` and `plan` take {ONE_TRIAL.batch} images at a time).",
        "",
        table(heads, [["faulty, ms an image", *times], *cells]),
        "",
        f"At most {TARGET:g} times is the target. {missed(ratios)}",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=[*CASES])
    parser.add_argument("--rounds", type=int, default=3)
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
