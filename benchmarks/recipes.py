"""The recipes `int8` and `int8-symmetric` on the zoo, image by image: `python -m benchmarks.recipes`.

Each model answers the 10,000 test images of Fashion-MNIST by either recipe, without faults. Answers that are right by
one recipe alone are compared by McNemar's exact test, two-sided: are the recipes equally good? And by the one-sided
test of `radhard.analysis.noninferiority`: does `int8` lose less than half a point?
"""

import argparse
import json
from pathlib import Path

import torch
from scipy.stats import binomtest
from torch import Tensor

from radhard.analysis.noninferiority import Differences, p_value, upper_limit
from radhard.campaign.build import build
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.models.load import load
from radhard.models.zoo import TEST_IMAGES, ZOO
from radhard.program import run

RESULTS = Path(__file__).parent.parent / "results"
RECIPES = ("int8-symmetric", "int8")
MARGIN = 0.005
"""The loss that is tested against: half a percentage point."""
Row = dict[str, str | int | float]


def right(model_under_test: ModelUnderTest, recipe: str, *, images: int) -> Tensor:
    """Which of the first test images the program of a recipe answers rightly: bool [images]."""
    program = model_under_test.programs[recipe]
    found = [
        run(program, model_under_test.images(ids), ids=ids).logits.argmax(1) for ids in torch.arange(images).split(250)
    ]
    return torch.cat(found) == model_under_test.data.labels[:images]


def compared(model: str, *, images: int = TEST_IMAGES) -> Row:
    """A model of the zoo by both recipes: right answers, lost and gained by `int8`, and what the tests say."""
    models_under_test = {recipe: build(load(model), recipe=recipe, images=images) for recipe in RECIPES}
    before, after = (
        right(model_under_test, recipe, images=images) for recipe, model_under_test in models_under_test.items()
    )
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    return {
        "model": model,
        "images": images,
        "float": int(right(models_under_test["int8"], "float", images=images).sum()),
        "int8-symmetric": int(before.sum()),
        "int8": int(after.sum()),
        "lost": lost,
        "gained": gained,
        **tested(Differences(lost=lost, gained=gained, n=images)),
    }


def tested(of: Differences) -> dict[str, float]:
    """McNemar's exact p; p of "half a point is lost, or more"; and the one-sided 95 % limit of the loss."""
    differing = of.lost + of.gained
    return {
        "p_equal": float(binomtest(of.lost, differing).pvalue) if differing else 1.0,
        "p_margin": p_value(of, margin=MARGIN),
        "limit": upper_limit(of),
    }


def text(rows: list[Row]) -> str:
    """results/recipes.md."""
    lines = [
        "# The recipe `int8` beside `int8-symmetric`",
        "",
        "`make results-recipes`. Right answers of the test images of Fashion-MNIST without faults, and those that",
        "`int8` alone has wrong (lost) or right (gained). p, equal: McNemar's exact test, two-sided. p, half a point:",
        f"exact and one-sided, of the hypothesis that `int8` loses {MARGIN:.1%} or more. Limit: it loses less, 95 %.",
        "",
        "| model | images | float | `int8-symmetric` | `int8` | lost | gained | p, equal | p, half a point | limit |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        counts = " | ".join(str(row[key]) for key in ("images", "float", "int8-symmetric", "int8", "lost", "gained"))
        lines.append(
            f"| {row['model']} | {counts} | {row['p_equal']:.2f} | {row['p_margin']:.2g} | {100 * row['limit']:.2f} % |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Compare, and write results/recipes.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(ZOO))
    parser.add_argument("--images", type=int, default=TEST_IMAGES)
    chosen = parser.parse_args()
    path = RESULTS / "recipes.json"
    known: dict[str, Row] = {}
    if path.exists():
        known = {row["model"]: row for row in json.loads(path.read_text())["models"]}
    for model in chosen.models:
        known[model] = compared(model, images=chosen.images)
        print(known[model], flush=True)
        rows = [known[name] for name in ZOO if name in known]
        path.write_text(json.dumps({"margin": MARGIN, "models": rows}, indent=1) + "\n")
        (RESULTS / "recipes.md").write_text(text(rows))


if __name__ == "__main__":
    main()
