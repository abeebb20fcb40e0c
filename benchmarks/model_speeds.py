"""Clean int8 inference beside ONNX Runtime's int8, and faulty over clean, of models at full size and of the zoo.

One thread; best processor times of rounds in which the cases take turns, so that the load of the machine drops out of
the ratios. Models that are named replace their rows in benchmarks/SPEED.json and .md, the others keep theirs.
"""

import gc
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.claims.data import rate, table
from benchmarks.faulty import FULL, OF_ZOO
from benchmarks.onnx_runtime import int8_session
from benchmarks.turns import take_turns
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.models.load import load
from radhard.models.zoo import ZOO
from radhard.program import capture, quantize, run

EFFICIENTNET = "tf_efficientnet_lite0"
MODELS = (*FULL, EFFICIENTNET, *ZOO)
RATES = {"full": (1e-9, 1e-8, 1e-7), "zoo": OF_ZOO[:3]}
BATCHES = (1, 8)
FILE = Path(__file__).with_name("SPEED.json")
_TARGETS = {"full": {1e-9: 1.1, 1e-8: 1.25, 1e-7: 1.8}, "zoo": {2e-6: 2.0}}
_BESIDE = 1.3


def measure(name: str, *, rounds: int, batches: Sequence[int]) -> dict[str, Any]:
    """Milliseconds a batch of ONNX Runtime, of clean and of faulty inference, by the size of the batch."""
    kind = "zoo" if name in ZOO else "full"
    loaded = load(name) if kind == "zoo" else load(name, weights="random")
    found: dict[str, Any] = {"model": name, "kind": kind, "rounds": rounds, "processor": _processor(), "batches": {}}
    for batch in batches:
        images = torch.randn(batch, *loaded.input_shape, generator=torch.Generator().manual_seed(0))
        session = int8_session(loaded.module, images, threads=1)
        program = quantize(capture(loaded.module, images[:1], name=loaded.name), [images[:2]])
        cases: dict[str, Any] = {
            "onnxruntime": lambda session=session, images=images: session(images),
            "clean": lambda program=program, images=images: run(program, images, Clean()),
        }
        for ber in RATES[kind]:
            machine = Faulty(Clean(), Faults(ber=ber))
            cases[rate(ber)] = lambda program=program, images=images, machine=machine: run(program, images, machine)
        best = {case: 1e3 * float(times.cpu.min()) for case, times in take_turns(cases, rounds=rounds).items()}
        found["batches"][str(batch)] = best
        found["back_ends"] = program.backends
    return found


def _processor() -> str:
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def written(found: dict[str, Any]) -> str:
    """The tables; what misses its target is bold."""
    processors = sorted({row["processor"] for row in found.values()})
    lines = [
        "# Speed of models",
        "",
        f"`python -m benchmarks.speed --models ...`, torch {torch.__version__}, one thread, {'; '.join(processors)}.",
        "ONNX Runtime 1.32: int8, static, QDQ, a scale for each output channel, of the same module and images. Recipe",
        "int8, every multiplication and addition exposed. Times are processor time of a batch, the best of rounds in",
        "which the cases take turns. Above its target, which the head of a column has: bold.",
    ]
    judged: list[bool] = []

    def cell(value: float, most: float | None) -> str:
        if most is None:
            return f"{value:.2f}"
        judged.append(value <= most)
        return f"{value:.2f}" if judged[-1] else f"**{value:.2f}**"

    for kind, title in (("full", "Full size, random weights"), ("zoo", "The zoo")):
        rows = [row for name in MODELS if (row := found.get(name)) and row["kind"] == kind]
        if not rows:
            continue
        targets = _TARGETS[kind]
        heads = ["model", "batch", "ONNX Runtime int8, ms", "clean, ms", f"clean / ONNX Runtime (at most {_BESIDE})"]
        for ber in RATES[kind]:
            heads.append(f"faulty at {rate(ber)} / clean" + (f" (at most {targets[ber]})" if ber in targets else ""))
        cells = []
        for row in rows:
            for batch, best in row["batches"].items():
                times = [f"{best[case]:,.1f}" for case in ("onnxruntime", "clean")]
                ratios = [cell(best[rate(ber)] / best["clean"], targets.get(ber)) for ber in RATES[kind]]
                beside = cell(best["clean"] / best["onnxruntime"], _BESIDE)
                cells.append([f"`{row['model']}`", batch, *times, beside, *ratios])
        lines += ["", f"## {title}", "", table(heads, cells)]
    return "\n".join([*lines, "", f"{sum(judged)} of {len(judged)} ratios meet their targets."]) + "\n"


def measure_models(names: Sequence[str], *, rounds: int, batches: Sequence[int]) -> None:
    """Measure and write, model by model."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in names:
        start = time.perf_counter()
        found[name] = measure(name, rounds=rounds, batches=batches)
        FILE.write_text(json.dumps(found, indent=1) + "\n")
        FILE.with_suffix(".md").write_text(written(found))
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        gc.collect()
    torch.set_num_threads(threads)
