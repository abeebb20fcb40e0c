"""Hardened modules against the same module without protection, and against a program on the clean machine.

python -m benchmarks.deployed --plan results/vit-gain.json            # writes benchmarks/DEPLOYED.md
"""

import argparse
import os
import platform
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.turns import missed, ratio, take_turns
from radhard.campaign.build import build_program
from radhard.deploy import harden
from radhard.machine import Clean, Gemm
from radhard.models.load import load
from radhard.operators import Conv2d, Linear
from radhard.program import Apply, Program, run
from radhard.protection import Block, Plan, Protection, RowAbft, read_plan

MODELS = {"fashion-vit": 120, "vit_base_patch16_224": 12}
TARGET = 1.05
SCHEME = RowAbft(block=Block(m=16, k=64, n=64))


def products(program: Program) -> list[str]:
    """The names of all int8 products, in the program's order."""
    return [
        step.site.name
        for step in program.steps
        if isinstance(step, Apply)
        and isinstance(step.operator, Linear | Conv2d | Gemm)
        and step.operator.write_back is not None
    ]


def half(program: Program) -> list[str]:
    """The half of the products with the most operations, which most faults hit."""
    cost = {site.name: cost.operations("mul") for site, cost in program.costs.items()}
    names = products(program)
    return sorted(names, key=lambda name: cost[name], reverse=True)[: len(names) // 2]


def modules(program: Program, plan: Plan | None) -> dict[str, Callable[[torch.Tensor], object]]:
    """What is compared: the program itself, and modules with none, half, all or a plan's products checked."""
    plans = {"none": [], "half": half(program), "all": products(program)}
    made: dict[str, Callable[[torch.Tensor], object]] = {"program": lambda x: run(program, x, Clean())}
    for name, sites in plans.items():
        made[name] = harden(program, Protection.of(dict.fromkeys(sites, SCHEME)))
    if plan is not None:
        made["plan"] = harden(program, plan)
    return made


def rows(
    name: str, *, rounds: int, batches: tuple[int, ...], plan: Plan | None
) -> tuple[list[str], dict[str, tuple[float, float]]]:
    """Rows of the table for one model; the ratios with all products checked, or a plan's, and their target."""
    program = build_program(load(name, seed=0), recipe="int8")
    made, lines, found = modules(program, plan), [], {}
    names = products(program)
    counts = {"none": "none", "half": f"{len(half(program))}", "all": "all"}
    if plan is not None:
        ranges = sum(site not in names for site in plan.protection.schemes)
        counts["plan"] = f"a plan's {len(plan.protection.schemes) - ranges}, and {ranges} ranges"
    for batch in batches:
        x = torch.randn(batch, *program.input_shape, generator=torch.Generator().manual_seed(batch))
        cases = {case: (lambda module=module, x=x: module(x)) for case, module in made.items()}
        with torch.no_grad():
            times = take_turns(cases, rounds=max(rounds // batch, rounds // 3))
        for case, count in counts.items():
            lines.append(
                f"| `{name}` | {batch} | {count} of {len(names)} | {times[case].wall.min() * 1e3:.2f} "
                f"| {ratio(times[case], times['none'])} | {ratio(times[case], times['program'])} |"
            )
        for case in counts.keys() & {"all", "plan"}:
            found[f"{name} at batch {batch}, {counts[case]}"] = (ratio(times[case], times["none"]).cpu, TARGET)
    return lines, found


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
    parser.add_argument("--plan", action="append", type=Path, default=[], help="a plan for one of the models")
    parser.add_argument("--model", action="append", choices=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("DEPLOYED.md"))
    chosen = parser.parse_args()
    table = [
        "| model | batch | products checked | best ms | of the module without checks | of `run(program, images)` |",
        "|---|---|---|---|---|---|",
    ]
    found: dict[str, tuple[float, float]] = {}
    plans = {plan.model: plan for plan in map(read_plan, chosen.plan)}
    for name in chosen.model or MODELS:
        rounds = int(chosen.rounds * MODELS[name])
        lines, ratios = rows(name, rounds=rounds, batches=(1, 8), plan=plans.get(name))
        table += lines
        found |= ratios
    lines = [
        "# Deployed: what the checks cost",
        "",
        f"`python -m benchmarks.deployed`, {machine()}, load {os.getloadavg()[0]:.1f}. Cases take turns in one run. "
        "Each ratio is given three times: of best wall-clock times / of best processor times / the median of the "
        "ratios of processor times round by round; on a machine that others load, the wall clock alone says little. "
        "Every row of a checked product is checked, and no fault occurs. Target: at most 1.05, aim 1.02.",
        "",
        *table,
        "",
        f"By best processor times: {missed(found)} Products of a hundred columns and few rows "
        "take tens of microseconds, of which the check's own call, a vector of 16 more columns and the sums "
        "of attention's factors are a larger part.",
        "",
    ]
    chosen.out.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
