"""What `results/hardened.md` says of its models, plans and schemes as a whole."""

import json
from statistics import mean

from benchmarks.claims.data import RESULTS, Row, between, by_rate, count, listed, models, rate
from benchmarks.claims.options import paragraph
from benchmarks.claims.settings import shared

_FULL = "vit_base_patch16_224"
_CHECKED = (1e-9, 1e-8)  # rates at which the full-size model is hit as often as the zoo's at theirs


def scale() -> str:
    """The zoo's size beside that of ViT-B, and what that means for rates and overheads."""
    full: list[Row] = json.loads((RESULTS / "better.json").read_text())["models"][_FULL]
    own = [sum(model["own_operations"].values()) for model in models("zoo-evaluate")]
    times = [full[0]["own"] / each for each in own]
    rates = sorted({ber for model in models("zoo-evaluate") for ber, _ in by_rate(model)})
    at = [next(point for point in full if point["ber"] == ber) for ber in _CHECKED]
    lb, row = (between((point[name] for point in at), 2, scale=100) for name in ("lb", "rows"))
    most = shared((found["limits"]["overhead"] for found in plans()), name="overhead")
    here, there = (
        " and ".join(rate(float(f"{ber / by:.0e}")) for ber in (rates[0], rates[-1])) for by in (1.0, mean(times))
    )
    return paragraph(
        f"These models have {between(times, 0)} times fewer operations than ViT-B, so the same number of flips per "
        "image needs a bit error rate that is higher by as much. Without protection they lose their accuracy between "
        f"{here}. By the mean of these numbers, ViT-B would lose it between {there}; this is an extrapolation and was not measured. "
        "The overhead of blocks grows with the square root of the rate for every model, and a check of a small product costs "
        "a larger share. So all products together cannot be protected within the paper's limit of 2 % overhead, and the plans "
        f"below may use {100 * most:g} %. By the exact cost models the same schemes cost {lb} % (LB-ABFT) and {row} % "
        f"(`row-abft`) on ViT-B's products at {listed([rate(ber) for ber in _CHECKED])} ([better.md](better.md))."
    )


def plans() -> list[Row]:
    """All plans that were evaluated."""
    return [json.loads(path.read_text()) for path in sorted((RESULTS / "plans").glob("*.json"))]


def made() -> str:
    """How the plans were made."""
    found = plans()
    images = shared((one["chosen_on"]["images"] for one in found), name="images")
    return paragraph(
        f"These plans were made when `plan` decided by the estimate of the loss on the {images} images. `lb-abft` computes "
        "again where several words of a block are wrong (`intersect`). Plans: `results/plans/`; data: "
        "[zoo-evaluate.csv](zoo-evaluate.csv), [zoo-evaluate.json](zoo-evaluate.json). `sites`: products and non-linear "
        "operators together."
    )


def compared() -> str:
    """What each scheme of the comparison protects."""
    least = min(ber for model in models("zoo-compare") for ber, _ in by_rate(model))
    none = [
        model["model"] for model in models("zoo-compare") for ber, found in by_rate(model)
        if ber == least and not found["tmr"]["overhead"]["mul"]
    ]  # fmt: skip
    return paragraph(
        "`make results-compare`. In these data every scheme is on all products, in the block that costs least at the rate, and "
        "ranges (observed, zero outside) on all non-linear operators, but **TMR alone is cut short**: it is on the products of "
        "the most vulnerable layers only, until the loss on images apart was small enough by the estimate, at "
        f"{rate(least)} in {count(len(none))} models on none. `make results-compare` now treats every scheme alike, and tests "
        "pairs of schemes for equivalence; these data were made before. Data: [zoo-compare.csv](zoo-compare.csv), "
        "[zoo-compare.json](zoo-compare.json) (with gains over no protection, alarms, repairs and the wrong words that are "
        "left)."
    )
