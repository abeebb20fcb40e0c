"""The figure of verdicts: a matrix of fault classes and schemes, each cell with its shares."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch, Rectangle

from radhard.analysis.intervals import Interval
from radhard.analysis.verdict import VERDICTS, Verdict, Verdicts
from radhard.errors import InputError
from radhard.report.caption import Caption, sentences_of
from radhard.report.style import GREY, check_suffix, write_figure

# fill and hatch: told apart by lightness alone
_LOOK: dict[Verdict, tuple[str, str]] = {
    "masked": ("#FFFFFF", ""),
    "benign": ("#DCDCDC", ""),
    "corrected": ("#7FC8B0", ""),
    "DUE": ("#E69F00", "////"),
    "SDC": ("#000000", ""),
}
_MEANING: dict[Verdict, str] = {
    "masked": "masked: accumulators unchanged",
    "benign": "benign: no alarm, all output words right",
    "corrected": "corrected: alarm, all output words right",
    "DUE": "DUE: alarm, output words wrong",
    "SDC": "SDC: no alarm, output words wrong (the printed share)",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Trials of one class of faults under one scheme, on one product."""

    fault: str
    scheme: str
    product: str
    tally: Verdicts


@dataclass(frozen=True, kw_only=True)
class VerdictsData:
    """What the figure shows: `cells[fault][scheme]`, all products together; NaN shares where there are no trials."""

    title: str
    subtitle: str
    faults: tuple[str, ...]
    schemes: tuple[str, ...]
    cells: dict[str, dict[str, Verdicts]]


def pooled(cells: Sequence[Cell]) -> dict[str, dict[str, Verdicts]]:
    """Cells of several products -> fault -> scheme -> the trials of all products."""
    found: dict[str, dict[str, Verdicts]] = {}
    for cell in cells:
        row = found.setdefault(cell.fault, {})
        row[cell.scheme] = row[cell.scheme] + cell.tally if cell.scheme in row else cell.tally
    return found


def verdicts_data(cells: Sequence[Cell]) -> VerdictsData:
    """Cells -> what to draw; classes and schemes in the order of their first cell. InputError for none, or a gap."""
    if not cells:
        raise InputError("no cells: give one or more")
    found = pooled(cells)
    schemes = tuple(dict.fromkeys(cell.scheme for cell in cells))
    for fault, row in found.items():
        if missing := [scheme for scheme in schemes if scheme not in row]:
            raise InputError(f"fault {fault!r} was not tried under {missing[0]!r}: give a cell for each pair")
    sizes = sorted({tally.n for row in found.values() for tally in row.values()})
    return VerdictsData(
        title="Faults that no scheme was made for: what is masked, corrected, DUE and SDC",
        subtitle=f"n = {' to '.join(str(n) for n in sorted({sizes[0], sizes[-1]}))} products a cell; "
        "one fault each, the same for every scheme",
        faults=tuple(found),
        schemes=schemes,
        cells=found,
    )


