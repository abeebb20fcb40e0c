"""The matrix products of the paper's six models at full size: `python -m benchmarks.shapes` -> results/shapes.json.

Sizes do not depend on the weights, which are random here. A product of a batch is one for each image; of an attention
product or a convolution in groups, one for each head or group.
"""

import json
import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from radhard.campaign.build import build_program
from radhard.machine import Cost, Gemm
from radhard.models.load import load
from radhard.operators import Conv2d, Linear
from radhard.program import Program
from radhard.program.program import Apply
from radhard.protection import Shape

FILE = Path(__file__).parent.parent / "results" / "shapes.json"
MODELS = (
    "vit_base_patch16_224",
    "swin_tiny_patch4_window7_224",
    "deepvit_s",
    "cait_xxs24_224",
    "resnet18",
    "resnet50",
)


def shapes_of(program: Program) -> Counter[Shape]:
    """How many products of each shape a program has, for one image."""
    found: Counter[Shape] = Counter()
    for step in program.steps:
        if isinstance(step, Apply) and isinstance(step.operator, Linear | Gemm | Conv2d):
            shape, count = _shape(step, program.costs[step.site])
            found[shape] += count
    return found


def _shape(step: Apply, cost: Cost) -> tuple[Shape, int]:
    """The shape of a site's products, and how many it has for one image."""
    mul, add = (next(one.per_unit for one in cost.steps if one.kind == kind) for kind in ("mul", "add"))
    *rows, n = cost.grid
    groups, rows = ([], rows) if isinstance(step.operator, Linear) else (rows[:-1], rows[-1:])
    m, count = math.prod(rows), math.prod(groups)
    return Shape(m=m, k=mul, n=n, bias=add == mul, stored=not isinstance(step.operator, Gemm)), count


def read_shapes() -> dict[str, list[tuple[Shape, int]]]:
    """Of each model, what is kept in results/shapes.json."""
    return {
        model: [(Shape(**{key: row[key] for key in row if key != "count"}), row["count"]) for row in rows]
        for model, rows in json.loads(FILE.read_text())["models"].items()
    }


def rows_of(model: str) -> list[dict[str, int]]:
    found = shapes_of(build_program(load(model, weights="random"), recipe="int8-symmetric"))
    return [asdict(shape) | {"count": count} for shape, count in found.items()]


def main() -> None:
    models = {model: rows_of(model) for model in MODELS}
    FILE.write_text(json.dumps({"command": "python -m benchmarks.shapes", "models": models}, indent=1) + "\n")


if __name__ == "__main__":
    main()
