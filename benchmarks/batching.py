"""What batching does to the overhead of checks: `python -m benchmarks.batching` -> results/batching.json and .md.

Weights are shared by the images of a batch, so that a linear layer is one product of batch x rows, and its check one
for all of them. Attention products stay one for each image and head. Expected operations by the exact models, faults in
the products alone. Beside them the share of flips that a scheme of one correction can repair: those that are alone in
their product (standard ABFT) or block (LB-ABFT that leaves the others); row-located ABFT repairs any number.
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from benchmarks.claims.data import RESULTS, table
from radhard.protection import Block, Exact, ExactRows, Operations, Overhead, Shape, optimal_block, read_method
from radhard.protection.cost.models import exposed_bits
from radhard.protection.planning.method import best_block
from radhard.words import Words

BATCHES = (1, 8, 64)
RATES = (1e-11, 1e-10, 1e-9, 1e-8, 1e-7)
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


def alone(scheme: Callable[..., Overhead], *, batch: int, ber: float) -> float:
    """Of the flips in all blocks of ViT-B, a batch, the share that meets no other in what the scheme corrects once."""
    met, flips = 0.0, 0.0
    for count, shape in PRODUCTS:
        one = replace(shape, m=shape.m * batch) if shape.stored else shape
        own = ber * exposed_bits(one, Words(), first=True) * (count if shape.stored else count * batch)
        met += own * math.exp(-scheme(one, ber=ber).flips)  # flips arrive as a Poisson process: the others are none
        flips += own
    return met / flips


def row(name: str, *, batch: int, ber: float) -> dict[str, float | str | int | None]:
    """What a scheme costs, and which share of flips is alone; None for rows, where that does not matter."""
    scheme = SCHEMES[name]
    lonely = None if scheme is rows else alone(scheme, batch=batch, ber=ber)
    spent = share(scheme, batch=batch, ber=ber)
    return {"scheme": name, "batch": batch, "ber": ber, "share": spent, "alone": lonely}


def main() -> None:
    """Count and write."""
    found: list[dict[str, Any]] = [
        row(name, batch=batch, ber=ber) for ber in RATES for batch in BATCHES for name in SCHEMES
    ]
    assert all(math.isfinite(row["share"]) for row in found)
    (RESULTS / "batching.json").write_text(json.dumps(found, indent=1) + "\n")
    lonely = [f"alone, {name}" for name, scheme in SCHEMES.items() if scheme is not rows]
    cells = [
        [f"{ber:g}", str(batch)]
        + [f"{100 * one['share']:.3g} %" for one in found if (one["ber"], one["batch"]) == (ber, batch)]
        + [
            f"{100 * one['alone']:.3g} %"
            for one in found
            if (one["ber"], one["batch"]) == (ber, batch) and one["alone"] is not None
        ]
        for ber in RATES
        for batch in BATCHES
    ]
    print(table(["BER", "batch", *SCHEMES, *lonely], cells))


if __name__ == "__main__":
    main()
