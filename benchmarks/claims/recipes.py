"""What docs/recipes.md says of the recipe `int8` beside `int8-symmetric`, from `results/recipes.json`."""

import json
from textwrap import fill

from benchmarks.claims.data import RESULTS, listed

_LEVEL = 0.05


def recipes() -> str:
    """Right answers lost and gained on the zoo, and what the tests say of them."""
    found = json.loads((RESULTS / "recipes.json").read_text())
    rows, margin = found["models"], f"{100 * found['margin']:g}"
    pairs = listed([f"{row['model'].removeprefix('fashion-')} {row['lost']}/{row['gained']}" for row in rows])
    worse = [row["model"] for row in rows if row["p_equal"] <= _LEVEL and row["lost"] > row["gained"]]
    better = [row["model"] for row in rows if row["p_equal"] <= _LEVEL and row["lost"] < row["gained"]]
    sure = [row["model"] for row in rows if row["p_margin"] <= _LEVEL]
    told = f"surely worse of {listed(worse, none='no model')}, surely better of {listed(better, none='no model')}"
    text = (
        f"Of {rows[0]['images']:,} test images without faults, `int8` loses and gains right answers beside "
        f"`int8-symmetric`: {pairs}. By McNemar's exact test (p of 0.05) it is {told}; that it loses less than "
        f"{margin} points is sure (one-sided, 95 %) of {len(sure)} of {len(rows)} models."
    )
    return fill(f"{text} [results/recipes.md](../results/recipes.md)", width=120)
