"""Line styles of figures, distinct in black and white, and saving a figure to a file."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from radhard.errors import InputError
from radhard.report.caption import Caption, write_caption

SUFFIXES = (".png", ".svg", ".pdf")
# Okabe and Ito's colours without the yellow, darkest first; the lengths differ, so that 7 x 9 x 5 lines are distinct.
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "X", "P", "<", ">")
DASHES = ((0, ()), (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
GREY = "0.35"


def percent_ticks() -> FuncFormatter:
    """Ticks of a share in percent, each as exact as it stands: 87.5 % is not 88 %."""
    return FuncFormatter(lambda share, _: f"{100 * share:.4g}%")


def point_ticks() -> FuncFormatter:
    """Ticks of a difference of shares in percentage points."""
    return FuncFormatter(lambda share, _: f"{100 * share:.4g}")


def check_suffix(path: Path) -> None:
    """Raise InputError unless the file's name ends in .png, .svg or .pdf."""
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"figure {path} ends in {path.suffix or 'nothing'!r}; name a file that ends in .png, .svg or .pdf"
        )


def write_figure(figure: Figure, path: Path, *, caption: Caption) -> None:
    """Write a .png (160 dots an inch), .svg or .pdf file, of the same data the same bytes, and its caption beside it.

    Text is text: a .pdf has its fonts within, as TrueType (type 42), which publishers take.
    """
    check_suffix(path)
    dated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with rc_context({"svg.hashsalt": "radhard", "svg.fonttype": "none", "pdf.fonttype": 42, "hatch.linewidth": 0.6}):
        figure.savefig(path, dpi=160, metadata=dated.get(path.suffix))
    write_caption(caption, path)
