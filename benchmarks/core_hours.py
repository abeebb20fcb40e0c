"""The core-hours of the paper's whole study: `python -m benchmarks.core_hours` writes benchmarks/CORE_HOURS.md.

As many forward passes as `radhard reproduce` counts for 10,000 images, times processor seconds of a pass, which are
measured on a few images with random weights, on one thread: without faults, under faults at the ends and the middle of
the curve, under faults in the words of the image, and with all products under each scheme. It takes ten minutes. Each
model is kept in benchmarks/CORE_HOURS.json once it is measured, and a run that was stopped goes on with the next one;
`--again` measures all anew, and a model that is named is measured anew.
"""

import argparse
import gc
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.claims.data import table
from benchmarks.faulty import FULL
from benchmarks.turns import take_turns
from radhard.analysis.anatomy import anatomy
from radhard.campaign.patches import LOADS, words_of_image
from radhard.faults import EVERYWHERE, Faults, Faulty
from radhard.machine import Clean
from radhard.models.load import load
from radhard.program import capture, quantize, run
from radhard.protection import Protected, products_of, read_method
from radhard.studies.inspection import InspectionResult
from radhard.studies.options import FaultOptions, RunOptions
from radhard.studies.reproduction.estimate import LOSSES, SEARCH, Stage, rates_of_curve, stages_of
from radhard.studies.reproduction.measurement import protected_run
from radhard.studies.reproduction.paper_figures import PARTS, SCHEMES, PartName, ReproduceOptions
from radhard.studies.reproduction.reproduce import middle_rates, patches_of
from radhard.words import Words

FILE = Path(__file__).with_name("CORE_HOURS.json")
RUN = RunOptions(images=10_000, trials=1)
TARGET, EARLIER = 300, 1900
QUIET = 1.5
"""Up to this load a measurement had a processor and its caches for itself."""

ROWS: dict[str, float] = {
    "Fig. 2": 27, "search of operating points": 44, "Fig. 3": 79, "Fig. 4": 43, "Fig. 5": 320, "plans": 87,
    "Figs. 9 and 10": 445, "Figs. 11 and 12": 880,
}  # fmt: skip
"""What is told apart, and the core-hours that an earlier estimate gave each."""

_AT_A_TIME = 16
HALF = "half of the products"
_FIGURES: dict[PartName, str] = {
    "sweep": "Fig. 2", "layer": "Fig. 3", "module": "Fig. 4", "patch": "Fig. 5", "schemes": "Figs. 11 and 12",
}  # fmt: skip
_STAGES = {"search": "search of operating points", "ordering": "plans", "steps": "Figs. 9 and 10"}


