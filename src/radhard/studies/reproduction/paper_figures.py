"""The parts of a reproduction: which figures each gives, and the options of them all. Imports nothing of torch."""

from dataclasses import dataclass, field
from typing import Literal

from radhard.errors import InputError
from radhard.studies.options import option

PartName = Literal["sweep", "layer", "module", "patch", "blocks", "plans", "schemes"]


@dataclass(frozen=True, kw_only=True)
class PaperPart:
    """One measurement, by its `name`: the `figures` of the paper that it gives, and `what` it does."""

    name: PartName
    figures: tuple[int, ...]
    what: str


PARTS: tuple[PaperPart, ...] = (
    PaperPart(name="sweep", figures=(2,), what="accuracy over the bit error rate"),
    PaperPart(name="layer", figures=(3,), what="vulnerability by layer at 10, 20 and 30 points lost"),
    PaperPart(name="module", figures=(4,), what="vulnerability by module at 10, 20 and 30 points lost"),
    PaperPart(name="patch", figures=(5,), what="vulnerability by patch of the image at 10 points lost"),
    PaperPart(name="blocks", figures=(7, 8, 14), what="block sizes of LB-ABFT on the model's products"),
    PaperPart(name="plans", figures=(9, 10), what="plans of LB-ABFT and ranges, on images that did not choose them"),
    PaperPart(name="schemes", figures=(11, 12), what="LB-ABFT against standard, intensity-guided ABFT and TMR"),
)
"""In the order of the paper's figures."""

FIGURES: tuple[int, ...] = tuple(sorted(figure for part in PARTS for figure in part.figures))

SCHEMES = ("lb-abft", "lb-abft:policy=leave", "standard-abft", "intensity-ideal", "intensity-measured", "tmr")
"""What Figs. 11 and 12 compare; the first is the reference of the pairs."""


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions:
    """Which figures, and how far: `max_loss` in percentage points, `max_overhead` in percent, of plans.

    >>> import radhard as rh
    >>> rh.ReproduceOptions(figures=(2, 3)).parts[-1].name
    'layer'
    """

    figures: tuple[int, ...] = field(
        default=FIGURES, metadata=option("figures of the paper, such as 2,3; default: 2-5, 7-12 and 14")
    )
    grid: tuple[int, int] | None = field(
        default=None,
        metadata=option(
            "rows x columns of the patches of Fig. 5; default: patches of 16 x 16 pixels, of images under 64 pixels 7x7"
        ),
    )
    protected_images: int | None = field(
        default=None,
        metadata=option(
            "images of Figs. 9 to 12, where a pass takes many times longer; default: a third of --images", least=1
        ),
    )
    products: int = field(default=20, metadata=option("products a point of the simulation of Fig. 7", least=2))
    max_loss: float = field(default=2.0, metadata=option("allowed loss of plans, in percentage points"))
    max_overhead: float = field(
        default=20.0,
        metadata=option(
            "allowed overhead of plans, in percent; small models do not reach the paper's 2 at rates that hurt them"
        ),
    )

    def __post_init__(self) -> None:
        if not self.figures:
            raise InputError("--figures is empty: name some of 2-5, 7-12 and 14")
        for figure in self.figures:
            check_figure(figure)

    @property
    def parts(self) -> tuple[PaperPart, ...]:
        """What is measured, in order."""
        return tuple(part for part in PARTS if set(part.figures) & set(self.figures))


def check_figure(figure: int) -> None:
    """Raise InputError for a figure that is none of those, saying why."""
    if figure == 13:
        raise InputError(
            "--figures 13: it is of times on a GPU, which `python -m benchmarks.gpu` measures; results/gpu.md has them"
        )
    if figure not in FIGURES:
        why = "it shows no measurement" if figure in (1, 6) else "the paper has no such figure"
        raise InputError(f"--figures {figure}: {why}; choose from {', '.join(map(str, FIGURES))}")


def figures_of(text: str) -> tuple[int, ...]:
    """`2,3` or `2-5,14` -> the figures, each once. InputError for what is no number."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"--figures {text}: {part.strip()!r} is no figure; write numbers, such as 2,3 or 2-5")
        found += [n for n in range(int(first), int(last or first) + 1) if not dash or n in FIGURES or n == 13]
    return tuple(dict.fromkeys(found))
