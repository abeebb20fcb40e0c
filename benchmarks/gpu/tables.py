"""The tables of `results/gpu.md`, each from the records of its part."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from benchmarks.claims.data import between, rate, table
from benchmarks.gpu.journal import Record

ALONE = "kernel by kernel"
"""In the names of cases: not recorded and launched as a whole, as campaigns do."""


def times(found: Mapping[str, float], *, digits: int = 2) -> str:
    """`1.05 (1.04 to 1.06)`: the median and the quartiles."""
    return f"{found['median']:.{digits}f} ({found['low']:.{digits}f} to {found['high']:.{digits}f})"


def milliseconds(found: Mapping[str, float]) -> str:
    """Seconds as `12.3 (12.2 to 12.5)` milliseconds."""
    return times({name: 1e3 * found[name] for name in ("median", "low", "high")})


def equality(records: Sequence[Record]) -> list[str]:
    """Answers, logits and flips against the CPU's, and what the tests of the kernels gave."""
    rows = [r for r in records if "equal_answers" in r]
    cells = [
        [
            f"`{r['model']}`", rate(r["ber"]), f"{r['images']:,}", f"{r['equal_answers']:,}", f"{r['equal_logits']:,}",
            f"{r['largest_difference']:.2g}", f"{r['flips']:,}", "all equal" if r["equal_flips"] else "**not equal**",
        ]
        for r in rows
    ]  # fmt: skip
    heads = [
        "model",
        "BER",
        "images",
        "equal answers",
        "equal logits",
        "largest difference of logits",
        "flips",
        "the flips",
    ]
    lines = [table(heads, cells)] if cells else []
    for r in records:
        if "run" in r:
            failed = r["failed"]
            text = f"`pytest {r['tests']}` on the device: {r['run']:,} tests run, {r['skipped']} skipped, "
            text += f"{len(failed)} failed{'' if r['finished'] else '; stopped before their end'}."
            lines += ["", text]
            lines += [f"* failed: `{one['test']}`" for one in failed]
    return lines


def clean(records: Sequence[Record]) -> list[str]:
    """Milliseconds a batch of each format, and the ratio of int8 to bfloat16."""
    rows = [r for r in records if "cases" in r]
    if not rows:
        return []
    formats = list(rows[0]["cases"])
    cells = [
        [
            str(r["batch"]), *(milliseconds(r["cases"][name]["seconds"]) for name in formats),
            times(r["cases"]["int8"]["over_bfloat16"]),
            " / ".join(f"{r['peak_bytes'][name] / 1e6:,.0f}" for name in r["peak_bytes"]),
        ]
        for r in rows
    ]  # fmt: skip
    heads = [
        "batch",
        *(f"{name}, ms" for name in formats),
        "int8 / bfloat16",
        "memory beside weights, MB, int8 / bfloat16",
    ]
    lines = [f"`{rows[0]['model']}`, random weights, recipe `int8`, against the module itself in each format, eager."]
    lines += ["", table(heads, cells)]
    for r in records:
        if "kernels_of" in r:
            lines += ["", f"{r['kernels_of']}, batch {r['batch']}: the device is busy {1e3 * r['busy_seconds']:.2f} ms"]
            lines[-1] += f" of one profiled run, in {r['launches']:,} kernels and copies."
    backs = [r["back_ends"] for r in records if "back_ends" in r]
    return [*lines, *(["", f"Back ends: {', '.join(f'{k}: {v}' for k, v in backs[0].items())}."] if backs else [])]


def faulty(records: Sequence[Record]) -> list[str]:
    """The ratio to the clean run at each rate, and the flips an image."""
    rows = [r for r in records if "cases" in r]
    if not rows:
        return []
    rates = sorted(rows[0]["flips_an_image"], key=float)
    alone = [name for name in rows[0]["cases"] if ALONE in name]
    cells = [
        [
            str(r["batch"]), milliseconds(r["cases"]["clean"]["seconds"]),
            *(f"{times(r['cases'][name]['over_clean'])}; {r['flips_an_image'][name]:,.1f}" for name in rates),
            *(milliseconds(r["cases"][name]["seconds"]) for name in alone),
        ]
        for r in rows
    ]  # fmt: skip
    heads = ["batch", "clean, ms", *(f"{rate(float(name))}: ratio; flips an image" for name in rates)]
    heads += [f"{name}, ms" for name in alone]
    return [f"`{rows[0]['model']}`, every multiplication and addition exposed.", "", table(heads, cells)]


def models(records: Sequence[Record]) -> list[str]:
    """Each model's clean ratio to bfloat16, and its faulty ratios."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for r in records:
        if r.get("base") == "bfloat16":
            found[r["model"]] |= {"ms": milliseconds(r["cases"]["int8"]["seconds"])}
            found[r["model"]] |= {"clean": times(r["cases"]["int8"]["over_bfloat16"])}
        elif "cases" in r:
            found[r["model"]] |= {c: times(v["over_int8"]) for c, v in r["cases"].items() if c != "int8"}
    if not found:
        return []
    rates = sorted({c for row in found.values() for c in row} - {"ms", "clean"}, key=float)
    cells = [[f"`{model}`", *(row.get(c, "-") for c in ("ms", "clean", *rates))] for model, row in found.items()]
    heads = ["model", "int8, ms", "int8 / bfloat16", *(f"faulty / clean, {rate(float(c))}" for c in rates)]
    return [f"Random weights, batch {records[0]['batch']}.", "", table(heads, cells)]


def sweep(records: Sequence[Record]) -> list[str]:
    """Seconds of the command and of its runs."""
    return [
        f"`radhard sweep {r['model']} --device cuda`, {r['images']:,} images at {r['rates']} rates, after float and "
        f"int8 without faults: {r['seconds']:.1f} s from start to table, of which {r['runs_seconds']:.1f} s are runs; "
        "the rest loads, captures and calibrates."
        for r in records
        if "rates" in r
    ]


def training(records: Sequence[Record]) -> list[str]:
    """Accuracies of each model over its seeds, without faults and under them."""
    by_model: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        if "float_correct" in r:
            by_model[r["model"]].append(r)
    if not by_model:
        return []
    rates = [name for name in next(iter(by_model.values()))[0]["curve"] if float(name)]
    cells = []
    for model, rows in by_model.items():
        accuracies = [[r[key] / r["images"] for r in rows] for key in ("float_correct", "int8_correct")]
        under = [[r["curve"][name] / r["curve_images"] for r in rows] for name in rates]
        shown = [between(values, 2, scale=100) for values in accuracies] + [between(v, 1, scale=100) for v in under]
        cells.append([f"`{model}`", ", ".join(str(r["seed"]) for r in sorted(rows, key=lambda r: r["seed"])), *shown])
    heads = ["model", "seeds", "float32, %", "int8, %", *(f"int8 at {rate(float(name))}, %" for name in rates)]
    images = next(iter(by_model.values()))[0]["curve_images"]
    note = f"Trained on the device. The least and the greatest over the seeds; under faults on {images:,} images."
    return [note, "", table(heads, cells)]


def failures(records: Sequence[Record]) -> list[str]:
    """Errors, limits and parts that had no time."""
    lines = []
    for r in records:
        for what in ("error", "stopped", "skipped"):
            if isinstance(r.get(what), str):
                lines.append(f"* {r['part']}: {what} {' '.join(r[what].split())[:300]}")
        if r.get("not_done"):
            lines.append(f"* {r['part']}: {r['not_done']} trainings were not done in time")
    return lines
