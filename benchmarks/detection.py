"""Detection alone in one int8 product: the checked product against the product, in one run.

python -m benchmarks.detection            # writes benchmarks/DETECTION.md

Unfused: accumulators are left as int32, and a pass of its own sums their rows. Fused: they are requantised to int8,
which the baseline does too, and their rows are summed in that pass. Both predict rows by three more columns of B.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.deployed import machine
from benchmarks.turns import Times, missed, ratio, take_turns
from radhard.kernels import backends
from radhard.kernels.library import no_events
from radhard.kernels.matmul import columns_summed, rows_summed
from radhard.kernels.sums import store
from radhard.kernels.write import WriteBack, mismatched, write

OPS = torch.ops.radhard
GRID = [0, -128, 127]
NO_OFFSET = torch.zeros(1, dtype=torch.int64)
EVENTS = no_events()
LINEAR = {"projection": (197, 768, 768), "QKV": (197, 768, 2304), "FF1": (197, 768, 3072), "FF2": (197, 3072, 768)}
TOKENS, WIDTH, QK, AV = 197, 64, "QK^T", "AV"
Case = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One product: cases by name, and how many rounds they are worth."""

    cases: dict[str, Case]
    multiplications: int


def int8s(*shape: int, seed: int) -> Tensor:
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))


