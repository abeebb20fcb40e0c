"""The section of patches: vulnerability factors over the image, as heat maps."""

from collections.abc import Mapping, Sequence
from typing import Any

from radhard.campaign.results import KeptResult
from radhard.report.page.component_panels import image_panel, map_panel
from radhard.report.page.factors import drawn_factors, most_vulnerable
from radhard.report.page.numbers import counted, rate
from radhard.report.page.records import record_of
from radhard.report.page.section import PageFigure, Panel, Section


def patch_section(results: Sequence[KeptResult]) -> Section | None:
    """Heat maps of factors by patch; None where there are none."""
    found = [(record_of(kept), point) for kept in results for point in record_of(kept)["points"]]
    if not found:
        return None
    return Section(
        key="by-patch",
        title="Vulnerability by patch",
        lines=tuple(most_vulnerable(record, point) for record, point in found),
        parts=tuple(_figure(record, point) for record, point in found),
    )


def _figure(record: Mapping[str, Any], point: Mapping[str, Any]) -> PageFigure:
    rows, columns = record["grid"]
    named = f"{record['named']}, by patch at BER {rate(point['ber'])}"
    found = map_panel(
        drawn_factors(point), rows=rows, columns=columns, unit="points", signed=True, title="factors, points"
    )
    where = "the words of the input image alone" if record["kinds"] == ["load"] else "all operations"
    image = record.get("mean_image")
    panels: tuple[Panel, ...] = (found,)
    if image:
        count = counted(record["images"], "image")
        mean = image_panel(image, rows=rows, columns=columns, title=f"mean of {count} of {record['data']}")
        panels = (mean, found)
    shared = {"model": record["model"], "recipe": record["recipe"], "by": "patch", "ber": point["ber"]}
    return PageFigure(
        title=named,
        note="Percentage points of answers that are saved where the patch has no faults; faults are in "
        f"{where}. Rows and columns from the top left. Hover values have the 95 % intervals."
        + ("" if image else " The result was kept by an older version, without the mean image of its data."),
        panels=panels,
        data=tuple({**shared, **component} for component in point["components"]),
        name="factors-patch",
    )
