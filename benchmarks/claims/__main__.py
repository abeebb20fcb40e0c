"""Write the blocks of `results/*.md` and `docs/*.md` from the data in `results`: `python -m benchmarks.claims`; `--check` only compares."""

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.claims import blocks, gpu, options, parts, protection, recipes, vulnerability
from benchmarks.claims.data import RESULTS

ZOO = "zoo-evaluate"
BLOCKS: dict[str, Callable[[], str]] = {
    "curves": options.curves,
    "passes": options.passes,
    "claims 2 to 5": vulnerability.judged,
    "claim 2": vulnerability.operating_points,
    "claim 3": partial(vulnerability.evenness, "blocks"),
    "claim 4": vulnerability.modules,
    "claim 5, words of the image": partial(vulnerability.evenness, "patch"),
    "claim 5, operations": partial(vulnerability.evenness, "operations"),
    "kinds": options.kinds,
    "claims 6, 7 and 12": blocks.judged,
    "claims 8 to 11": protection.judged,
    "plans": protection.plans,
    "plans of ranges alone": options.ranges_alone,
    "plans that held": protection.plans_held,
    "without faults": partial(protection.clean, ZOO, ("float program", "unprotected", "both")),
    "accuracy of schemes": partial(protection.baselines, "zoo-compare", what="accuracy"),
    "overhead of schemes": partial(protection.baselines, "zoo-compare", what="overhead"),
    "schemes": options.schemes,
    "frontier": options.frontier,
    "frontiers": options.frontiers,
    "accuracy of options": partial(protection.baselines, "vit-options", what="accuracy"),
    "overhead of options": partial(protection.baselines, "vit-options", what="overhead"),
    "options": options.options,
    "accuracy of options, int8-float": partial(protection.baselines, "vit-float", what="accuracy"),
    "overhead of options, int8-float": partial(protection.baselines, "vit-float", what="overhead"),
    "batches": options.batches,
    "batching": options.batching,
    "silicon": parts.silicon,
    "better": parts.better,
    "speed": parts.speed,
    "gpu": gpu.gpu,
    "recipes": recipes.recipes,
}
BLOCK = re.compile(r"<!-- claims: (?P<name>[^\n]*?) -->\n.*?<!-- claims end -->", re.DOTALL)


def files() -> list[Path]:
    """The Markdown files that have blocks."""
    return [
        path
        for path in (*sorted((RESULTS.parent / "docs").glob("*.md")), *sorted(RESULTS.glob("*.md")))
        if "<!-- claims: " in path.read_text()
    ]


def fresh(text: str) -> str:
    """The text of a file with its blocks written anew. KeyError for a block of another name."""
    return BLOCK.sub(lambda found: block(found["name"]), text)


def block(name: str) -> str:
    """A block between its marks."""
    return f"<!-- claims: {name} -->\n{BLOCKS[name]()}\n<!-- claims end -->"


def stale(path: Path) -> list[str]:
    """The names of the blocks of a file that are not what the data say."""
    return [found["name"] for found in BLOCK.finditer(path.read_text()) if found[0] != block(found["name"])]


def main() -> None:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        old = {path.name: names for path in files() if (names := stale(path))}
        for name, names in old.items():
            print(f"{name}: {', '.join(names)}")
        sys.exit(1 if old else 0)
    for path in files():
        path.write_text(fresh(path.read_text()))


if __name__ == "__main__":
    main()
