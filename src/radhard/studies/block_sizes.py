"""The verb `block_sizes`: block sizes of LB-ABFT for all matrix products of a model (Figs. 7, 8 and 14)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from radhard.analysis.simulated_blocks import Simulated
from radhard.errors import InputError
from radhard.machine import Shape
from radhard.protection import Block, Exact, Operations, products_of
from radhard.report.product_blocks import (
    ErrorProbability,
    ModelBlocksRecord,
    ModelProduct,
    SchemeShares,
    average_probabilities,
    draw_probabilities,
    model_blocks_rows,
)
from radhard.studies.blocks import blocks
from radhard.studies.fault_amount import rates_of
from radhard.studies.inspection import inspect
from radhard.studies.model import Model
from radhard.studies.options import FaultOptions, ModelOptions
from radhard.studies.progress import Report
from radhard.studies.result import DrawnResult, FigureTarget
from radhard.studies.simulation import EDGES, simulate_sizes
from radhard.studies.under_test import name_of
from radhard.words import Words

RATES = (1e-9, 1e-8, 1e-7)


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelBlocks(DrawnResult):
    """The cheapest blocks of each product of a model, mean error probabilities, and `simulated` sizes of some.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> shape = rh.ModelOptions(input_shape=(3, 2, 2))
    >>> rh.block_sizes(model, ber=[1e-6, 1e-4], simulate=0, model_options=shape)
    <ModelBlocks: Sequential, int8: 1 product ...>
    """

    model: str
    recipe: str
    products: tuple[ModelProduct, ...]
    probabilities: tuple[ErrorProbability, ...]
    shares: tuple[SchemeShares, ...]
    simulated: tuple[Simulated, ...]

    @property
    def headline(self) -> str:
        """`fashion-vit, int8: 38 products of 7 shapes; at BER 1e-06 a block is in error in 4 % ...`."""
        count = sum(product.count for product in self.products)
        last = [each for each in self.probabilities if each.model == "exact"][-1]
        return (
            f"{self.model}, {self.recipe}: {count} product{'' if count == 1 else 's'} of {len(self.products)} "
            f"shape{'' if len(self.products) == 1 else 's'}; at BER {last.ber:.3g} on average a product is in error "
            f"with probability {last.faulty:.2g}, its cheapest block {last.block_faulty:.2g}"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row a product, rate and cost model."""
        return model_blocks_rows(self.products, model=self.model)

    def to_dict(self) -> ModelBlocksRecord:
        """The record of the model."""
        return {
            "model": self.model,
            "recipe": self.recipe,
            "products": [asdict(each) for each in self.products],
            "probabilities": [vars(each) for each in self.probabilities],
            "shares": [vars(each) for each in self.shares],
            "simulated": [asdict(each) for each in self.simulated],
        }

    def plot(self, target: FigureTarget) -> None:
        """Draw the mean error probabilities into a file. InputError for axes: the figure has panels of its own."""
        if not isinstance(target, str | Path):
            raise InputError("plot of block sizes: it has panels of its own; give a .png or .svg file")
        draw_probabilities({self.model: self.probabilities}, Path(target))


def block_sizes(
    model: Model,
    *,
    ber: float | Sequence[float] = RATES,
    simulate: int = 2,
    simulated_products: int = 20,
    model_options: ModelOptions | None = None,
    faults: FaultOptions | None = None,
    progress: Report | None = None,
) -> ModelBlocks:
    """Find the cheapest cube of LB-ABFT for each matrix product of a model at each rate, and simulate block sizes.

    `simulate` of the shapes with the most multiplications are simulated, `simulated_products` drawn products each, in
    cubes of several sizes: what the blocks cost and leave. Needs no images. InputError for a model without products of
    int8 words, and for a rate that is not above 0.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> shape = rh.ModelOptions(input_shape=(3, 2, 2))
    >>> found = rh.block_sizes(model, ber=1e-4, simulate=0, model_options=shape)
    >>> {row["cost_model"] for row in found.rows()} == {"printed", "volume", "exact"}
    True
    """
    rates, faults = rates_of(ber), faults or FaultOptions()
    if min(rates) <= 0:
        raise InputError("--ber 0: at BER 0 no block is faulty, and the largest costs least; give rates above 0")
    inspected = inspect(model, model_options=model_options, faults=faults, progress=progress)
    name = name_of(model)
    shapes: dict[Shape, int] = {}
    for product in products_of(inspected.program).found.values():
        shapes[product.shape] = shapes.get(product.shape, 0) + product.count
    if not shapes:
        raise InputError(
            f"{name}: it has no matrix product of int8 words, and blocks are of these; take an int8 recipe"
        )
    products = tuple(_product(shape, count, rates=rates, words=faults.words) for shape, count in shapes.items())
    largest = sorted(shapes, key=lambda shape: shape.volume, reverse=True)[:simulate]
    simulated = [
        point
        for shape in largest
        for rate in rates
        for point in simulate_sizes(
            _name(shape),
            shape,
            ber=rate,
            products=simulated_products,
            edges=[edge for edge in EDGES if edge <= max(shape.m, shape.k, shape.n)],
            seed=faults.seed,
        )
    ]
    return ModelBlocks(
        model=name,
        recipe=inspected.program.recipe,
        products=products,
        probabilities=average_probabilities(products),
        shares=tuple(_shares(shapes, products, rates=rates, words=faults.words)),
        simulated=tuple(simulated),
    )


def _name(shape: Shape) -> str:
    return f"{shape.m} x {shape.k} x {shape.n}{'' if shape.stored else ' of activations'}"


def _product(shape: Shape, count: int, *, rates: Sequence[float], words: Words) -> ModelProduct:
    return ModelProduct(
        product=_name(shape),
        count=count,
        m=shape.m,
        k=shape.k,
        n=shape.n,
        bias=shape.bias,
        stored=shape.stored,
        rows=blocks(shape, ber=rates, words=words).blocks,
    )


def _shares(
    shapes: dict[Shape, int], products: Sequence[ModelProduct], *, rates: Sequence[float], words: Words
) -> list[SchemeShares]:
    """Standard ABFT, one block and no check of the repair, and LB-ABFT in the cheapest cubes, by the exact model."""
    found = []
    for ber in rates:
        for scheme in ("standard-abft", "lb-abft"):
            detection = recovery = Operations()
            for (shape, count), product in zip(shapes.items(), products, strict=True):
                if scheme == "standard-abft":
                    block = Block(m=shape.m, k=shape.k, n=shape.n)
                    spent = Exact(words=words, retries=0)(shape, block, ber=ber)
                else:
                    (row,) = (row for row in product.rows if row.ber == ber and row.model == "exact")
                    edge = int(row.block.partition("x")[0])
                    spent = Exact(words=words)(shape, Block(m=edge, k=edge, n=edge), ber=ber)
                detection += spent.detection.times(count)
                recovery += spent.recovery.times(count)
            both = detection.arithmetic + recovery.arithmetic
            found.append(
                SchemeShares(
                    scheme=scheme, ber=ber, detection=detection.arithmetic / both, recovery=recovery.arithmetic / both
                )
            )
    return found
