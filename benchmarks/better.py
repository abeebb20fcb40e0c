"""Row-located ABFT against LB-ABFT on the matrix products of six models: `python -m benchmarks.better`.

Expected operations by the exact models, each scheme with the block that costs it least: LB-ABFT a cube in which at most
one flip is expected, RowAbft a box of any proportions that expects no more flips than that cube. Beside them what no
scheme goes below that sums the output and both factors once. Then both on drawn words under the same faults, the checks
exposed to faults too: operations executed and accumulators left wrong. Sizes are read from results/shapes.json.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch

from benchmarks.claims.data import table
from benchmarks.shapes import read_shapes
from radhard.analysis.intervals import wilson
from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Gemm, Site
from radhard.operators import Linear
from radhard.protection import (
    Block,
    CostModel,
    Exact,
    ExactRows,
    LbAbft,
    PricedBlock,
    Protected,
    RowAbft,
    Scheme,
    Shape,
    boxes,
    probability,
)
from radhard.protection.cost.models import detect, exposed_bits, locate
from radhard.studies.simulation import drawn
from radhard.words import Words

RESULTS = Path(__file__).parent.parent / "results"
RATES = (1e-10, 1e-9, 1e-8, 1e-7)
SITE = Site(name="gemm", operator="gemm", layer="-", module="-", batch_axis=0, rows_per_image=1)
# which products, how many of each are simulated at a rate
SIMULATED = {
    "proj of ViT-B": (Shape(m=197, k=768, n=768, bias=True), 10),
    "fc2 of Swin-T, last stage": (Shape(m=49, k=3072, n=768, bias=True), 10),
    "QK^T of ViT-B": (Shape(m=197, k=64, n=197, stored=False), 100),
    "AV of ViT-B": (Shape(m=197, k=197, n=64, stored=False), 100),
    "QK^T of Swin-T": (Shape(m=49, k=32, n=49, stored=False), 400),
    "3x3 convolution, 64 channels": (Shape(m=3136, k=576, n=64, bias=True), 5),
}


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Expected operations of both schemes, with their blocks; `own` are the product's, `floor` what sums alone take."""

    ber: float
    own: float
    floor: float
    lb: float
    rows: float
    lb_block: str
    rows_block: str


def floor(shape: Shape) -> float:
    """Sums of the output and of A, and of B unless stored, and the dot product of these."""
    sums = shape.m * shape.n - 1 + (shape.m - 1) * shape.k + (0 if shape.stored else (shape.n - 1) * shape.k)
    return sums + 2 * shape.terms - 1


@cache
def choices(shape: Shape, ber: float) -> tuple[PricedBlock, PricedBlock]:
    """The best cube of LB-ABFT, and the best box of RowAbft that expects no more flips."""
    cubes = (Block(m=edge, k=edge, n=edge) for edge in edges(shape))
    lb = cheapest(shape, cubes, model=Exact(), ber=ber, most_flips=1.0)
    most = lb.overhead.flips * (1 + 1e-9)
    return lb, cheapest(shape, boxes(shape), model=ExactRows(), ber=ber, most_flips=most)


def cheapest(
    shape: Shape, candidates: Iterable[Block], *, model: CostModel, ber: float, most_flips: float
) -> PricedBlock:
    """What `optimal_block` finds, without a look at blocks whose detection alone costs more than another's all."""
    alarm, words = probability(exposed_bits(shape, Words(), first=True), ber=ber), Words()
    possible = []
    for block in candidates:
        clipped = block.clipped(shape)
        bits = exposed_bits(Shape(m=clipped.m, k=clipped.k, n=clipped.n), words, first=False)
        if ber * bits <= most_flips:
            checks = detect(shape, block).arithmetic + alarm * locate(shape, block).arithmetic
            possible.append((checks, len(possible), block))
    best: PricedBlock | None = None
    for checks, _, block in sorted(possible):
        if best is not None and checks >= best.overhead.total.arithmetic:
            break
        found = PricedBlock(block=block, overhead=model(shape, block, ber=ber))
        if best is None or found.overhead.total.arithmetic < best.overhead.total.arithmetic:
            best = found
    assert best is not None
    return best


