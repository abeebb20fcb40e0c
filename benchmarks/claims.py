"""The statistics by which `results/README.md` judges the paper's claims 2 to 5: `python -m benchmarks.claims`.

Read from the JSON of `make results`; prints Markdown tables.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"

Point = dict[str, Any]


def points(name: str) -> list[Point]:
    """The records of each model and rate in a file of `results`."""
    found: list[Point] = json.loads((RESULTS / f"zoo-{name}.json").read_text())["points"]
    return found


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(heads), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def operating_points() -> str:
    """Claim 2: the rates that cost 10, 20 and 30 points, and how far apart they are."""
    of_model: dict[str, list[Point]] = {}
    for point in points("layer"):
        of_model.setdefault(point["model"], []).append(point["operating_point"])
    rows = []
    for model, found in of_model.items():
        cells = [f"{one['ber']:.2e} ({one['low']:.2e} - {one['high']:.2e})" for one in found]
        rows.append([f"`{model}`", *cells, f"{found[-1]['ber'] / found[0]['ber']:.2f}"])
    return table(["model", "BER at 10 points lost", "20", "30", "30 over 10"], rows)


def evenness(name: str) -> str:
    """Claims 3 and 5: the Gini coefficient of the factors and the test of "all equal"."""
    rows = []
    for point in points(name):
        even, point_of = point["evenness"], point["operating_point"]
        row = [
            f"`{point['model']}`", f"{100 * point_of['loss']:g}", str(len(point["components"])),
            interval(even["mean"], scale=100, digits=2), f"{even['equal']:.2g}", interval(even["gini"]),
        ]  # fmt: skip
        if even["centre_to_edge"] is not None:
            row += [interval(even[part], scale=100, digits=2) for part in ("centre", "edge")]
            row.append(interval(even["centre_to_edge"]))
        rows.append(row)
    heads = ["model", "points lost", "parts", "mean factor", "p of all equal", "Gini"]
    return table([*heads, "centre", "edge", "centre / edge"][: len(rows[0])], rows)


def modules() -> str:
    """Claim 4: the factors of the linear and non-linear modules, all intervals at once."""
    rows = []
    for point in points("module"):
        found = {component["name"]: component for component in point["components"]}
        cells = [_factor(found.get(name)) for name in ("FF-LF", "MHA-LF", "Conv", "Embed", "NLF", "Head")]
        rows.append([f"`{point['model']}`", f"{100 * point['operating_point']['loss']:g}", *cells])
    return table(["model", "points lost", "FF-LF", "MHA-LF", "Conv", "Embed", "NLF", "Head"], rows)


def interval(found: dict[str, float | None], *, scale: float = 1.0, digits: int = 2) -> str:
    """A rate and its limits; what is not known is a dash, what has no limit is open."""
    rate, low, high = (None if found[key] is None else scale * found[key] for key in ("rate", "low", "high"))
    shown = ["-" if value is None else f"{value:.{digits}f}" for value in (rate, low, high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def _factor(component: dict[str, Any] | None) -> str:
    if component is None:
        return ""
    low, high = 100 * component["all_low"], 100 * component["all_high"]
    return f"{100 * component['factor']:.1f} ({low:.1f} to {high:.1f}), {component['bits_share']:.0%}"


if __name__ == "__main__":
    print("Claim 2\n", operating_points(), "\n\nClaim 3, blocks\n", evenness("blocks"), sep="\n")
    print("\nClaim 4: factor (interval, all at once), share of exposed bits\n", modules(), sep="\n")
    print("\nClaim 5, words of the image\n", evenness("patch"), "\n\noperations\n", evenness("operations"), sep="\n")
