"""Matrix products on drawn int8 words, simulated under LB-ABFT in cubes of several sizes (Fig. 7 of Xue et al.).

Every size and policy meets the same words and faults, the checks are exposed to faults too, and the output is written
back to int8 with a scale that gives it a deviation of 32 steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from radhard.analysis.simulated_blocks import Simulated, mean_of
from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Machine, Shape, Site, WriteBack
from radhard.operators import Linear
from radhard.protection import Exact, LbAbft, Protected, Volume, cube
from radhard.protection.abft.recovery import RecoveryPolicy

EDGES = (8, 12, 16, 22, 28, 34, 40, 48, 64, 96, 128, 192)
POLICIES: tuple[RecoveryPolicy, ...] = ("leave", "intersect")
SITE = Site(name="gemm", operator="linear", layer="-", module="-", batch_axis=0, rows_per_image=1)
OUTPUT_DEVIATION = 32  # steps of the grid of int8
_UNIFORM = 128 * 128 / 3  # about the variance of words from -128 to 127


@dataclass(frozen=True, kw_only=True)
class SimulatedProduct:
    """One product: its mean squared error, its share of wrong words, operations executed beside its own."""

    mse: float
    wrong: float
    executed: float


def simulate_sizes(
    gemm: str,
    shape: Shape,
    *,
    ber: float,
    products: int,
    edges: Sequence[int] = EDGES,
    policies: Sequence[RecoveryPolicy] = POLICIES,
    seed: int = 0,
) -> list[Simulated]:
    """`products` of `shape`: a point for the unprotected ones, then for each size and policy; seeds count up."""
    settings = [(0, "none"), *((edge, policy) for policy in policies for edge in edges)]
    schemes = [
        None,
        *(LbAbft(block=cube(edge), policy=policy) for policy in policies for edge in edges),
    ]
    of_product = [simulate(shape, ber=ber, schemes=schemes, seed=seed + number) for number in range(products)]
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


def simulate(shape: Shape, *, ber: float, schemes: Sequence[LbAbft | None], seed: int) -> list[SimulatedProduct]:
    """The product number `seed` under each scheme, None being none: same words, same faults."""
    x, weight = drawn(1, shape.m, shape.k, seed=2 * seed + 1), drawn(shape.n, shape.k, seed=0)
    bias = 1000 * drawn(shape.n, seed=2).int() if shape.bias else None
    scale = OUTPUT_DEVIATION / (_UNIFORM * shape.k**0.5)
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
        seen.append(
            SimulatedProduct(mse=float(off.square().mean()), wrong=float((off != 0).double().mean()), executed=executed)
        )
    return seen


def drawn(*shape: int, seed: int) -> Tensor:
    """Words drawn evenly, int8 [*shape]."""
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))
