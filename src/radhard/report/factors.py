"""Vulnerability factors as a table, with notes."""

import math
from statistics import median

from rich.table import Table

from radhard.analysis.intervals import Interval
from radhard.analysis.uniformity import Uniformity
from radhard.analysis.vulnerability import Vulnerability
from radhard.analysis.vulnerability_point import VulnerabilityPoint
from radhard.report.anatomy import MARK
from radhard.report.fitted import FittedTable


def factors_table(at: VulnerabilityPoint) -> Table:
    """One row a component, the most vulnerable first; factors in percentage points."""
    found = at.found
    setting, by = found.setting, found.study.parts.by
    of = "percentage points" if setting.labelled else "percentage points of SDC (answers that change; no labels)"
    title = f"{setting.model}, recipe {setting.recipe}, {at.label}: vulnerability by {by}, {of}"
    table = FittedTable(title, keys=2)
    headings = (
        "rank", by, "factor", "95 % interval", "all at once", "operations", "exposed bits", "points a Gbit", "unpaired",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="left" if heading == by else "right")
    for c in found.ranked:
        ranks = sum(c.rank == other.rank for other in found.components)
        table.add_row(
            f"{c.rank}{'=' if ranks > 1 else ''}",
            f"{c.name or '-'}{' ?' if c.guessed else ''}",
            *((f"{100 * c.factor:.2f}", _points(c.low, c.high), _points(c.all_low, c.all_high)) if c.n else ("-",) * 3),
            f"{c.operations_share:.1%}",
            f"{c.bits_share:.1%}",
            *((f"{100 * c.per_bit * 1e9:,.3g}", f"x {c.unpaired_ratio:.3g}") if c.n else ("-", "-")),
        )
    return table


def summary(at: VulnerabilityPoint) -> list[str]:
    """What the table does not say: accuracy, images and trials, the operating point, the work."""
    found, point = at.found, at.point
    lines = [
        _lost(found),
        f"n = {found.plain.n:,} pairs of answers a component: {found.study.images:,} images, {found.trials} trials "
        f"(ended by {found.ended}); intervals are clustered by image, those for all at once Bonferroni's",
    ]
    if point is not None:
        low, high = (("not bounded" if limit is None else f"{limit:.3g}") for limit in (point.low, point.high))
        lines.append(
            f"a loss of {100 * point.loss:g} percentage points relative to clean"
            f"{'' if found.setting.labelled else ' (of answers that change)'} is at BER {point.ber:.3g} "
            f"(95 % interval {low} - {high}; {len(point.tried)} rates tried, {at.searched:,.0f} forward passes)"
        )
    if ratios := [c.unpaired_ratio for c in found.components if c.n]:
        lines.append(
            f"unpaired, that many times the image-trials are needed for intervals as narrow: {min(ratios):.3g} to "
            f"{max(ratios):.3g}, median {median(ratios):.3g}"
        )
    if found.uniformity is not None:
        lines += _even(found.uniformity, of="patches" if found.study.parts.by == "patch" else "layers")
    share = found.passes / found.naive if found.naive else 0.0
    lines.append(
        f"forward passes of an image: {found.passes:,.0f} with the clean ones, naively (components + 1) x images x "
        f"trials = {found.naive:,} ({share:.1%})"
    )
    if any(c.guessed for c in found.components):
        lines.append(MARK)
    if unexposed := found.study.parts.unexposed:
        names = ", ".join(name or "-" for name in unexposed)
        lines.append(f"nothing can flip in, hence a factor of 0: {names}")
    return lines


def _lost(found: Vulnerability) -> str:
    plain = found.plain
    if not found.setting.labelled:
        return (
            f"no labels, hence no accuracy: with no component protected {plain.changed:.2%} of the answers are not the "
            f"clean ones ({plain.changed_low:.2%} - {plain.changed_high:.2%})"
        )
    points = f"{100 * found.loss.rate:.2f} points ({_points(found.loss.low, found.loss.high)}, paired)"
    return f"accuracy: clean {found.clean.accuracy:.2%}, no component protected {plain.accuracy:.2%}; lost {points}"


def _even(found: Uniformity, *, of: str) -> list[str]:
    lines = [f"all {of} equally vulnerable: p = {found.equal:.2g}; mean factor {_interval(found.mean)} points"]
    if math.isfinite(found.gini.rate):
        low, high = found.gini.low, found.gini.high
        lines.append(f"Gini coefficient of the {of}: {found.gini.rate:.2f} ({low:.2f} - {high:.2f}); 0 is even")
    if found.centre is not None and found.edge is not None and found.centre_to_edge is not None:
        ratio = found.centre_to_edge
        rate = f"{ratio.rate:.2f}" if math.isfinite(ratio.rate) else "not known"
        limits = (f"{limit:.2f}" if math.isfinite(limit) else "unbounded" for limit in (ratio.low, ratio.high))
        lines.append(
            f"centre {_interval(found.centre)}, edge {_interval(found.edge)} points; centre to edge {rate} "
            f"({' to '.join(limits)})"
        )
    return lines + list(found.notes)


def _interval(points: Interval) -> str:
    return f"{100 * points.rate:.2f} ({_points(points.low, points.high)})"


def _points(low: float, high: float) -> str:
    return f"{100 * low:.2f} - {100 * high:.2f}" if low >= 0 else f"{100 * low:.2f} to {100 * high:.2f}"
