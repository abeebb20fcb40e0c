"""What `results/better.md` says of row-located ABFT beside LB-ABFT, and its tables, from `results/better.json`."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache

from benchmarks import better as run
from benchmarks.claims.data import RESULTS, Row, between, count, listed, rate
from benchmarks.claims.options import bullets, paragraph
from benchmarks.shapes import read_shapes
from radhard.words import Words

_HALF = 0.5
_NARROW = 64  # columns of the products that convolutions with 64 channels become


@cache
def record() -> Row:
    """All that was computed and simulated."""
    found: Row = json.loads((RESULTS / "better.json").read_text())
    return found


def settings() -> str:
    """The sizes, and how blocks are chosen."""
    sizes = {shape for shapes in read_shapes().values() for shape, _ in shapes}
    words = Words()
    return paragraph(
        f"`python -m benchmarks.shapes` captures the six models at full size with random weights and lists the "
        f"{len(sizes)} sizes of their matrix products in [shapes.json](shapes.json). `python -m benchmarks.better` compares the "
        "schemes on these sizes and writes [better.json](better.json), with both blocks for every size and rate. Expected "
        "multiplications and additions follow the exact cost models `Exact` and `ExactRows`, which are tested against executed "
        f"operations; products have {words.product.bits} bits, accumulators {words.accumulator.bits}, and the batch is one "
        "image. LB-ABFT uses the cheapest cube with at most one expected flip. `RowAbft` uses the cheapest block of any "
        "proportions with no more expected flips than that cube, so its blocks are not hit more often."
    )


def models() -> str:
    """The table of whole models."""
    return run.model_table(record()["models"])


def classes() -> str:
    """The table of kinds of products."""
    return run.class_table(record()["classes"])


def simulated() -> str:
    """The table of simulated products."""
    return run.outcome_table([run.Outcome(**row) for row in record()["simulated"]])


def simulated_settings() -> str:
    """How to read that table, by one of its cells."""
    one = next(row for row in record()["simulated"] if row["scheme"] == "row-abft" and row["wrong_products"] > 1)
    return paragraph(
        "Both schemes and none under the same faults, which hit the checks too; drawn int8 words, accumulators compared. "
        f'"{one["wrong_words"]} in {one["wrong_products"]}" is {one["wrong_words"]} wrong words in {one["wrong_products"]} of '
        "the n products. Faults are drawn from one seed a product, counted from 0 on."
    )


def goal() -> str:
    """What was to be reached."""
    low, high = min(run.RATES), max(run.RATES)
    return paragraph(
        f"The goal was: at least as much repaired at every rate from {rate(low)} to {rate(high)} on all "
        f"{count(len(record()['models']))} models, for at most half the operations."
    )


def judged() -> str:
    """Whether rows are as good as LB-ABFT at half the operations."""
    found = json.loads((RESULTS / "better.json").read_text())
    wrong: dict[str, list[int]] = {}
    of: dict[tuple[str, float], dict[str, int]] = {}
    products = 0
    for row in found["simulated"]:
        name = row["scheme"]
        words, count = wrong.setdefault(name, [0, 0])
        wrong[name] = [words + row["wrong_words"], count + row["wrong_products"]]
        of.setdefault((row["gemm"], row["ber"]), {})[name] = row["wrong_words"]
        products += row["products"] if name == "none" else 0
    light, own = (next(n for n in wrong if n.lower().startswith(x)) for x in ("lb", "row"))
    worse = [(gemm, ber) for (gemm, ber), each in of.items() if each[own] > each[light]]
    ratios: dict[tuple[str, float], float] = {
        (model, row["ber"]): row["rows"] / row["lb"] for model, each in found["models"].items() for row in each
    }
    half = {key: x for key, x in ratios.items() if x <= 0.5}
    told = [f"{model.split('_')[0]} at {rate(ber)} ({x:.2f})" for (model, ber), x in half.items()]
    rest = {ber: [x for (_, b), x in ratios.items() if b == ber and x > 0.5] for ber in sorted({b for _, b in ratios})}
    others = listed([f"{between(each, 3)} at {rate(ber)}" for ber, each in rest.items() if each])
    lines: list[Row] = found["simulated"]
    assert lines
    return bullets(
        [
            f"**Repairs: not told from LB-ABFT's in what was simulated, which is no proof that they are equal.** Over all "
            f"{products:,} products of the table {wrong['none'][0]:,} words were wrong without protection, in "
            f"{wrong['none'][1]:,} products; after LB-ABFT {wrong[light][0]} in {wrong[light][1]}, after `RowAbft` "
            f"{wrong[own][0]} in {wrong[own][1]}. It left more in {listed([f'{g} at {rate(b)}' for g, b in worse])} only. What "
            "both leave is of the same kind: flips that cancel in the sum of a block (see [repairs.md](repairs.md)), and repairs "
            "that are hit. At 1e-10 nothing was simulated: there too few products are hit to tell the schemes apart.",
            f"**Half the operations: reached in {len(half)} of {len(ratios)} cases**: {listed(told)}. The others are at {others}. "
            f"`RowAbft` takes at most {max(ratios.values()):.2f} of LB-ABFT's. Why not half:",
        ]
    )


def reasons() -> str:
    """Why the goal of half the operations is missed."""
    low, high = min(run.RATES), max(run.RATES)
    floors = [_at(points, low)["floor"] / _at(points, low)["lb"] for model, points in record()["models"].items()
              if not model.startswith("vit")]  # fmt: skip
    attention = [shape for shape in record()["shapes"] if shape["kind"] == "attention"]
    over = {ber: sum(_floor(shape["rates"], ber) > _HALF for shape in attention) for ber in run.RATES}
    all_to = max(ber for ber in run.RATES if over[ber] == len(attention))
    least = sorted({min(shape["m"], shape["k"], shape["n"]) for shape in attention} - {1})
    blocks = {name: _common([_at(shape["rates"], high)[f"{name}_block"] for shape in record()["shapes"]])
              for name in ("rows", "lb")}  # fmt: skip
    cube, terms = blocks["lb"].split("x")[0], blocks["rows"].split("x")[1]
    told = bullets(
        [
            f"**Low rates.** The sums take most of LB-ABFT's overhead already, {between(floors, 0, scale=100)} % at "
            f"{rate(low)} in all models but ViT-B. Half of that cannot be reached by any scheme that makes these sums.",
            "**Attention products.** Nothing is stored, so sums of both factors are made each time, and one size is "
            f"{least[0]} to {least[-1]}: the sums alone are above half of LB-ABFT's overhead up to {rate(all_to)} in all "
            f"{count(len(attention))} sizes, and at {rate(high)} in {count(over[high])}. In the other "
            f"{count(len(attention) - over[high])} `RowAbft` has no stored weighted sums and computes every faulty row again. "
            "Weighted sums made for a flagged block would cost two multiplications a word of B, more than the row.",
            f"**Convolutions with {_NARROW} channels.** As products of patches they have {_NARROW} columns, and the sums over "
            f"the rows of A are 1 / {2 * _NARROW} of their operations. Each word of the image is in up to nine patches, so "
            "those sums could be made from the image's own with a ninth of the additions; that is not done here.",
            "**One row** (heads, class attention): a check that spans several rows has nothing to span.",
            f"**{rate(high)}, all models.** Blocks are small (most often {blocks['rows'].replace('x', ' x ')} against cubes of "
            f"{cube}), and sums over the output after every {terms} or {cube} terms are most of the overhead of either; "
            "`RowAbft` may not take longer slabs without more flips in a block.",
        ]
    )
    return "\n".join(f"  {line}" for line in told.splitlines())


def _at(points: Sequence[Row], ber: float) -> Row:
    return next(point for point in points if point["ber"] == ber)


def _floor(points: Sequence[Row], ber: float) -> float:
    return float(_at(points, ber)["floor"] / _at(points, ber)["lb"])


def _common(blocks: Sequence[str]) -> str:
    return Counter(blocks).most_common(1)[0][0]
