"""`results/gpu.md`, its figures and its data from the folder of a run: tables, targets met and missed, what failed."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.claims.data import RESULTS, table
from benchmarks.gpu import tables
from benchmarks.gpu.figure import draw
from benchmarks.gpu.journal import Record
from benchmarks.gpu.targets import targets

SPEED, FIG13 = "gpu-speed.png", "gpu-fig13.png"


def render(folder: Path, *, results: Path = RESULTS) -> None:
    """Write `gpu.md`, `gpu.json` and `gpu-*.png` of `results` from `folder`/gpu.json."""
    run = json.loads((folder / "gpu.json").read_text())
    records = run["records"]
    (results / "gpu.json").write_text(json.dumps(run, indent=1) + "\n")
    speed, fig13 = figures(records)
    if speed:
        draw(speed, results / SPEED, device=run["device"])
    if fig13:
        importlib.import_module("benchmarks.gpu.fig13").draw(fig13, results / FIG13)
    (results / "gpu.md").write_text(text(run))


def figures(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """The records of the figure of speed, and of Fig. 13."""
    speed = [record for record in records if record["part"] in ("clean", "faulty") and "cases" in record]
    return speed, of(records, "fig13")


def text(run: Record) -> str:
    """`results/gpu.md` of a run."""
    speed, fig13 = figures(run["records"])
    drawn = [f"![Time of int8 over bfloat16 by batch size, and of faulty over clean by rate]({SPEED})"] if speed else []
    if fig13:
        drawn.append(f"![Execution time of the product, detection and recovery by rate]({FIG13})")
    return "\n".join(written(run, drawn=drawn)) + "\n"


def of(records: Sequence[Record], part: str) -> list[Record]:
    """The results of a part: not its errors, nor what only says how long it took."""
    dull = {"part", "at", "seconds", "stopped", "skipped"}
    return [record for record in records if record["part"] == part and "error" not in record and set(record) - dull]


def written(run: Record, *, drawn: Sequence[str]) -> list[str]:
    """The page's lines."""
    records = run["records"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    driver = f", driver {run['driver']}, CUDA {run['cuda']}" if "driver" in run else ""
    lines = [
        "# On a GPU",
        "",
        f"**{run['device']}**{driver}; {versions}; {run['cores']} cores of the host; {run['date'][:10]}.",
        "Measured by `python -m benchmarks.gpu --out FOLDER`, written by `python -m benchmarks.gpu --render FOLDER`:",
        "all numbers on this page are from [gpu.json](gpu.json). Cases take turns in one run, and each is awaited;",
        "times are medians of rounds, ratios medians of the ratios round by round, in brackets their quartiles.",
        *(["", "**A trial of the script on tiny shapes: no number here is of a GPU.**"] if run["tiny"] else []),
        "",
        "## Targets",
        "",
        table(["what", "target", "measured", "verdict"], [found.cells() for found in targets(records)]),
    ]
    sections = {
        "Does the device compute what the CPU does?": tables.equality(of(records, "equality")),
        "Clean int8 against eager PyTorch": tables.clean(of(records, "clean")),
        "Faulty over clean": tables.faulty(of(records, "faulty")),
        "The other models of the paper": tables.models(of(records, "models")),
        "What a fused check costs": told("detection", records),
        "Execution time of protected products (Fig. 13)": told("fig13", records),
        "A sweep, end to end": tables.sweep(of(records, "sweep")),
        "Five seeds of each model of the zoo": tables.training(of(records, "training")),
        "What failed, or was not done": tables.failures(records),
    }
    for title, found in sections.items():
        if found:
            lines += ["", f"## {title}", "", *found]
    return [*lines, *(line for figure in drawn for line in ("", figure))]


def told(part: str, records: Sequence[Record]) -> list[str]:
    """What the module of a part makes of its records, or nothing where there are none."""
    found = of(records, part)
    if not found:
        return []
    lines: list[str] = importlib.import_module(f"benchmarks.gpu.{part}").lines(found)
    return lines
