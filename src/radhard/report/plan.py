"""A plan as a table, and its target, verdict and expected accuracy or agreement in sentences."""

import math
from collections.abc import Iterator, Mapping

from rich.table import Table

from radhard.protection import Plan, Ranges, Scheme, scheme_dict, scheme_name
from radhard.protection.planning.grounds import Estimate, Expected, OrderedProduct
from radhard.report.anatomy import MARK
from radhard.report.configurations.quality import NO_LABELS, points_of, quality, quality_name
from radhard.report.configurations.table import fixed, percent, points
from radhard.report.fitted import FittedTable


def plan_table(plan: Plan) -> Table:
    """One row a protected site, by layers in the order in which they were taken; factors in percentage points."""
    table = FittedTable(
        f"{plan.model}, recipe {plan.recipe}, at BER {plan.ber:.3g}: what is protected; factors in percentage points"
        f"{'' if plan.labelled else ' of agreement'}; "
        "operations: of a product's protection an image, by weights, and their share of those of all protected "
        "products",
        keys=2,
    )
    for heading in ("layer", "site", "scheme", "factor", "95 % interval", "operations", "share"):
        left = heading in ("layer", "site", "scheme")
        table.add_column(heading, justify="left" if left else "right")
    order = {product.site: product for product in plan.order}
    schemes = plan.protection.schemes
    total = sum(order[site].operations for site in schemes if site in order)
    of_layer = _by_layer(plan, order)
    guessed = {product.layer for product in plan.order if product.guessed}
    for layer, sites in of_layer.items():
        for k, site in enumerate(sites):
            table.add_row(
                "" if k else f"{layer} ?" if layer in guessed else layer,
                site,
                described(schemes[site]),
                *(_figures(order[site], total=total) if site in order else ("-",) * 4),
                end_section=k + 1 == len(sites) and layer != list(of_layer)[-1],
            )
    return table


def described(scheme: Scheme) -> str:
    """`lb-abft 16x64x32, policy leave`: the options that are not at their default."""
    options = {name: value for name, value in scheme_dict(scheme).items() if name != "scheme"}
    if isinstance(scheme, Ranges):
        return f"ranges {scheme.low:.4g} to {scheme.high:.4g}, else {scheme.outside}"
    block = f" {'x'.join(map(str, options.pop('block')))}" if "block" in options else ""
    return ", ".join([f"{scheme_name(scheme)}{block}", *(f"{name} {value}" for name, value in options.items())])


def plan_summary(plan: Plan) -> list[str]:
    """What was wanted, what was in the way, what is expected, which images chose it, what was left out."""
    expected, chosen = plan.expected, plan.chosen_on
    lines = [_protects(plan), *_wanted(plan)]
    if expected is not None:
        lines += _expected(expected, labelled=plan.labelled)
        lines += [f"remark: {expected.remark}"] if expected.remark else []
    if chosen.images is not None and chosen.trials is not None:
        trials = f"{chosen.trials} trial{'' if chosen.trials == 1 else 's'}"
        also = f", judged on {plan.judged.images:,} others" if plan.judged else ""
        lines.append(f"chosen on {chosen.images:,} images of {chosen.data}{also} in {trials}, fault seed {plan.seed}")
    if not plan.labelled:
        lines.append(NO_LABELS)
    if any(product.guessed for product in plan.order):
        lines.append(MARK)
    if expected is not None:
        lines += [f"not protected: {site}: {why}" for site, why in expected.refused.items()]
    return lines


def _by_layer(plan: Plan, order: Mapping[str, OrderedProduct]) -> dict[str, list[str]]:
    """Layer -> its protected sites: products in the order of the plan, then others, whose names begin with theirs."""
    layers = list(dict.fromkeys(product.layer for product in plan.order))
    found: dict[str, list[str]] = {layer: [] for layer in layers}
    schemes = plan.protection.schemes
    for site in (*(site for site in order if site in schemes), *(site for site in schemes if site not in order)):
        inside = [layer for layer in layers if layer and f"{site}.".startswith(f"{layer}.")]
        layer = order[site].layer if site in order else max(inside, key=len, default="-")
        found.setdefault(layer, []).append(site)
    return {layer: sites for layer, sites in found.items() if sites}


