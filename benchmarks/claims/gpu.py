"""What docs/speed.md says of a GPU, from `results/gpu.json`."""

import json
from textwrap import fill

from benchmarks.claims.data import RESULTS, rate


def gpu() -> str:
    """Clean int8 over bfloat16, faulty over clean, at the largest batch; and where the rest stands."""
    from benchmarks.gpu.targets import answers, ratio

    run = json.loads((RESULTS / "gpu.json").read_text())
    records = run["records"]
    told = []
    if (clean := ratio(records, "clean", "int8", over="bfloat16")) is not None:
        told.append(f"clean int8 takes {clean:.2f} of eager bfloat16's time")
    rates = ("1e-10", "1e-09", "1e-08", "1e-07")
    found = [(name, ratio(records, "faulty", name, over="clean")) for name in rates]
    spent = [f"{value:.2f} at {rate(float(name))}" for name, value in found if value is not None]
    if spent:
        told.append(f"with faults {', '.join(spent)} times clean int8's")
    if (known := answers(records)) is not None:
        equal, of, models = known
        told.append(f"under the same faults {equal:,} of {of:,} answers of {', '.join(models)} are the CPU's")
    text = f"On a GPU ({run['device']}, ViT-B/16, batch 256; `--device cuda`): {'; '.join(told)}. "
    return fill(f"{text}[results/gpu.md](../results/gpu.md) has the tables, and which targets are missed.", width=120)