def linear(m: int, k: int, n: int) -> Measured:
    """A product with a stored weight [n, k], of m rows."""
    x, weight = int8s(m, k, seed=0), int8s(n, k, seed=1)
    bias = torch.randint(-9999, 9999, (n,), dtype=torch.int32, generator=torch.Generator().manual_seed(2))
    scale, stored = torch.full((n,), 1e-5), store(weight, bias)
    narrow = backends.product(x[None], weight[None])[0]
    wide, zero = stored.weight, torch.zeros(n, dtype=torch.int32)

    def unfused() -> None:
        total = backends.product(x[None], wide[None])[0]
        assert mismatched(total, zero, offset=NO_OFFSET) is None

    def recover(rows: int) -> Case:
        total = backends.product(x[None], wide[None])[0].to(torch.int32)
        total[torch.arange(rows) * (m // rows), 5] ^= 1 << 20
        hit = total[None]

        def recovered() -> None:
            real, backends.product = backends.product, lambda *_: hit
            try:
                OPS.linear_checked(
                    x, wide, bias, stored.columns, stored.rows, scale, GRID, torch.int8, "raise", "here", EVENTS
                )
            finally:
                backends.product = real

        return recovered

    def checked() -> object:
        return OPS.linear_checked(
            x, wide, bias, stored.columns, stored.rows, scale, GRID, torch.int8, "raise", "here", EVENTS
        )

    return Measured(
        cases={
            "product": lambda: backends.product(x[None], weight[None]),
            "unfused": unfused,
            "requantised": lambda: OPS.linear(x, weight, bias, scale, GRID, torch.int8),
            "fused": checked,
            "written": lambda: write(narrow, bias, WriteBack(multiplier=scale, dtype=torch.int8)),
            **{f"recover {rows}": recover(rows) for rows in (1, 8, 64)},
        },
        multiplications=m * k * n,
    )


def attention(batch: int, name: str) -> Measured:
    """Products of activations, 12 heads an image, of what a layer of queries, keys and values yields."""
    qkv = int8s(batch, TOKENS, 3, 12, WIDTH, seed=0)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    a, b = (q, k.mT) if name == QK else (int8s(batch, 12, TOKENS, TOKENS, seed=1), v)
    scale, groups, n = torch.tensor([1e-4]), [batch, 12], b.shape[-1]
    zero = torch.zeros(n, dtype=torch.int32)

    def left() -> Tensor:
        return a.reshape(-1, *a.shape[-2:])

    def product() -> None:
        right = b.mT.reshape(-1, *b.mT.shape[-2:]) if name == QK else b.reshape(-1, *b.shape[-2:]).mT
        backends.product(left(), right)

    def unfused() -> None:
        right = rows_summed(b.mT, groups) if name == QK else columns_summed(b, groups).mT
        total = backends.product(left(), right).flatten(0, 1)
        assert mismatched(total, zero, offset=NO_OFFSET) is None

    return Measured(
        cases={
            "product": product,
            "unfused": unfused,
            "requantised": lambda: OPS.matmul(a, b, scale, GRID, torch.int8),
            "fused": lambda: OPS.matmul_checked(a, b, scale, GRID, torch.int8, "raise", "here", EVENTS),
        },
        multiplications=batch * 12 * TOKENS * TOKENS * WIDTH,
    )


def row(name: str, shape: str, measured: Measured, *, rounds: float) -> tuple[str, str, dict[str, tuple[float, float]]]:
    """A row of the table of detection, one of the table of recovery, and the ratios with their targets."""
    count = int(rounds * min(300, max(60, 3e10 / measured.multiplications)))
    times = take_turns(measured.cases, rounds=count)
    best = {case: float(t.cpu.min()) * 1e3 for case, t in times.items()}
    line = (
        f"| {name} | {shape} | {best['product']:.3f} | {_more(times, 'unfused', 'product')} "
        f"| {best['requantised']:.3f} | {_more(times, 'fused', 'requantised')} |"
    )
    # a recovery is measured with its accumulators given: what is left to take off is writing them
    alone = [best[case] - best["written"] for case in best if case.startswith("recover")]
    extra = f"| {name} | {shape} | {best['requantised']:.3f} | " + " | ".join(f"{t:.3f}" for t in alone) + " |"
    return (
        line,
        extra,
        {
            f"{name} {shape} unfused": (ratio(times["unfused"], times["product"]).cpu, 1.20),
            f"{name} {shape} fused": (ratio(times["fused"], times["requantised"]).cpu, 1.08),
        },
    )


def _more(times: dict[str, Times], case: str, base: str) -> str:
    found = ratio(times[case], times[base])
    return f"{found.cpu - 1:+.1%} ({found.median - 1:+.1%}; {found.wall - 1:+.1%})"


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=float, default=1.0, help="times the usual number of rounds")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("DETECTION.md"))
    chosen = parser.parse_args()
    found, recovered = [], []
    targets: dict[str, tuple[float, float]] = {}
    for batch in (1, 8):
        for name, (m, k, n) in LINEAR.items():
            line, extra, ratios = row(name, f"{batch * m} x {k} x {n}", linear(batch * m, k, n), rounds=chosen.rounds)
            found.append(line)
            recovered.append(extra)
            targets |= ratios
        for name, (m, k, n) in {QK: (TOKENS, WIDTH, TOKENS), AV: (TOKENS, TOKENS, WIDTH)}.items():
            shape = f"{12 * batch} of {m} x {k} x {n}"
            line, _, ratios = row(name, shape, attention(batch, name), rounds=chosen.rounds)
            found.append(line)
            targets |= ratios
    names = backends.backend_names(torch.device("cpu"))
    lines = [
        "# Detection: what checking an int8 product costs",
        "",
        f"`python -m benchmarks.detection`, {machine()}, load {os.getloadavg()[0]:.1f}, back ends {names}. Cases take "
        "turns in one run; milliseconds and ratios are of best processor times, in brackets the median of the ratios "
        "round by round, and the ratio of best wall-clock times, which says little on a machine that others load. No "
        "fault occurs.",
        "",
        "Unfused: the product leaves int32 accumulators, and a pass of its own sums their rows; target at most +20 %. "
        "Fused: the product and its requantisation to int8, against the same with the rows summed in that pass; target "
        "at most +8 %. The sums of B ride the product as columns of int8 digits: those of weights are stored, those of "
        "attention's are made at each call, which is part of the time, as is copying its factors out of one tensor of "
        "queries, keys and values, which both need.",
        "",
        "| product | m x k x n | product, ms | unfused | product + requantisation, ms | fused |",
        "|---|---|---|---|---|---|",
        *found,
        "",
        f"By best processor times: {missed(targets)} AV has 64 columns a head: the three of its check take a vector of "
        "16 more, and its sums are made at run time.",
        "",
        "Recovery, beside the checked product: flagged rows located, computed again, checked and written.",
        "",
        "| product | m x k x n | product + requantisation, ms | 1 row, ms | 8 rows, ms | 64 rows, ms |",
        "|---|---|---|---|---|---|",
        *recovered,
        "",
    ]
    chosen.out.write_text("\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
