"""The figure of exposed bits per layer and category."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from radhard.analysis.anatomy import Anatomy
from radhard.report.anatomy import marked
from radhard.report.caption import Caption
from radhard.report.style import COLOURS, check_suffix, write_figure


def draw_anatomy(found: Anatomy, path: Path) -> None:
    """Draw the exposed bits of each row into a .png, .svg or .pdf file."""
    check_suffix(path)
    figure = Figure(figsize=(8.5, 1.4 + 0.26 * len(found.rows)), layout=ConstrainedLayoutEngine())
    FigureCanvasAgg(figure)
    draw_anatomy_on(found, figure.subplots())
    title = f"{found.model}, recipe {found.recipe}: exposed bits by {found.by}"
    bits = sum(row.exposed_bits for row in found.rows)
    shown = (
        f"bars are the bits of one image's inference that can flip, {bits:,} in all",
        f"flips in {', '.join(sorted(found.kinds))}, words {found.words.name}",
    )
    write_figure(figure, path, caption=Caption(title=title, sentences=shown))


def draw_anatomy_on(found: Anatomy, axes: Axes) -> None:
    """Draw a bar a row on axes, the first row on top: the bits of one image's inference that can flip."""
    source = {"layer": "layer_source", "module": "module_source"}.get(found.by)
    names = [marked(row.name, "" if source is None else getattr(row, source)) for row in found.rows]
    axes.barh(range(len(names)), [row.exposed_bits for row in found.rows], color=COLOURS[1])
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(f"exposed bits of one image ({', '.join(sorted(found.kinds))}, words {found.words.name})")
    axes.set_title(f"{found.model}, recipe {found.recipe}: exposed bits by {found.by}", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
