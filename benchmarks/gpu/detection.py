"""What the fused check of rows costs: products of ViT-B that are written back, with it and without, in one run."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.blows import KINDS_OF_PRODUCTS, TINY, Kind, operands
from benchmarks.gpu.clock import laps
from radhard.kernels.cuda import product_proof
from radhard.kernels.cuda.checked import Checked, Variant, checked_product, chosen, variant_of, wrong_rows
from radhard.kernels.cuda.configs import Config
from radhard.kernels.cuda.products import launch
from radhard.kernels.sums import store
from radhard.kernels.write import WriteBack

OPS = torch.ops.radhard
BATCHES, TINY_BATCHES = (64, 8, 1), (2,)
GRID = [0, -128, 127]
ROUNDS, REPEATED = 24, 24
TILES = tuple(
    Config(rows=rows, columns=columns, depth=depth, warps=warps, stages=stages)
    for rows, columns, depth, warps, stages in (
        (128, 128, 128, 4, 3),
        (128, 256, 128, 8, 3),
        (128, 128, 64, 4, 4),
        (128, 128, 128, 8, 3),
        (128, 256, 64, 8, 4),
        (64, 256, 128, 4, 3),
        (256, 128, 128, 8, 3),
        (64, 128, 128, 4, 4),
    )
)
Record = dict[str, Any]


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """A record for each batch and each product with a weight: seconds of one, and the ratio by round."""
    kinds = [kind for kind in (TINY if tiny else KINDS_OF_PRODUCTS) if kind.shape.stored]
    for batch in TINY_BATCHES if tiny else BATCHES:
        for kind in kinds:
            yield one(kind, batch=batch, device=device, rounds=2 if tiny else ROUNDS)
    if not tiny:
        yield from sizes(device)


def sizes(device: torch.device) -> Iterator[Record]:
    """Both kernels in the same tiles, at n = 768, batch 64: which tiles are best for either."""
    for config in TILES:
        for kind in KINDS_OF_PRODUCTS:
            if kind.shape.n != 768:
                continue
            x = operands(kind, batch=64, device=device)
            assert x.bias is not None
            a, weight, bias = x.a.flatten(0, 1), x.b[0], x.bias[0]
            back = WriteBack(multiplier=torch.full((len(weight),), 1e-5, device=device), dtype=torch.int8)
            stored = store(weight, bias)
            out = torch.empty(len(a), len(weight), dtype=torch.int8, device=device)
            variant = product_proof.Variant(
                config=config, unsigned=False, b_by_k=True, whole=a.shape[1] % config.depth == 0, k_aligned=True,
                n_aligned=True, a_aligned=True, b_aligned=True, c_aligned=True,
                writes=product_proof.Writes(biased=True, centred=True, one=False, dtype=torch.int8),
            )  # fmt: skip
            times = laps(
                {
                    "unchecked": partial(
                        launch, variant, a[None, None], weight[None, None], out[None, None], bias, back
                    ),
                    "checked": partial(
                        checked_product, a, stored, back,
                        variant=variant_of(a, len(weight), dtype=torch.int8, config=config)
                    ),
                },
                device=device,
                rounds=ROUNDS,
            )  # fmt: skip
            yield {
                "tiles": vars(config),
                "of": kind.name,
                "seconds": {name: float(np.median(each)) for name, each in times.items()},
                "ratio": float(np.median(times["checked"] / times["unchecked"])),
            }


def one(kind: Kind, *, batch: int, device: torch.device, rounds: int) -> Record:
    """Both take turns, as often as an inference has such products; their rows are compared in one launch at the end."""
    factors = operands(kind, batch=batch, device=device)
    assert factors.bias is not None
    a, weight, bias = factors.a.flatten(0, 1), factors.b[0], factors.bias[0]
    (m, k), n = a.shape, len(weight)
    many = [a.clone() for _ in range(REPEATED if device.type == "cuda" else 1)]
    scale, stored = torch.full((n,), 1e-5, device=device), store(weight, bias)

    def unchecked(x: Tensor) -> Tensor:
        out: Tensor = OPS.linear(x, weight, bias, scale, GRID, torch.int8)
        return out

    back = WriteBack(multiplier=scale, dtype=torch.int8)
    variant = chosen(a, stored, back)
    plain = variant_of(a, n, dtype=torch.int8)

    def checked(x: Tensor, variant: Variant | None = variant) -> Checked:
        return checked_product(x, stored, back, variant=variant)

    cases = {
        "unchecked": lambda: [unchecked(x) for x in many],
        "checked": lambda: wrong_rows([checked(x) for x in many]),
        "checked, a program a tile": lambda: wrong_rows([checked(x, plain) for x in many]),
    }
    same, alarms = torch.equal(checked(a).out, unchecked(a)), int(wrong_rows([checked(a)]))
    times = laps(cases, device=device, rounds=rounds)
    ratios = times["checked"] / times["unchecked"]
    low, middle, high = np.percentile(ratios, (25, 50, 75))
    return {
        "product": kind.name,
        "batch": batch,
        "sizes": [m, k, n],
        "seconds": {name: float(np.median(each)) / len(many) for name, each in times.items()},
        "checked_over_unchecked": {"median": middle, "low": low, "high": high, "rounds": rounds},
        "programs_stay": variant is not None and bool(variant.config.persistent),
        "same_words": same,
        "alarms": alarms,
    }


def overhead(records: Sequence[Record]) -> float | None:
    """The largest share that the check adds at n = 768, batch 64; None where that was not measured."""
    found = [
        record["checked_over_unchecked"]["median"] - 1
        for record in records
        if record.get("batch") == 64 and record.get("sizes", [0])[-1] == 768
    ]
    return max(found, default=None)


def lines(records: Sequence[Record]) -> list[str]:
    """A table in Markdown."""
    rows = [
        f"| {x['product']} | {x['batch']} | {' x '.join(map(str, x['sizes']))} | {1e6 * x['seconds']['unchecked']:.1f} "
        f"| {1e6 * x['seconds']['checked']:.1f} | {x['checked_over_unchecked']['median'] - 1:+.1%} "
        f"({x['checked_over_unchecked']['low'] - 1:+.1%} to {x['checked_over_unchecked']['high'] - 1:+.1%}) |"
        for x in records
        if "checked_over_unchecked" in x
    ]
    return [
        "| product | batch | m x k x n | unchecked, us | checked, us | more (quartiles of rounds) |",
        "|---|---|---|---|---|---|",
        *rows,
    ]