def measure(name: str, *, rounds: int) -> dict[str, Any]:
    """What a model has to be counted by, and processor seconds of one image each way."""
    loaded = load(name, weights="random")
    images = torch.randn(_AT_A_TIME, *loaded.input_shape, generator=torch.Generator().manual_seed(0))
    program = quantize(capture(loaded.module, images[:1], name=loaded.name), [images])
    every = FaultOptions()
    by = {
        kind: anatomy(program, kinds=every.kinds, where=EVERYWHERE, words=every.words, by=kind)
        for kind in ("layer", "module")
    }
    inspected = InspectionResult(anatomy=by["layer"], program=program, loaded=loaded)
    curve, rates, grid = rates_of_curve(inspected), middle_rates(inspected), patches_of(inspected)
    middle, products = rates[1], products_of(program)
    of_image = Faults(ber=0.01, kinds=LOADS, where=words_of_image(program))
    machines: dict[str, Any] = {"clean": Clean(), "image": Faulty(Clean(), of_image)}
    for ber in sorted({curve[0], curve[len(curve) // 2], curve[-1], middle}):
        machines[f"{ber:g}"] = Faulty(Clean(), Faults(ber=ber))
    for spelling in SCHEMES:
        method = read_method(spelling)
        found = products.of(method.takes)
        schemes = {site: method.scheme_of(product.shape, ber=middle, words=Words()) for site, product in found.items()}
        plan = {site: scheme for site, scheme in schemes.items() if scheme is not None}
        machines[spelling] = Protected(Faulty(Clean(), Faults(ber=middle)), plan)
        if spelling == SCHEMES[0]:
            every_other = dict(list(plan.items())[::2])
            machines[HALF] = Protected(Faulty(Clean(), Faults(ber=middle)), every_other)
    load_before = os.getloadavg()[0]
    cases = {case: lambda machine=machine: run(program, images, machine) for case, machine in machines.items()}
    seconds = {case: float(np.median(t.cpu)) / _AT_A_TIME for case, t in take_turns(cases, rounds=rounds).items()}
    return {
        "model": name,
        "processor": processor(),
        "load": [load_before, os.getloadavg()[0]],
        "rounds": rounds,
        "layers": len(by["layer"].rows),
        "modules": len({row.module for row in by["module"].rows}) + 4,  # and the operators among the non-linear ones
        "patches": grid[0] * grid[1],
        "curve": list(curve),
        "rates": list(rates),
        "middle": middle,
        "seconds": seconds,
    }


def processor() -> str:
    """The processor's name, as Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def hours_of(row: Mapping[str, Any], *, run: RunOptions = RUN) -> dict[str, float]:
    """A model's counts and seconds -> core-hours of each of ROWS."""
    hours = dict.fromkeys(ROWS, 0.0)
    images = run.images or 0
    few = protected_run(run, images=images, options=ReproduceOptions()).images or 1
    components = {"module": row["modules"], "patch": row["patches"]}
    for part in PARTS:
        stages = stages_of(
            part.name, images=images, trials=run.trials, protected_images=few,
            components=components.get(part.name, row["layers"]), rates=len(row["rates"]), curve=len(row["curve"]),
        )  # fmt: skip
        for stage in stages:
            if part.name == "module" and stage.what == "search":
                continue  # the store has it: the rates that Fig. 3 searched
            place = _STAGES.get(stage.what) or _FIGURES[part.name]
            hours[place] += stage.passes * seconds_of(stage, part.name, row=row) / 3600
    return hours


def seconds_of(stage: Stage, part: PartName, *, row: Mapping[str, Any]) -> float:
    """Seconds of a pass: of the curve on average over its rates, by lines over the logarithm of the rate."""
    seconds: Mapping[str, float] = row["seconds"]
    if stage.what == "steps":
        return seconds[HALF]
    if stage.scheme:
        return seconds[stage.scheme]
    if part == "patch":
        return seconds["image"]
    if stage.what != "curve":
        return seconds[f"{row['middle']:g}"]
    known = sorted((float(case), value) for case, value in seconds.items() if _is_rate(case))
    logs = np.log([ber for ber, _ in known])
    under = np.interp(np.log(row["curve"]), logs, [value for _, value in known])
    return float((under.sum() + 2 * seconds["clean"]) / (len(under) + 2))


def _is_rate(case: str) -> bool:
    return case.replace("e-", "").replace(".", "").isdecimal()


def written(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The page: core-hours by figure and model, the target and the earlier estimate beside them, seconds of a pass."""
    hours = {name: hours_of(row) for name, row in found.items()}
    complete = set(FULL) <= set(found)
    cells = []
    for place, earlier in ROWS.items():
        own = [hours[name][place] for name in found]
        cells.append([place, *(f"{each:.1f}" for each in own), f"{sum(own):.0f}", f"{earlier:.0f}"])
    totals = [sum(hours[name].values()) for name in found]
    whole = sum(totals)
    cells.append(["all", *(f"{each:.1f}" for each in totals), f"**{whole:.0f}**", f"{EARLIER:,}"])
    ways = ["clean", "image", HALF, *SCHEMES]
    seconds = [[name, *(_times(row, ways))] for name, row in found.items()]
    loads = [load for row in found.values() for load in row["load"]]
    missing = ", ".join(name for name in FULL if name not in found)
    verdict = f"The target of {TARGET} {'is' if whole <= TARGET else 'is not'} reached: {whole / TARGET:.2f} times it."
    return "\n".join(
        [
            "# Core-hours of the paper's study",
            "",
            "Written by `python -m benchmarks.core_hours`: forward passes as `radhard reproduce` counts them for",
            f"{RUN.images:,} images, {RUN.trials} trial each, times measured seconds of a pass. Random weights, recipe",
            f"`int8`, batches of {_AT_A_TIME}, one thread, the median of {_rounds(found)} rounds in which the cases",
            f"take turns, processor time. torch {torch.__version__}, {'; '.join(_processors(found))};",
            f"load of the machine {min(loads):.1f} to {max(loads):.1f}."
            + (" **Other work ran beside it, which makes processor times too long.**" if max(loads) > QUIET else ""),
            "",
            table(["core-hours", *found, "sum", "before"], cells),
            "",
            verdict if complete else f"Not measured yet: {missing}. The sums are of the others.",
            f"Before: an earlier estimate, which is {EARLIER / whole:.2f} times this sum." if complete else "",
            "",
            "Counted as `reproduce` does, with its defaults: a third of the images for Figs. 9 to 12, which have four",
            f"rates, half of the passes of Figs. 11 and 12 without faults; {SEARCH} rates in each search for one of",
            f"{len(LOSSES)} losses, done once for Figs. 3 and 4. A pass without faults in a component is counted whole",
            "though it is run only where it differs, which makes the sums too large rather than too small. The steps",
            "of a plan protect from one product to all: they are measured with every other one protected. Passes under",
            "a scheme and those of Figs. 3 and 4 are measured at one rate in the middle of the curve. Figs. 7, 8 and",
            "14 take no forward passes and are left out.",
            "",
            "Seconds of a pass:",
            "",
            table(["model", "clean", "faults in the image", f"{SCHEMES[0]}, {HALF}", *SCHEMES, "by rate"], seconds),
            "",
        ]
    )


def _times(row: Mapping[str, Any], ways: Sequence[str]) -> list[str]:
    seconds = row["seconds"]
    rates = sorted((case for case in seconds if _is_rate(case)), key=float)
    return [*(f"{seconds[way]:.3g}" for way in ways), ", ".join(f"{seconds[ber]:.3g} at {ber}" for ber in rates)]


def _processors(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted({row["processor"] for row in found.values()})


def _rounds(found: Mapping[str, Mapping[str, Any]]) -> str:
    return " or ".join(map(str, sorted({row["rounds"] for row in found.values()})))


def main() -> None:
    """Measure what is not measured yet, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", help="measured anew; by default those that are not measured yet")
    parser.add_argument("--again", action="store_true", help="measure all anew")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FILE)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(asked.out.read_text()) if asked.out.exists() and not asked.again else {}
    for name in asked.models or [name for name in FULL if asked.again or name not in found]:
        found[name] = measure(name, rounds=asked.rounds)
        found = {each: found[each] for each in (*FULL, *found) if each in found}
        asked.out.write_text(json.dumps(found, indent=1) + "\n")
        asked.out.with_suffix(".md").write_text(written(found))
        print(f"{name}: {sum(hours_of(found[name]).values()):.1f} core-hours", flush=True)
        gc.collect()
    asked.out.with_suffix(".md").write_text(written(found))
    print(asked.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
