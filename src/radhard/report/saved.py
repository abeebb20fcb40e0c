"""What a command printed by --json, read back and drawn again."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from radhard.errors import InputError
from radhard.report.avf_figure import avf_drawn
from radhard.report.bit_stems import are_bits, bits_drawn, draw_bits
from radhard.report.configurations.figure import draw_configurations
from radhard.report.configurations.points import configurations_drawn
from radhard.report.heatmap import draw_heatmap
from radhard.report.patches import heatmap_drawn
from radhard.report.vulnerability import draw_vulnerability, vulnerability_drawn

Drawing = Callable[[Path], None]
_RENAMED = {"condition": "configuration", "conditions": "configurations"}
"""Keys of older versions, and what they are called now."""


def drawing_of(file: Path) -> Drawing:
    """What draws the figure of a file that vulnerability, avf, evaluate or compare printed, into a path.

    InputError if the file is another one.
    """
    records = read_records(file)
    first = records[0]
    if "configurations" in first:
        configurations = configurations_drawn(records)  # type: ignore[arg-type]
        return lambda path: draw_configurations(configurations, path)
    if "sdc" in first and "components" in first:
        avfs = avf_drawn(records)  # type: ignore[arg-type]
        return lambda path: draw_vulnerability(avfs, path)
    if first.get("by") == "patch":
        patches = heatmap_drawn(records)  # type: ignore[arg-type]
        return lambda path: draw_heatmap(patches, path)
    if "by" in first:
        if first["by"] == "bit" and are_bits(records):  # type: ignore[arg-type]
            bits = bits_drawn(records)  # type: ignore[arg-type]
            return lambda path: draw_bits(bits, path)
        factors = vulnerability_drawn(records)  # type: ignore[arg-type]
        return lambda path: draw_vulnerability(factors, path)
    raise InputError(
        f"{file}: it holds records of {', '.join(first):.200}; give what `radhard compare --json`, `evaluate`, "
        "`vulnerability` or `avf` printed, and for other figures the command itself with --plot"
    )


def read_records(file: Path) -> Sequence[Mapping[str, Any]]:
    """The records of models in a file, by the keys of this version. InputError if it holds none."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"), object_hook=_renamed)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file} is not JSON: {error}; give what a command printed by --json") from error
    if isinstance(values, Mapping) and isinstance(values.get("points"), list):
        values = {"models": _by_model(values["points"])}
    models = values.get("models") if isinstance(values, Mapping) else None
    if not isinstance(models, list) or not models or not all(isinstance(one, Mapping) for one in models):
        raise InputError(f"{file}: it has no 'models' with a record each; give what a command printed by --json")
    return [{"labelled": True, **one} for one in models]


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in values.items()}


def _by_model(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Points that name their models, as version 0.1 printed factors -> a record a model."""
    found: dict[str, dict[str, Any]] = {}
    for point in points:
        found.setdefault(str(point.get("model")), {**point, "points": []})["points"].append(point)
    return list(found.values())
