"""What plans and schemes gave on the models of the zoo, in tables, and whether published plans held."""

from collections.abc import Sequence

from benchmarks.claims.data import Row, by_rate, listed, models, plan, rate, short, table


def plans() -> str:
    """Claims 8 and 9: what plans give, and what their parts cost."""
    rows = []
    for model in models("zoo-evaluate"):
        for ber, found in by_rate(model):
            cells = [found.get(name, None) for name in _PARTS]
            rows.append([
                f"`{model['model']}`", f"{rate(ber)}", f"{max(cell['sites'] for cell in found.values())}",
                *(_accuracy(cell) for cell in cells),
                *(_overhead(cell) for cell in cells[1:]),
            ])  # fmt: skip
    heads = ["model", "BER", "sites", *_PARTS, *(f"overhead, {name}" for name in _PARTS[1:])]
    return table(heads, rows)


_PARTS = ("unprotected", "ranges only", "products only", "both")


def clean(name: str, configurations: Sequence[str]) -> str:
    """Accuracies without faults: of the float and the int8 program, and under protection."""
    rows = []
    for model in models(name):
        found = {row["configuration"]: row for row in model["configurations"] if row["ber"] == 0}
        rows.append([f"`{model['model']}`", *(_accuracy(found.get(one)) for one in configurations)])
    return table(["model", *configurations], rows)


def baselines(name: str, *, what: str) -> str:
    """Claim 10: `what` of each scheme, "accuracy" or "overhead"; the weighted share, then its parts."""
    rows, names = [], list(dict.fromkeys(r["configuration"] for r in models(name)[0]["configurations"] if r["ber"] > 0))
    for model in models(name):
        for ber, found in by_rate(model):
            tell = _accuracy if what == "accuracy" else _parts
            rows.append([f"`{model['model']}`", f"{rate(ber)}", *(tell(found.get(one)) for one in names)])
    return table(["model", "BER", *names], rows)


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


# --- plans ---


def whole(found: dict[str, Row]) -> Row:
    """The configuration that is the whole plan: ranges and products, or what it has of these."""
    return next(found[name] for name in ("both", "products only", "ranges only") if name in found)


def published() -> list[tuple[str, float, Row, Row]]:
    """Each model and rate, the plan's file, and what the plan gave on images that did not choose it."""
    return [
        (model["model"], ber, plan(f"plans/{model['model']}-{rate(ber)}"), whole(found))
        for model in models("zoo-evaluate")
        for ber, found in by_rate(model)
    ]


def held(loss: Row, *, target: float) -> str:
    """By the limits of the loss (each one-sided 97.5 %, together the 95 % interval)."""
    return "held" if loss["high"] <= target else "did not hold" if loss["low"] > target else "cannot tell"


def plans_held() -> str:
    """How many plans that called their target met kept it, in a sentence and a table."""
    reached = [(m, ber, p, found) for m, ber, p, found in published() if p["bound"] == "accuracy"]
    lost = [(found["loss"], p["limits"]["loss"]) for _, _, p, found in reached]
    verdicts = [held(loss, target=target) for loss, target in lost]
    more = [
        (m, ber, p, f) for (m, ber, p, f), (loss, target) in zip(reached, lost, strict=True) if loss["rate"] > target
    ]
    n = reached[0][3]["n"]
    apart = {p["chosen_on"]["images"] for _, _, p, _ in reached}
    worst = listed([
        f"{short(m)} at {rate(ber)} ({100 * p['expected']['loss']['rate']:.1f} expected, {100 * f['loss']['rate']:.1f} found)"
        for m, ber, p, f in more
    ])  # fmt: skip
    cells = [
        [
            f"`{m}`", f"{rate(ber)}", f"{100 * p['expected']['loss']['rate']:.1f}",
            f"{100 * f['loss']['rate']:.1f} ({100 * f['loss']['low']:.1f} to {100 * f['loss']['high']:.1f})",
            held(f["loss"], target=p["limits"]["loss"]) if p["bound"] == "accuracy" else f"not claimed ({p['bound']})",
        ]
        for m, ber, p, f in published()
    ]  # fmt: skip
    return (
        f"**How many held.** {len(reached)} of the {len(published())} plans ended with at most 2 points lost by the "
        f"estimate on the {listed([str(x) for x in sorted(apart)])} images that chose them. On {n} images that did not, "
        f"{len(reached) - len(more)} of these lose at most 2 points by the estimate and {len(more)} lose more: {worst}. By "
        f"the interval {verdicts.count('held')} surely held, {verdicts.count('did not hold')} surely did not, and of "
        f"{verdicts.count('cannot tell')} these images cannot tell. The plans are of a planner that decided by estimates; "
        "`radhard plan` now decides by the limit of the loss on images that did not choose "
        "([docs/planning.md](../docs/planning.md)).\n\n"
        + table(["model", "BER", "expected loss, points", f"loss on {n} others", "at most 2 points lost"], cells)
    )
