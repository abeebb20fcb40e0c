"""What batching does to the overhead of checks: `python -m benchmarks.batching` -> results/batching.json and .md.

Weights are shared by the images of a batch, so that a linear layer is one product of batch x rows, and its check one
for all of them. Attention products stay one for each image and head. Expected operations by the exact models, faults in
the products alone; what a scheme repairs is not in it.
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from radhard.protection import Block, Exact, ExactRows, Operations, Overhead, Shape, optimal_block, read_method
from radhard.protection.method import best_block
from radhard.words import Words

RESULTS = Path(__file__).parent.parent / "results"
BATCHES = (1, 8, 64)
RATES = (1e-10, 1e-9, 1e-8, 1e-7)
BLOCKS = 12  # of ViT-B
PRODUCTS: tuple[tuple[int, Shape], ...] = (
    (1, Shape(m=197, k=768, n=2304, bias=True)),
    (12, Shape(m=197, k=64, n=197, stored=False)),
    (12, Shape(m=197, k=197, n=64, stored=False)),
    (1, Shape(m=197, k=768, n=768, bias=True)),
    (1, Shape(m=197, k=768, n=3072, bias=True)),
    (1, Shape(m=197, k=3072, n=768, bias=True)),
)


def standard(shape: Shape, *, ber: float) -> Overhead:
    """One block, and no check of the repair."""
    return Exact(retries=0)(shape, Block(m=shape.m, k=shape.k, n=shape.n), ber=ber)


def light(shape: Shape, *, ber: float) -> Overhead:
    """LB-ABFT in the cubes that cost least, of those with at most one expected flip."""
    return optimal_block(
        shape, ber=ber, model=Exact(), most_flips=1.0, candidates=(Block(m=b, k=b, n=b) for b in range(1, 257))
    ).overhead


def rows(shape: Shape, *, ber: float) -> Overhead:
    """Recovery by rows in the boxes that cost least."""
    return ExactRows()(shape, best_block(read_method("row-abft"), shape, ber=ber, words=Words()), ber=ber)


SCHEMES: dict[str, Callable[..., Overhead]] = {"standard-abft": standard, "lb-abft": light, "row-abft": rows}


def share(scheme: Callable[..., Overhead], *, batch: int, ber: float) -> float:
    """Multiplications and additions of a scheme over those of the products, of all blocks of ViT-B, a batch."""
    spent, own = Operations(), 0.0
    for count, shape in PRODUCTS:
        times = count if shape.stored else count * batch
        one = replace(shape, m=shape.m * batch) if shape.stored else shape
        spent += scheme(one, ber=ber).total.times(times)
        own += times * (2 * one.volume - one.m * one.n * (not one.bias))
    return spent.arithmetic / own


def main() -> None:
    """Count and write."""
    found = [
        {"scheme": name, "batch": batch, "ber": ber, "share": share(scheme, batch=batch, ber=ber)}
        for ber in RATES
        for batch in BATCHES
        for name, scheme in SCHEMES.items()
    ]
    assert all(math.isfinite(row["share"]) for row in found)  # type: ignore[arg-type]
    (RESULTS / "batching.json").write_text(json.dumps(found, indent=1) + "\n")
    print("| BER | batch | " + " | ".join(SCHEMES) + " |\n|---|---|" + "---|" * len(SCHEMES))
    for ber in RATES:
        for batch in BATCHES:
            cells = [f"{100 * r['share']:.3g} %" for r in found if (r["ber"], r["batch"]) == (ber, batch)]  # type: ignore[operator]
            print(f"| {ber:g} | {batch} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