def edges(shape: Shape) -> Iterable[int]:
    """All edges up to 512, beyond that such as are 2 % apart: fewer than all of a product 38,809 rows high."""
    largest = max(shape.m, shape.k, shape.n)
    edge = 1
    while edge < largest:
        yield edge
        edge = max(edge + 1, int(edge * 1.02)) if edge >= 512 else edge + 1
    yield largest


def compare(shape: Shape, *, ber: float) -> Compared:
    lb, rows = choices(shape, ber)
    return Compared(
        ber=ber,
        own=shape.volume + shape.m * shape.n * (shape.terms - 1),
        floor=floor(shape),
        lb=lb.overhead.total.arithmetic,
        rows=rows.overhead.total.arithmetic,
        lb_block=str(lb.block),
        rows_block=str(rows.block),
    )


def kind(shape: Shape) -> str:
    """The class of a product, by what its sums cost."""
    if not shape.stored:
        return "attention"
    if shape.m == 1:
        return "one row"
    if shape.k < 32:
        return "k below 32"
    return "weights, all sizes above 64" if min(shape.m, shape.k, shape.n) > 64 else "weights, a size of 33 to 64"


# --- simulation ---


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of `products` at `ber`: operations executed beside their own, wrong words, products with such a word."""

    gemm: str
    ber: float
    scheme: str
    block: str
    products: int
    words: int
    executed: float
    wrong_words: int
    wrong_products: int
    low: float
    high: float


def simulate(gemm: str, shape: Shape, *, products: int, ber: float) -> list[Outcome]:
    """Unprotected, LB-ABFT and RowAbft: the same words and faults."""
    lb, rows = choices(shape, ber)
    schemes: dict[str, Scheme | None] = {
        "none": None,
        "lb-abft": LbAbft(block=lb.block),
        "row-abft": RowAbft(block=rows.block),
    }
    seen = {name: [0.0, 0, 0] for name in schemes}
    for seed in range(products):
        inputs, operator = operands(shape, seed=seed)
        clean = Clean().apply(operator, inputs, SITE)
        for name, scheme in schemes.items():
            machine = Protected(Faulty(Clean(), Faults(ber=ber, seed=seed)), {SITE.name: scheme} if scheme else {})
            wrong = int((machine.apply(operator, inputs, SITE) != clean).sum())
            if scheme:
                seen[name][0] += machine.accounts[SITE.name].executed.arithmetic
            seen[name][1] += wrong
            seen[name][2] += wrong > 0
    own = shape.volume + shape.m * shape.n * (shape.terms - 1)
    found = []
    for name, (executed, wrong, bad) in seen.items():
        around = wilson(bad / products, n=products)
        block = {"none": "", "lb-abft": str(lb.block), "row-abft": str(rows.block)}[name]
        found.append(
            Outcome(
                gemm=gemm, ber=ber, scheme=name, block=block, products=products, words=products * shape.m * shape.n,
                executed=executed / products / own, wrong_words=int(wrong), wrong_products=int(bad), low=around.low,
                high=around.high,
            )
        )  # fmt: skip
    return found


def operands(shape: Shape, *, seed: int) -> tuple[tuple[torch.Tensor | None, ...], Linear | Gemm]:
    """Drawn int8 words of one image, and the operator that multiplies them."""
    x = drawn(1, shape.m, shape.k, seed=2 * seed + 1)
    if not shape.stored:
        return (x, drawn(1, shape.k, shape.n, seed=2 * seed + 2)), Gemm()
    bias = 1000 * drawn(shape.n, seed=2).int() if shape.bias else None
    return (x, drawn(shape.n, shape.k, seed=0), bias), Linear()


# --- tables ---


def model_table(found: dict[str, list[dict[str, float]]]) -> str:
    """Whole models: the overheads, their ratio, and the least ratio that sums allow."""
    rows = []
    for model, points in found.items():
        cells = [
            f"{p['rows'] / p['lb']:.2f} ({p['lb']:.2%} to {p['rows']:.2%}; {p['floor'] / p['lb']:.2f})" for p in points
        ]
        rows.append([f"`{model}`", *cells])
    return table(["model", *(f"BER {ber:g}" for ber in RATES)], rows)


def class_table(classes: dict[str, list[dict[str, float]]]) -> str:
    rows = []
    for name, points in classes.items():
        cells = [f"{p['least']:.2f} to {p['most']:.2f} ({p['halved']:g} of {p['shapes']:g})" for p in points]
        rows.append([name, f"{points[0]['operations']:.1%}", *cells])
    return table(["products", "share of operations", *(f"BER {ber:g}" for ber in RATES)], rows)


def outcome_table(outcomes: Sequence[Outcome]) -> str:
    rows = []
    for gemm, ber in dict.fromkeys((one.gemm, one.ber) for one in outcomes):
        none, lb, row = (one for one in outcomes if (one.gemm, one.ber) == (gemm, ber))
        cells = [f"{one.wrong_words} in {one.wrong_products}" for one in (none, lb, row)]
        costs = [f"{one.executed:.2%}" for one in (lb, row)]
        rows.append([gemm, f"{ber:g}", str(lb.products), *cells, *costs, f"{row.executed / lb.executed:.2f}"])
    heads = ["product", "BER", "n", "wrong words: none", "LB-ABFT", "RowAbft", "executed: LB-ABFT", "RowAbft", "ratio"]
    return table(heads, rows)


def summed(shapes: Iterable[tuple[Shape, int]], *, ber: float) -> dict[str, float]:
    """Overheads of so many products of each shape, as shares of their own operations."""
    found = [(compare(shape, ber=ber), count) for shape, count in shapes]
    own = math.fsum(count * one.own for one, count in found)
    parts = {key: math.fsum(count * getattr(one, key) for one, count in found) / own for key in ("lb", "rows", "floor")}
    return {"ber": ber, "own": own, **parts}


def by_class(every: Sequence[tuple[Shape, int]]) -> dict[str, list[dict[str, float]]]:
    """The range of ratios within each class of products, over all models."""
    own = math.fsum(count * compare(shape, ber=RATES[0]).own for shape, count in every)
    found: dict[str, list[dict[str, float]]] = {}
    for name in dict.fromkeys(kind(shape) for shape, _ in every):
        mine = [(shape, count) for shape, count in every if kind(shape) == name]
        for ber in RATES:
            compared = {shape: compare(shape, ber=ber) for shape, _ in mine}
            ratios = [one.rows / one.lb for one in compared.values()]
            share = math.fsum(count * compared[shape].own for shape, count in mine) / own
            point = {"ber": ber, "shapes": len(ratios), "least": min(ratios), "most": max(ratios), "operations": share}
            found.setdefault(name, []).append(point | {"halved": sum(ratio <= 0.5 for ratio in ratios)})
    return found


def main() -> None:
    shapes = read_shapes()
    every = [one for of_model in shapes.values() for one in of_model]
    models = {model: [summed(found, ber=ber) for ber in RATES] for model, found in shapes.items()}
    classes = by_class(every)
    outcomes = [
        outcome
        for gemm, (shape, products) in SIMULATED.items()
        for ber in RATES[1:]
        for outcome in simulate(gemm, shape, products=products, ber=ber)
    ]
    record = {
        "command": "python -m benchmarks.better",
        "models": models,
        "classes": classes,
        "shapes": [
            asdict(shape) | {"kind": kind(shape), "rates": [asdict(compare(shape, ber=ber)) for ber in RATES]}
            for shape in dict.fromkeys(shape for shape, _ in every)
        ],
        "simulated": [asdict(one) for one in outcomes],
    }
    (RESULTS / "better.json").write_text(json.dumps(record, indent=1) + "\n")
    print(model_table(models), class_table(classes), outcome_table(outcomes), sep="\n\n")


if __name__ == "__main__":
    main()
