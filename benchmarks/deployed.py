"""Hardened modules against the same module without protection, and against a program on the clean machine.

python -m benchmarks.deployed --plan results/vit-gain.json --plan results/plans/fashion-vit-5e-7.json

writes benchmarks/DEPLOYED.md. The plans are for `fashion-vit`. There is none for ViT-B/16, whose weights here are
random, so that no protection gains anything: it is measured with everything protected. LB-ABFT is measured on all
products, in blocks as deep as the product and in cubes: of 64, and of 16 as in the paper.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from benchmarks.turns import missed, ratio, take_turns
from radhard.campaign.build import build_program, noise
from radhard.campaign.model_under_test import calibration_batches
from radhard.deploy import harden
from radhard.machine import Clean, MatrixProduct
from radhard.models.data.fashion import fashion_mnist
from radhard.models.load import load
from radhard.models.loaded import LoadedModel
from radhard.program import Apply, Program, run
from radhard.protection import (
    Block,
    LbAbft,
    Plan,
    Protection,
    Scheme,
    observed_limits,
    products_of,
    ranges_of,
    read_method,
    read_plan,
)
from radhard.protection.schemes.row_check import RowCheckAbft
from radhard.words import Words

MODELS = {"fashion-vit": 120, "vit_base_patch16_224": 12}
TARGET = 1.05
SCHEME = RowCheckAbft()
SHEETS = read_method("lb-abft:blocks=sheet")
BER = 1e-6  # for which the sheets are chosen


def products(program: Program) -> list[str]:
    """The names of all int8 products, in the program's order."""
    return [
        step.site.name
        for step in program.steps
        if isinstance(step, Apply) and isinstance(step.operator, MatrixProduct) and step.operator.write_back is not None
    ]


