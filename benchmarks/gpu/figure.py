"""The figure of `results/gpu.md`: clean int8 over bfloat16 by batch size, faulty over clean by rate."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.gpu.journal import Record
from radhard.report.caption import Caption
from radhard.report.style import COLOURS, GREY, MARKERS, write_figure


def draw(records: Sequence[Record], path: Path, *, device: str) -> None:
    """Draw what was measured of the two, of records with `cases`."""
    clean = sorted((r for r in records if r["part"] == "clean"), key=lambda r: r["batch"])
    faulty = sorted((r for r in records if r["part"] == "faulty"), key=lambda r: r["batch"])
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(f"ViT-B/16 in int8 on {device}", x=0.01, ha="left", fontsize=12, fontweight="bold")
    batches = [str(r["batch"]) for r in clean]
    for place, other in enumerate(("float32", "float16", "int8, kernel by kernel", "int8")):
        if not all(other in r["cases"] for r in clean):
            continue
        found = [r["cases"][other]["over_bfloat16"] for r in clean]
        line(left, batches, found, place=place, label=other)
    left.axhline(1, color=GREY, linewidth=0.9)
    left.set_xlabel("images a batch")
    left.set_ylabel("time over bfloat16's")
    for place, record in enumerate(faulty):
        rates = sorted(record["flips_an_image"], key=float)
        found = [record["cases"][name]["over_clean"] for name in rates]
        line(right, [f"{float(name):.0e}" for name in rates], found, place=place, label=f"batch {record['batch']}")
    right.axhline(1, color=GREY, linewidth=0.9)
    right.set_xlabel("bit error rate")
    right.set_ylabel("time over the clean run's")
    for axes in (left, right):
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, color="0.9", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    shown = ("left: time of a clean run over bfloat16's, right: time of a faulty run over the clean one's",)
    write_figure(figure, path, caption=Caption(title="Speed on a GPU", sentences=shown))


def line(axes: Axes, x: Sequence[str], found: Sequence[Record], *, place: int, label: str) -> None:
    """Medians as a line, quartiles as bars."""
    middle = [f["median"] for f in found]
    low, high = ([abs(f[name] - f["median"]) for f in found] for name in ("low", "high"))
    axes.errorbar(
        x, middle, yerr=[low, high], color=COLOURS[place], marker=MARKERS[place], markersize=5, linewidth=1.3,
        capsize=2, label=label,
    )  # fmt: skip
