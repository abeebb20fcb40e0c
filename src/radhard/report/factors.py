"""Vulnerability factors as a table, as records and as CSV."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from radhard.analysis.intervals import Interval
from radhard.analysis.operating import OperatingPoint
from radhard.analysis.uniformity import Evenness
from radhard.analysis.vulnerability import Vulnerability, Vulnerable
from radhard.models.data.pixels import Pixels
from radhard.report.anatomy import MARK
from radhard.report.record import measure_of


@dataclass(frozen=True, kw_only=True)
class Explored:
    """The factors `found` at one bit error rate, and the operating `point` if a loss was what found the rate.

    `searched`: forward passes at the rates that were tried for it; other losses may have tried the same. `pixels`: what
    was done to the images. `device`: where they ran.
    """

    found: Vulnerability
    point: OperatingPoint | None = None
    searched: float = 0.0
    pixels: Pixels | None = None
    device: str = "cpu"

    @property
    def label(self) -> str:
        """`10 points lost (BER 3.1e-08)`, or `BER 3.1e-08`."""
        rate = f"BER {self.found.setting.ber:.3g}"
        lost = "points lost" if self.found.setting.labelled else "% of answers changed"
        return rate if self.point is None else f"{100 * self.point.loss:g} {lost} ({rate})"


def factors_table(explored: Explored) -> Table:
    """One row a component, the most vulnerable first; factors in percentage points."""
    found = explored.found
    setting, by = found.setting, found.study.parts.by
    of = "percentage points" if setting.labelled else "percentage points of SDC (answers that change; no labels)"
    title = f"{setting.model}, recipe {setting.recipe}, {explored.label}: vulnerability by {by}, {of}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 0), pad_edge=False)
    headings = (
        "rank", by, "factor", "95 % interval", "all at once", "operations", "exposed bits", "points a Gbit", "unpaired",
    )  # fmt: skip
    for heading in headings:
        table.add_column(heading, justify="left" if heading == by else "right", overflow="fold")
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


def summary(explored: Explored) -> list[str]:
    """What the table does not say: accuracy, images and trials, the operating point, the work."""
    found, point = explored.found, explored.point
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
            f"(95 % interval {low} - {high}; {len(point.tried)} rates tried, {explored.searched:,.0f} forward passes)"
        )
    if ratios := [c.unpaired_ratio for c in found.components if c.n]:
        lines.append(
            f"unpaired, that many times the image-trials are needed for intervals as narrow: {min(ratios):.3g} to "
            f"{max(ratios):.3g}, median {median(ratios):.3g}"
        )
    if found.evenness is not None:
        lines += _even(found.evenness, of="patches" if found.study.parts.by == "patch" else "layers")
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


def _even(found: Evenness, *, of: str) -> list[str]:
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


def explored_record(explored: Explored) -> dict[str, Any]:
    """The factors at a rate -> JSON values, components in the order of the program."""
    found, setting, study = explored.found, explored.found.setting, explored.found.study
    return {
        "model": setting.model,
        "recipe": setting.recipe,
        "data": setting.data,
        "data_digest": setting.data_digest,
        "pixels": None if explored.pixels is None else explored.pixels.as_dict(),
        "device": explored.device,
        "labelled": setting.labelled,
        "measure": measure_of(setting),
        "by": study.parts.by,
        "ber": setting.ber,
        "operating_point": None if explored.point is None else explored.point.as_dict(),
        "search_forward_passes": explored.searched,
        "kinds": sorted(setting.kinds),
        "words": setting.words.as_dict(),
        "seed": setting.seed,
        "anatomy": setting.overrides.as_dict(),
        "images": study.images,
        "trials": found.trials,
        "ended": found.ended,
        "exposed_bits": study.parts.bits,
        "clean": found.clean.as_dict(),
        "plain": found.plain.as_dict(),
        "loss": vars(found.loss) if found.plain.n else None,
        "simultaneous": "Bonferroni",
        "grid": None if study.parts.grid is None else list(study.parts.grid),
        "where": setting.where.as_dict(),
        "evenness": None if found.evenness is None else found.evenness.as_dict(),
        "forward_passes": found.passes,
        "naive_forward_passes": found.naive,
        "unexposed": list(study.parts.unexposed),
        "components": [component.as_dict() for component in found.components],
    }


def write_factors(explored: Sequence[Explored], path: Path) -> None:
    """Write one row a component and rate: the model, the BER, the loss that found it, the fields of Vulnerable."""
    with path.open("w", newline="", encoding="utf-8") as file:
        head = ["model", "recipe", "by", "ber", "loss", "measure"]
        writer = csv.DictWriter(file, fieldnames=[*head, *(field.name for field in fields(Vulnerable))])
        writer.writeheader()
        for one in explored:
            setting = one.found.setting
            lost = None if one.point is None else one.point.loss
            values = (setting.model, setting.recipe, one.found.study.parts.by, setting.ber, lost, measure_of(setting))
            place = dict(zip(head, values, strict=True))
            writer.writerows({**place, **component.as_dict()} for component in one.found.components)


def _points(low: float, high: float) -> str:
    return f"{100 * low:.2f} - {100 * high:.2f}" if low >= 0 else f"{100 * low:.2f} to {100 * high:.2f}"
