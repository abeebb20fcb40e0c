"""The block sizes of all products of a model, as records, rows and a figure of error probabilities (Figs. 7, 8, 14)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

from radhard.analysis.simulated_blocks import Simulated
from radhard.report.blocks import BlockRow


@dataclass(frozen=True, kw_only=True)
class ModelProduct:
    """Products of a model of one shape, `m` x `k` and `k` x `n`, `count` an image; `rows`: the cheapest blocks."""

    product: str
    count: int
    m: int
    k: int
    n: int
    bias: bool
    stored: bool
    rows: tuple[BlockRow, ...]


@dataclass(frozen=True, kw_only=True)
class ErrorProbability:
    """Mean over a model's products that a product, and a block of it, is in error, by a cost model at a rate."""

    ber: float
    model: str
    faulty: float
    block_faulty: float


@dataclass(frozen=True, kw_only=True)
class SchemeShares:
    """Shares of detection and recovery in what a scheme is expected to execute on all products, multiplications and
    additions.
    """

    scheme: str
    ber: float
    detection: float
    recovery: float


class ModelBlocksRecord(TypedDict):
    """What block sizes give on the products of a model."""

    model: str
    recipe: str
    products: list[Annotated[dict[str, Any], ModelProduct]]
    probabilities: list[Annotated[dict[str, Any], ErrorProbability]]
    shares: list[Annotated[dict[str, Any], SchemeShares]]
    simulated: list[Annotated[dict[str, Any], Simulated]]


def average_probabilities(products: Sequence[ModelProduct]) -> tuple[ErrorProbability, ...]:
    """The mean over all products of an image, each as often as it is computed, at each rate by each cost model."""
    total = sum(product.count for product in products)
    keys = dict.fromkeys((row.ber, row.model) for product in products for row in product.rows)
    found = []
    for ber, model in keys:
        rows = [
            (product.count, row) for product in products for row in product.rows if (row.ber, row.model) == (ber, model)
        ]
        found.append(
            ErrorProbability(
                ber=ber,
                model=model,
                faulty=sum(count * row.faulty for count, row in rows) / total,
                block_faulty=sum(count * row.block_faulty for count, row in rows) / total,
            )
        )
    return tuple(found)


def model_blocks_rows(products: Sequence[ModelProduct], *, model: str) -> list[dict[str, object]]:
    """One row a product, rate and cost model; the cost model is `cost_model`."""
    rows: list[dict[str, object]] = []
    for product in products:
        place = {key: value for key, value in vars(product).items() if key != "rows"}
        for row in product.rows:
            values = asdict(row)
            rows.append({"model": model, **place, "cost_model": values.pop("model"), **values})
    return rows


def draw_probabilities(probabilities: dict[str, Sequence[ErrorProbability]], path: Path) -> None:
    """Mean error probabilities of products and of their cheapest blocks over the rate, a panel a model (Fig. 14)."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from radhard.report.style import check_suffix

    check_suffix(path)
    columns = min(3, len(probabilities))
    rows = -(-len(probabilities) // columns)
    figure = Figure(figsize=(3.6 * columns + 0.6, 2.9 * rows + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in panels.flat[len(probabilities) :]:
        axes.set_visible(False)
    for axes, (name, found) in zip(panels.flat, probabilities.items(), strict=False):
        for model, dash in (("exact", "-"), ("volume", "--")):
            line = sorted((each for each in found if each.model == model), key=lambda each: each.ber)
            rates = [each.ber for each in line]
            axes.plot(rates, [each.faulty for each in line], dash, color="#D55E00", marker="s", markersize=4,
                      label=f"whole products ({model})")  # fmt: skip
            axes.plot(rates, [each.block_faulty for each in line], dash, color="#0072B2", marker="o", markersize=4,
                      label=f"cheapest blocks ({model})")  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(name, loc="left", fontsize=10)
        axes.grid(visible=True, color="0.9", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel("error probability")
    for axes in panels[-1]:
        axes.set_xlabel("bit error rate")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    with rc_context({"svg.hashsalt": "radhard", "svg.fonttype": "none"}):
        figure.savefig(path, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else None)
