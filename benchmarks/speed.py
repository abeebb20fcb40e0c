"""Clean and faulty int8 inference against eager float32, and one linear layer against the naive injector.

python -m benchmarks.speed                          # writes benchmarks/RESULTS.md, then benchmarks/SPEED.md
python -m benchmarks.speed --models resnet18 --quick  # rows of SPEED.md alone: clean beside ONNX Runtime's int8, faulty
"""

import argparse
import ctypes
import gc
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.model_speeds import BATCHES, MODELS, measure_models
from benchmarks.naive import draw_naive, linear_naive
from radhard.faults import Faults, Faulty, Flips
from radhard.machine import Clean, Gemm, Site
from radhard.models.load import load
from radhard.program import capture, quantize, run

BERS = (1e-10, 1e-9, 1e-8, 1e-7)
TARGETS = {
    "clean int8 / float32": "0.7 (aim 0.4)",
    1e-9: "1.10 (aim 1.03)",
    1e-8: "1.3 (aim 1.15)",
    1e-7: "2.5 (aim 1.6)",
}
SITE = Site(name="gemm", operator="matmul")


def interleaved(cases: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds of each case in each round, the cases taking turns so that they share the machine's moods."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for case in cases.values():
        case()
    for _ in range(rounds):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            times[name].append(time.perf_counter() - start)
    return times


def peak(case: Callable[[], object]) -> int:
    """Bytes that the process's resident memory rises above its rest while the case runs (Linux, glibc)."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what earlier cases freed would hide what this one takes
    Path("/proc/self/clear_refs").write_text("5")
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    rest = int(fields["VmRSS"].split()[0])
    case()
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return (int(fields["VmHWM"].split()[0]) - rest) * 1024


def whole_model(*, rounds: int) -> list[str]:
    """ViT-B/16 with random weights, batch 8, all sites exposed, recipe int8: rows of a table."""
    loaded = load("vit_base_patch16_224", seed=0)
    images = torch.randn(8, *loaded.input_shape, generator=torch.Generator().manual_seed(0))
    program = quantize(capture(loaded.module, images[:1], name=loaded.name), [images[:2]], recipe="int8-symmetric")
    machines = {ber: Faulty(Clean(), Faults(ber=ber)) for ber in BERS}
    cases: dict[str, Callable[[], object]] = {"float32": lambda: eager(loaded.module, images)}
    cases["clean"] = lambda: run(program, images, Clean())
    for ber, machine in machines.items():
        cases[f"{ber:.0e}"] = lambda machine=machine: run(program, images, machine)
    times = interleaved(cases, rounds=rounds)
    best = {name: min(values) for name, values in times.items()}
    spread = {name: float(np.median(values)) for name, values in times.items()}
    rest = {name: peak(case) for name, case in cases.items()}
    weights = sum(p.numel() * p.element_size() for p in loaded.module.parameters())
    words = sum(c.numel() * c.element_size() for c in program.constants.values())
    rows = [
        "| case | best s | median s | ratio of bests | target | flips an image | peak memory, MB (weights + run) |",
        "|---|---|---|---|---|---|---|",
        f"| eager float32 PyTorch | {best['float32']:.3f} | {spread['float32']:.3f} | 1 | | | "
        f"{(weights + rest['float32']) / 1e6:.0f} |",
        f"| clean int8 / float32 | {best['clean']:.3f} | {spread['clean']:.3f} "
        f"| {best['clean'] / best['float32']:.2f} | "
        f"{TARGETS['clean int8 / float32']} | | {(words + rest['clean']) / 1e6:.0f} |",
    ]
    for ber, machine in machines.items():
        name = f"{ber:.0e}"
        flips = machine.flips
        assert flips is not None
        rows.append(
            f"| faulty at {name} / clean int8 | {best[name]:.3f} | {spread[name]:.3f} "
            f"| {best[name] / best['clean']:.2f} | "
            f"{TARGETS.get(ber, '')} | {len(flips) / 8:,.0f} | {(words + rest[name]) / 1e6:.0f} |"
        )
    backends = ", ".join(f"{shape}: {name}" for shape, name in program.backends.items())
    return [*rows, "", f"Back ends: {backends}. Memory target: 1.5 times eager float32."]


def eager(module: torch.nn.Module, images: Tensor) -> Tensor:
    """The module's own forward."""
    with torch.no_grad():
        out: Tensor = module(images)
    return out


def one_layer(*, rounds: int) -> list[str]:
    """A 197 x 768 x 768 layer at 1e-8 against the naive injector: equal results, and the ratio of times."""
    m, k, n, ber = 197, 768, 768, 1e-8
    draw = torch.Generator().manual_seed(0)
    a = torch.randint(-128, 128, (m, k), dtype=torch.int8, generator=draw)
    b = torch.randint(-128, 128, (n, k), dtype=torch.int8, generator=draw)
    counts: dict[str, list[int]] = {"naive": [], "radhard": []}

    def check(flips: Flips) -> None:
        ours = Faulty(Clean(), flips).apply(Gemm(), (a, b.T), SITE)
        if not torch.equal(ours, linear_naive(a, b, flips)):
            raise SystemExit("the naive injector and radhard differ under the same faults")

    for seed in range(3):
        check(draw_naive(m, k, n, ber=ber * 10, generator=np.random.default_rng(seed)))
    trials = iter(range(1_000_000))

    def naive() -> None:
        flips = draw_naive(m, k, n, ber=ber, generator=np.random.default_rng(next(trials)))
        counts["naive"].append(len(flips))
        linear_naive(a, b, flips)

    def ours() -> None:
        machine = Faulty(Clean(), Faults(ber=ber, trial=next(trials)))
        machine.apply(Gemm(), (a, b.T), SITE)

    slow = interleaved({"naive": naive}, rounds=rounds)["naive"]
    fast = interleaved({"ours": ours}, rounds=20 * rounds)["ours"]
    clean = interleaved({"clean": lambda: Clean().apply(Gemm(), (a, b.T), SITE)}, rounds=20 * rounds)["clean"]
    expected = (m * n * k * 16 + m * n * (k - 1) * 32) * ber
    return [
        "| case | best ms | ratio |",
        "|---|---|---|",
        f"| clean int8 product | {min(clean) * 1e3:.2f} | |",
        f"| radhard, flips drawn and injected | {min(fast) * 1e3:.2f} | {min(fast) / min(clean):.2f} of clean |",
        f"| naive: every product and running sum | {min(slow) * 1e3:.0f} | {min(slow) / min(fast):.0f} times radhard "
        "(target 300) |",
        "",
        f"Under the same list of faults both give the same int32 results bit for bit (3 lists at {ber * 10:.0e}); a "
        f"layer expects {expected:.1f} flips, the naive injector drew {np.mean(counts['naive']):.1f} on average.",
    ]


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", nargs="*", help="rows of SPEED.md to measure again, and nothing else")
    parser.add_argument("--quick", action="store_true", help="of models: three rounds, batch 1 alone")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    chosen = parser.parse_args()
    batches = BATCHES[:1] if chosen.quick else BATCHES
    rounds = 3 if chosen.quick else chosen.rounds
    if chosen.models:
        measure_models(chosen.models, rounds=rounds, batches=batches)
        return
    torch.set_num_threads(min(2, torch.get_num_threads()))
    lines = [
        "# Speed",
        "",
        f"`python -m benchmarks.speed`, torch {torch.__version__}, {platform.machine()}, "
        f"{torch.get_num_threads()} threads, CPU capability {torch.backends.cpu.get_cpu_capability()}. Ratios are of "
        "best times, the cases taking turns in one run; seconds drift with the machine's load.",
        "",
        "## ViT-B/16 (random weights), batch 8, recipe int8, every multiplication and addition exposed",
        "",
        *whole_model(rounds=chosen.rounds),
        "",
        "## One linear layer, 197 x 768 x 768, BER 1e-8",
        "",
        *one_layer(rounds=max(1, chosen.rounds // 3)),
        "",
    ]
    chosen.out.write_text("\n".join(lines))
    print("\n".join(lines))
    measure_models(MODELS, rounds=rounds, batches=batches)


if __name__ == "__main__":
    main()
