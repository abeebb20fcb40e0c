"""The verdicts on the paper's claims, by `radhard.analysis.claims` from the data of `results`."""

import csv
import json
from functools import cache
from typing import Any

from benchmarks.claims.data import RESULTS
from radhard.analysis.claims.claim import ClaimJudgement
from radhard.analysis.claims.claims import claims_of
from radhard.report.claims import claims_markdown, family_text

RECORDS = ("zoo-sweep", "zoo-layer", "zoo-module", "zoo-patch", "zoo-operations", "zoo-evaluate", "zoo-compare",
           "block-sizes")  # fmt: skip
PRODUCTS = {"proj": (197, 768, 768), "fc1": (197, 768, 3072), "fc2": (197, 3072, 768), "qk": (197, 64, 197),
            "av": (197, 197, 64)}  # fmt: skip
_TEXT = ("model", "block")


@cache
def judgements() -> tuple[ClaimJudgement, ...]:
    """All of them, by all that was measured: one family of tests."""
    commands = [json.loads((RESULTS / f"{name}.json").read_text()) for name in RECORDS]
    return claims_of([*commands, *(_product(name) for name in PRODUCTS), _recovery(), _times()])


def judged(*numbers: str) -> str:
    """The claims of these numbers as a table, and what its p-values are corrected for."""
    return f"{claims_markdown(judgements(), numbers=numbers)}\n\n{family_text(judgements())}"


def _product(name: str) -> dict[str, Any]:
    """The rows of a product as `radhard blocks` prints them by --json."""
    m, k, n = PRODUCTS[name]
    with (RESULTS / f"product-{name}.csv").open(newline="") as file:
        rows = [
            {key: value if key in _TEXT else float(value) for key, value in row.items()} for row in csv.DictReader(file)
        ]
    return {"product": f"{name} of ViT-B", "m": m, "k": k, "n": n, "rows": rows}


def _recovery() -> dict[str, Any]:
    """Shares of detection and recovery in the operations of two schemes."""
    found = json.loads((RESULTS / "vit-recovery.json").read_text())
    return {"model": found["model"], "recipe": found["recipe"], "shares": found["points"]}


def _times() -> dict[str, Any]:
    """Seconds of the parts on a GPU, summed over the products of a block of ViT-B; none where none were measured."""
    path = RESULTS / "gpu.json"
    if not path.exists():
        return {"times": []}
    from benchmarks.gpu.fig13 import totals

    records = [r for r in json.loads(path.read_text())["records"] if r["part"] == "fig13" and "error" not in r]
    return {
        "times": [
            {"batch": batch, "ber": ber, "scheme": scheme, **parts}
            for (batch, ber, scheme), parts in totals(records).items()
        ]
    }
