"""Fig. 7 of Xue et al. by simulation, `python -m benchmarks.block_sizes`: what LB-ABFT costs and leaves by block size.

Two products of ViT-B on drawn int8 words, one image each. Every size and policy meets the same faults, the checks are
exposed to faults too, and the output is written back to int8 with a scale that gives it a deviation of 32 steps.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Machine, Site, WriteBack
from radhard.operators import Linear
from radhard.protection import Exact, LbAbft, Protected, Shape, Volume, cube
from radhard.protection.abft.recovery import RecoveryPolicy
from radhard.report.block_sizes import Simulated, block_sizes_data, draw_block_sizes, mean_of, simulated_record

RESULTS = Path(__file__).parent.parent / "results"
GEMMS = {
    "proj of ViT-B, 197 x 768 x 768": Shape(m=197, k=768, n=768, bias=True),
    "fc1 of ViT-B, 197 x 768 x 3072": Shape(m=197, k=768, n=3072, bias=True),
}
RATES = (1e-9, 1e-8, 1e-7)
EDGES = (8, 12, 16, 22, 28, 34, 40, 48, 64, 96, 128, 192)
POLICIES: tuple[RecoveryPolicy, ...] = ("leave", "intersect")
PRODUCTS = 20
SITE = Site(name="gemm", operator="linear", layer="-", module="-", batch_axis=0, rows_per_image=1)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One product: its mean squared error, its share of wrong words, operations executed beside its own."""

    mse: float
    wrong: float
    executed: float


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))


def simulate(shape: Shape, *, ber: float, schemes: Sequence[LbAbft | None], seed: int) -> list[Seen]:
    """The product number `seed` under each scheme, None being none: same words, same faults."""
    x, weight = drawn(1, shape.m, shape.k, seed=2 * seed + 1), drawn(shape.n, shape.k, seed=0)
    bias = 1000 * drawn(shape.n, seed=2).int() if shape.bias else None
    # words from -128 to 127 have a variance of about 128^2 / 3
    scale = 32 / (128 * 128 / 3 * shape.k**0.5)
    linear = Linear(write_back=WriteBack(multiplier=torch.tensor([scale]), dtype=torch.int8))
    clean = Clean().apply(linear, (x, weight, bias), SITE)
    seen = []
    for scheme in schemes:
        machine: Machine = Faulty(Clean(), Faults(ber=ber, seed=seed))
        executed = 0.0
        if scheme is None:
            out = machine.apply(linear, (x, weight, bias), SITE)
        else:
            machine = Protected(machine, {SITE.name: scheme})
            out = machine.apply(linear, (x, weight, bias), SITE)
            executed = machine.accounts[SITE.name].executed.arithmetic
        off = (out.double() - clean.double()).flatten()
        seen.append(Seen(mse=float(off.square().mean()), wrong=float((off != 0).double().mean()), executed=executed))
    return seen


def measure(
    gemm: str, shape: Shape, *, ber: float, edges: Iterable[int], policies: Iterable[RecoveryPolicy], products: int
) -> list[Simulated]:
    """A point for the unprotected product, then for each size and policy; seeds are 0, 1, 2 ..."""
    settings = [(0, "none"), *((edge, policy) for policy in policies for edge in edges)]
    schemes = [LbAbft(block=cube(edge), policy=policy) if edge else None for edge, policy in settings]  # type: ignore[arg-type]
    of_product = [simulate(shape, ber=ber, schemes=schemes, seed=seed) for seed in range(products)]
    own = shape.volume + shape.m * shape.n * (shape.terms - 1)
    points = []
    for place, (edge, policy) in enumerate(settings):
        seen = [product[place] for product in of_product]
        models = (Exact(), Volume()) if edge else ()
        exact, volume = [model(shape, cube(edge), ber=ber).total.arithmetic / own for model in models] or (0.0, 0.0)
        points.append(
            Simulated(
                gemm=gemm,
                ber=ber,
                edge=edge,
                policy=policy,
                n=products,
                mse=mean_of([one.mse for one in seen]),
                wrong=mean_of([one.wrong for one in seen]),
                executed=mean_of([one.executed / own for one in seen]),
                exact=exact,
                volume=volume,
            )
        )
    return points


def main() -> None:
    points = [
        point
        for gemm, shape in GEMMS.items()
        for ber in RATES
        for point in measure(gemm, shape, ber=ber, edges=EDGES, policies=POLICIES, products=PRODUCTS)
    ]
    record = {"command": "python -m benchmarks.block_sizes", "points": [simulated_record(point) for point in points]}
    (RESULTS / "block-sizes.json").write_text(json.dumps(record, indent=1) + "\n")
    draw_block_sizes(block_sizes_data(points), RESULTS / "block-sizes.png")


if __name__ == "__main__":
    main()
