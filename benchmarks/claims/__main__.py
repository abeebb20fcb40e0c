"""Write the blocks of `results/*.md` and `docs/*.md` from the data in `results`: `python -m benchmarks.claims`; `--check` only compares."""

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.claims import (
    better,
    block_sizes,
    float_checks,
    gpu,
    hardened,
    options,
    protection,
    recipes,
    repairs,
    settings,
    silicon,
    speed,
    vulnerability,
    whole_models,
)
from benchmarks.claims.data import RESULTS
from benchmarks.claims.judged import judged

ZOO = "zoo-evaluate"
BLOCKS: dict[str, Callable[[], str]] = {
    "settings of curves": settings.curves,
    "settings of factors": settings.factors,
    "settings of plans": partial(settings.configurations, ZOO),
    "settings of schemes": partial(settings.configurations, "zoo-compare"),
    "settings of the frontier": settings.frontier,
    "settings of options": partial(settings.configurations, "vit-options"),
    "settings of options, int8-float": partial(settings.configurations, "vit-float"),
    "curves": options.curves,
    "passes": options.passes,
    "claims 1 to 5": partial(judged, "1", "2", "3", "4", "5"),
    "claim 2": vulnerability.operating_points,
    "claim 3": partial(vulnerability.evenness, "blocks"),
    "claim 4": vulnerability.modules,
    "claim 5, words of the image": partial(vulnerability.evenness, "patch"),
    "claim 5, operations": partial(vulnerability.evenness, "operations"),
    "kinds": options.kinds,
    "claims 6, 7 and 12": partial(judged, "6", "7", "12"),
    "claims 8 to 11": partial(judged, "8", "9", "10", "11"),
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
    "block sizes: products": block_sizes.products,
    "block sizes: simulated": block_sizes.simulated,
    "hardened: scale": hardened.scale,
    "hardened: plans": hardened.made,
    "hardened: schemes": hardened.compared,
    "silicon: settings": silicon.settings,
    "silicon: assumptions": silicon.assumptions,
    "silicon: outcomes": silicon.outcomes,
    "silicon": silicon.judged,
    "silicon: SDC": partial(silicon.shares, "SDC"),
    "silicon: DUE": partial(silicon.shares, "DUE"),
    "silicon: corrected": partial(silicon.shares, "corrected"),
    "whole models: settings": whole_models.settings,
    "whole models: command": whole_models.command,
    "whole models: what is told": whole_models.told,
    "whole models": whole_models.judged,
    "whole models: reached": whole_models.reached,
    "whole models: SDC": whole_models.sdc,
    "whole models: settings of pairs": whole_models.pairs_settings,
    "whole models: pairs": whole_models.pairs,
    "whole models: accounts": whole_models.accounts,
    "repairs: settings": repairs.corrected_settings,
    "repairs: shares": repairs.corrected,
    "repairs: judged": repairs.corrected_judged,
    "cancelled: settings": repairs.cancelled_settings,
    "cancelled: shares": repairs.cancelled,
    "missed: settings": repairs.missed_settings,
    "missed: no alarm": partial(repairs.missed, "missed"),
    "missed: wrong": partial(repairs.missed, "wrong"),
    "missed: judged": repairs.missed_judged,
    "missed: small products": repairs.small,
    "float checks: bound": float_checks.bound,
    "float checks: settings of alarms": float_checks.alarm_settings,
    "float checks: alarms": float_checks.alarm_table,
    "float checks: alarms judged": float_checks.alarms_judged,
    "float checks: settings of flips": float_checks.seen_settings,
    "float checks: flips": float_checks.seen_table,
    "float checks: flips judged": float_checks.seen_judged,
    "float checks: cost": float_checks.cost,
    "better: settings": better.settings,
    "better: models": better.models,
    "better: classes": better.classes,
    "better: settings of simulation": better.simulated_settings,
    "better: simulated": better.simulated,
    "better: goal": better.goal,
    "better": better.judged,
    "better: reasons": better.reasons,
    "speed": speed.speed,
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