def draw_verdicts(data: VerdictsData, path: Path) -> None:
    """Draw the figure into a .png, .svg or .pdf file, legible in black and white."""
    check_suffix(path)
    size = (3.6 + 1.02 * len(data.schemes), 2.3 + 0.36 * len(data.faults))
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1, rect=(0, 0, 1, 1 - 0.6 / size[1]))
    figure = Figure(figsize=size, layout=layout)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for down, fault in enumerate(data.faults):
        for right, scheme in enumerate(data.schemes):
            _draw_cell(axes, data.cells[fault][scheme], left=float(right), middle=float(down))
    axes.set_xlim(-0.05, len(data.schemes))
    axes.set_ylim(len(data.faults) - 0.5, -0.5)
    axes.set_xticks([right + 0.45 for right in range(len(data.schemes))], [_folded(s) for s in data.schemes])
    axes.set_yticks(range(len(data.faults)), data.faults)
    axes.tick_params(length=0, labelsize=9)
    axes.xaxis.tick_top()
    axes.spines[["top", "right", "bottom", "left"]].set_visible(False)
    figure.text(0.015, 1 - 0.1 / size[1], data.title, va="top", fontsize=13, fontweight="bold")
    figure.text(0.015, 1 - 0.38 / size[1], data.subtitle, va="top", fontsize=9, color=GREY)
    handles = [
        Patch(facecolor=_LOOK[verdict][0], hatch=_LOOK[verdict][1], edgecolor="black", label=_MEANING[verdict])
        for verdict in VERDICTS
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    write_figure(figure, path, caption=Caption(title=data.title, sentences=sentences_of(data.subtitle)))


def _draw_cell(axes: Axes, tally: Verdicts, *, left: float, middle: float) -> None:
    start, width, height = left, 0.9, 0.42
    for verdict in VERDICTS:
        share = tally.count(verdict) / max(tally.n, 1) * width
        if share:
            fill, hatch = _LOOK[verdict]
            place = (start, middle - 0.05)
            axes.add_patch(Rectangle(place, share, height, facecolor=fill, hatch=hatch, edgecolor="0.2", linewidth=0.4))
        start += share
    axes.add_patch(Rectangle((left, middle - 0.05), width, height, fill=False, edgecolor="black", linewidth=0.7))
    sdc = tally.count("SDC")
    text = f"{100 * sdc / max(tally.n, 1):.0f}% SDC" if sdc else "no SDC"
    style: dict[str, Any] = {"fontweight": "bold"} if sdc else {"color": "0.45"}
    axes.text(left, middle - 0.08, text, fontsize=7, va="bottom", ha="left", **style)


def _folded(label: str) -> str:
    return label.replace(", ", ",\n").replace(" on ", "\non ").replace(" ABFT", "\nABFT")


def cells_record(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Cells -> JSON values: those of each product, then those of all together."""
    together = [
        Cell(fault=fault, scheme=scheme, product="all", tally=tally)
        for fault, row in pooled(cells).items()
        for scheme, tally in row.items()
    ]
    return [_record(cell) for cell in (*cells, *together)]


def _record(cell: Cell) -> dict[str, Any]:
    named: dict[str, Any] = {"fault": cell.fault, "scheme": cell.scheme, "product": cell.product, "n": cell.tally.n}
    for verdict in VERDICTS:
        share = cell.tally.share(verdict)
        named |= {
            verdict: cell.tally.count(verdict),
            f"{verdict}_low": round(share.low, 6),
            f"{verdict}_high": round(share.high, 6),
        }
    return named | {"miscorrected": cell.tally.miscorrected}


def write_cells(cells: Sequence[Cell], path: Path) -> None:
    """Write one row a cell: counts of its verdicts, and 95 % intervals of their shares."""
    rows = cells_record(cells)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["fault", "scheme", "product", "n"])
        writer.writeheader()
        writer.writerows(rows)


def verdict_table(data: VerdictsData, *verdicts: Verdict) -> str:
    """The share of trials with one of `verdicts` (none: all of them, in one table each), and its 95 % interval."""
    if not verdicts:
        return "\n\n".join(f"{verdict}:\n\n{verdict_table(data, verdict)}" for verdict in VERDICTS)
    lines = [_row(["fault", "n", *data.schemes]), _row(["---"] * (2 + len(data.schemes)))]
    for fault in data.faults:
        row = data.cells[fault]
        sizes = sorted({tally.n for tally in row.values()})
        shares = [_share(row[scheme].share(*verdicts)) for scheme in data.schemes]
        lines.append(_row([fault, " to ".join(map(str, sizes)), *shares]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _share(share: Interval) -> str:
    rate, low, high = (100 * value for value in (share.rate, share.low, share.high))
    return f"{rate:.1f}% ({low:.1f}-{high:.1f})" if 0 < rate < 100 else f"{rate:.0f}% ({low:.1f}-{high:.1f})"
