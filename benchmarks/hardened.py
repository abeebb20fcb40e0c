"""The tables by which `results/README.md` judges the paper's claims 8 to 11: `python -m benchmarks.hardened`.

Read from the JSON of `make results-evaluate results-compare results-options`; prints Markdown tables.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.claims import RESULTS, table

Row = dict[str, Any]


def models(name: str) -> list[dict[str, Any]]:
    """The records of each model in a file of `results`."""
    found: list[dict[str, Any]] = json.loads((RESULTS / f"{name}.json").read_text())["models"]
    return found


def plans() -> str:
    """Claims 8 and 9: what plans give, and what their parts cost."""
    rows = []
    for model in models("zoo-evaluate"):
        for ber, found in by_rate(model):
            cells = [found.get(name, None) for name in _PARTS]
            rows.append([
                f"`{model['model']}`", f"{ber:g}", f"{max(cell['sites'] for cell in found.values())}",
                *(_accuracy(cell) for cell in cells),
                *(_overhead(cell) for cell in cells[1:]),
            ])  # fmt: skip
    heads = ["model", "BER", "sites", *_PARTS, *(f"overhead, {name}" for name in _PARTS[1:])]
    return table(heads, rows)


_PARTS = ("unprotected", "ranges only", "products only", "both")


def clean(name: str, conditions: Sequence[str]) -> str:
    """Accuracies without faults: of the float and the int8 program, and under protection."""
    rows = []
    for model in models(name):
        found = {row["condition"]: row for row in model["conditions"] if row["ber"] == 0}
        rows.append([f"`{model['model']}`", *(_accuracy(found.get(one)) for one in conditions)])
    return table(["model", *conditions], rows)


def rivals(name: str, *, what: str) -> str:
    """Claim 10: `what` of each scheme, "accuracy" or "overhead"; the weighted share, then its parts."""
    rows, names = [], list(dict.fromkeys(r["condition"] for r in models(name)[0]["conditions"] if r["ber"] > 0))
    for model in models(name):
        for ber, found in by_rate(model):
            tell = _accuracy if what == "accuracy" else _parts
            rows.append([f"`{model['model']}`", f"{ber:g}", *(tell(found.get(one)) for one in names)])
    return table(["model", "BER", *names], rows)


def by_rate(model: dict[str, Any]) -> Iterable[tuple[float, dict[str, Row]]]:
    """Each rate above 0 of a model, and its conditions by name."""
    for ber in sorted({row["ber"] for row in model["conditions"] if row["ber"] > 0}):
        yield ber, {row["condition"]: row for row in model["conditions"] if row["ber"] == ber}


def _accuracy(row: Row | None) -> str:
    return "-" if row is None else f"{100 * row['accuracy']:.1f} ({100 * row['low']:.0f}-{100 * row['high']:.0f})"


def _overhead(row: Row | None) -> str:
    if row is None or row["overhead"] is None:
        return "-"
    return f"{100 * row['overhead']['share']:.2f} %"


def _parts(row: Row | None) -> str:
    if row is None or row["overhead"] is None:
        return "-"
    spent = row["overhead"]
    own = spent["own_mul"] + spent["own_add"]
    parts = [f"{100 * spent[kind] / own:.2f}" for kind in ("mul", "add", "cmp")]
    return f"{100 * spent['share']:.1f} ({' + '.join(parts)})"


if __name__ == "__main__":
    print("Without faults\n", clean("zoo-evaluate", ("float program", "unprotected", "both")), sep="\n")
    print("\nClaims 8 and 9: plans\n", plans(), sep="\n")
    for asked in ("accuracy", "overhead"):
        print(f"\nClaim 10: {asked}\n", rivals("zoo-compare", what=asked), sep="\n")
    for options in ("vit-options", "vit-float"):
        if Path(RESULTS / f"{options}.json").exists():
            print(f"\n{options}: accuracy, overhead\n", rivals(options, what="accuracy"), sep="\n")
            print("", rivals(options, what="overhead"), sep="\n")