def half(program: Program) -> list[str]:
    """The half of the products with the most operations, which most faults hit."""
    cost = {site.name: cost.operations("mul") for site, cost in program.costs.items()}
    names = products(program)
    return sorted(names, key=lambda name: cost[name], reverse=True)[: len(names) // 2]


def images(loaded: LoadedModel, count: int) -> torch.Tensor:
    """Embedded test images, or noise for a model that they do not fit: [count, ...] float32."""
    data = fashion_mnist("test")
    if tuple(data.images.shape[1:]) == tuple(loaded.input_shape):
        return data.batch(torch.arange(count), mean=loaded.mean, std=loaded.std)
    return torch.randn(count, *loaded.input_shape, generator=torch.Generator().manual_seed(count))


def ranges(loaded: LoadedModel, program: Program) -> dict[str, Scheme]:
    """The range of every non-linear operator, observed on the images that calibrate, or on noise."""
    data = fashion_mnist("calibration")
    fits = tuple(data.images.shape[1:]) == tuple(loaded.input_shape)
    batches = calibration_batches(data, mean=loaded.mean, std=loaded.std) if fits else noise(loaded)
    return {**ranges_of(program, observed_limits(program, batches), read_method("none"))}


def sheets(program: Program) -> dict[str, Scheme]:
    """LB-ABFT of every product in the block that costs least among those as deep as the product."""
    chosen = {
        name: SHEETS.scheme_of(product.shape, ber=BER, words=Words())
        for name, product in products_of(program).found.items()
    }
    return {name: scheme for name, scheme in chosen.items() if scheme is not None}


def cubes(program: Program, size: int) -> dict[str, Scheme]:
    """LB-ABFT of every product in cubes."""
    return dict.fromkeys(products(program), LbAbft(block=Block(m=size, k=size, n=size)))


def protections(loaded: LoadedModel, program: Program) -> dict[str, Protection]:
    """None, half or all of the products checked by rows; all of them, and ranges: more than any plan has; LB-ABFT."""
    checked: dict[str, list[str]] = {"none": [], "half": half(program), "all": products(program)}
    schemes: dict[str, dict[str, Scheme]] = {name: dict.fromkeys(sites, SCHEME) for name, sites in checked.items()}
    schemes["everything"] = {**schemes["all"], **ranges(loaded, program)}
    schemes["LB-ABFT, whole depth"] = sheets(program)
    schemes |= {f"LB-ABFT, {size}-cubes": cubes(program, size) for size in (64, 16)}
    return {name: Protection.of(of) for name, of in schemes.items()}


def rows(
    name: str, *, rounds: int, batches: tuple[int, ...], plans: Mapping[str, Plan], seconds: float | None = None
) -> tuple[list[str], dict[str, tuple[float, float]]]:
    """Rows of the table for one model; the ratios of its `plans`, or of everything without, and their target.

    Each batch takes so many `rounds`, fewer if it is large; or, where `seconds` are given, as many as fit into them.
    """
    loaded = load(name, seed=0)
    program = build_program(loaded, recipe="int8-symmetric")
    protected: dict[str, Protection | Plan] = {**protections(loaded, program), **plans}
    made = {case: harden(program, protection) for case, protection in protected.items()}
    lines, found, names = [], {}, products(program)
    for batch in batches:
        x = images(loaded, batch)
        cases: dict[str, Callable[[], object]] = {"program": lambda x=x: run(program, x, Clean())}  # type: ignore[misc]
        cases |= {case: (lambda module=module, x=x: module(x)) for case, module in made.items()}  # type: ignore[misc]
        with torch.no_grad():
            turns = max(1, rounds // batch, rounds // 3)
            times = take_turns(cases, rounds=turns if seconds is None else fitting(cases, seconds=seconds))
        for case, module in made.items():
            checked = sum(site in names for site in module.sites)
            lines.append(
                f"| `{name}` | {batch} | {checked} of {len(names)}{f', {case}' * (case in plans or 'LB' in case)} "
                f"| {len(module.sites) - checked} | {times[case].wall.min() * 1e3:.2f} "
                f"| {ratio(times[case], times['none'])} | {ratio(times[case], times['all'])} "
                f"| {ratio(times[case], times['program'])} |"
            )
        for judged in plans or ["everything"]:
            found[f"{name} at batch {batch}, {judged}"] = (ratio(times[judged], times["none"]).cpu, TARGET)
    return lines, found


def fitting(cases: Mapping[str, Callable[[], object]], *, seconds: float) -> int:
    """How many rounds of the cases fit into so many seconds, at least one."""
    start = time.perf_counter()
    take_turns(cases, rounds=0)
    return max(1, int(seconds / (time.perf_counter() - start)))


def machine() -> str:
    """The processor, its cores and the versions that matter."""
    model = "unknown"
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    return (
        f"{model} ({os.cpu_count()} cores, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}), torch "
        f"{torch.__version__}, {torch.get_num_threads()} thread(s)"
    )


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=float, default=1.0, help="times the usual number of rounds")
    parser.add_argument("--seconds", type=float, help="for each model and batch, in place of rounds")
    parser.add_argument(
        "--plan", action="append", type=Path, default=[], help="a plan for one of the models; may be repeated"
    )
    parser.add_argument("--model", action="append", choices=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("DEPLOYED.md"))
    chosen = parser.parse_args()
    table = [
        "| model | batch | products checked | ranges | best ms | of the module without | of all checked by rows "
        "| of `run(program, images)` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    found: dict[str, tuple[float, float]] = {}
    plans = {path.stem: read_plan(path) for path in chosen.plan}
    for name in chosen.model or MODELS:
        rounds = int(chosen.rounds * MODELS[name])
        lines, ratios = rows(
            name,
            rounds=rounds,
            seconds=chosen.seconds,
            batches=(1, 8),
            plans={stem: plan for stem, plan in plans.items() if plan.model == name},
        )
        table += lines
        found |= ratios
    command = " ".join(["python -m benchmarks.deployed", *(f"--plan {plan}" for plan in chosen.plan)])
    lines = [
        "# Deployed: what the checks cost",
        "",
        f"`{command}`, {machine()}, load {os.getloadavg()[0]:.1f}. Cases take turns in one run. "
        "Each ratio is given three times: of best wall-clock times / of best processor times / the median of the "
        "ratios of processor times round by round; on a machine that others load, the wall clock alone says little. "
        "Rows stand for the row check, which checks every row of a checked product, where they do not name LB-ABFT: "
        "that sums every product in blocks as deep as it or in cubes. No fault occurs. Run it where nothing else does. "
        "Target: at most 1.05, aim 1.02, of a real plan, or where there is none of everything protected, which is more "
        "than any plan protects.",
        "",
        *table,
        "",
        f"By best processor times: {missed(found)} At batch 1 the zoo's ViT takes some 100 steps of 50 microseconds, "
        "most of them the interpreter's. Its checks compute for a microsecond or two each; the rest of what they cost "
        "is calls: 3 microseconds more a range, 10 a table of GELU, 10 to 15 a checked product.",
        "",
    ]
    chosen.out.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