def _figures(product: OrderedProduct, *, total: float) -> Iterator[str]:
    yield fixed(product.factor.rate)
    yield points(product.factor.low, product.factor.high)
    yield f"{product.operations:,.0f}"
    yield f"{product.operations / total:.1%}" if total else "-"


def _protects(plan: Plan) -> str:
    schemes = plan.protection.schemes.values()
    ranges = sum(isinstance(scheme, Ranges) for scheme in schemes)
    of_all = f" of {len(plan.order)}" if plan.order else ""
    name = "their schemes" if plan.method is None else plan.method.title
    return f"protected: {len(schemes) - ranges}{of_all} products by {name}, {ranges} non-linear sites by ranges"


def _wanted(plan: Plan) -> Iterator[str]:
    loss, most = plan.limits.loss, plan.limits.overhead
    clean = None if plan.expected is None else plan.expected.clean
    if loss is None or most is None:
        return
    from_clean = "" if clean is None else f" from {clean:.2%} clean, so {clean - loss:.2%}"
    of = points_of(labelled=plan.labelled)
    yield f"target: at most {100 * loss:g} {of} lost{from_clean}; overhead at most {100 * most:g} %"
    if line := judged_line(plan):
        yield line
    if not plan.verdict and plan.bound == "accuracy":
        yield "ended by accuracy: no more was lost on the images that chose the plan; none judged it"
    elif plan.bound in (reasons := _REASONS):
        yield f"ended by {plan.bound}: {reasons[plan.bound]}"


_REASONS = {
    "overhead": "the target is not surely met: more protection would pass the overhead limit",
    "products": "the target is not surely met, though every product that the scheme can protect is protected",
}


def judged_line(plan: Plan) -> str:
    """`met: at most 1.90 points are lost (...)`: the verdict, its limits, what would decide; "" if none judged it."""
    if not plan.judged:
        return ""
    loss, needed = plan.judged.loss, plan.judged.images_needed
    level, on = f"{100 * plan.judged.limit_level:g} %", f"{plan.judged.images:,} images that did not choose it"
    of = points_of(labelled=plan.labelled)
    if plan.verdict == "met":
        what = "" if plan.protection.sites else ", and nothing needs protecting"
        return f"met{what}: at most {fixed(loss.high)} {of} are lost (one-sided {level} limit on {on})"
    if plan.verdict == "not met":
        return f"not met: at least {fixed(loss.low)} {of} are lost (one-sided {level} limit on {on})"
    more = (
        "on these no less than the target was lost, so that more images would hardly help"
        if needed is None
        else f"if all goes on so, about {needed:,} would tell (--judge)"
    )
    return (
        f"cannot tell: {fixed(loss.rate)} {of} were lost on {on}, in truth {fixed(loss.low)} to "
        f"{fixed(loss.high)} (one-sided {level} limits); {more}"
    )


def _expected(expected: Expected, *, labelled: bool) -> Iterator[str]:
    share = quality(expected.as_dict(), labelled=labelled)
    if math.isfinite(share.rate):
        unprotected = expected.unprotected
        beside = "" if unprotected is None else f", unprotected {unprotected:.2%}"
        yield (
            f"expected {quality_name(labelled=labelled)}: {share.rate:.2%} ({points(share.low, share.high)}){beside}"
            f"{_paired(expected.loss, 'lost')}{_paired(expected.gain, 'gained')}"
        )
    if (spent := expected.overhead) is not None:
        high = "unbounded" if spent.high is None else percent(spent.high)
        weights = ", ".join(f"{name} {value:g}" for name, value in expected.weights.as_dict().items())
        yield (
            f"expected overhead: {percent(spent.share)} % ({percent(spent.low)} - {high}) of "
            f"{spent.own_mul:,} multiplications and {spent.own_add:,} additions an image, weighted {weights}"
        )


def _paired(it: Estimate | None, verb: str) -> str:
    return "" if it is None else f"; {verb} {fixed(it.rate)} points ({points(it.low, it.high)}, paired)"
