"""`Calibration`: the scales of a program as a value, to make the same int8 program on any machine.

The activations that calibrate come from float kernels, whose last bits depend on the processor. Scales that were made
on one machine are therefore kept, and used again on others: `quantize(program, calibration=...)`.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from radhard import strict_json
from radhard.errors import InputError

FORMATS = {"int8": 2}
"""Formats of files by recipe; 1 where none is named. In format 1 the recipe int8 has no words with zero points."""
EARLIER = "int8 of format 1"
"""The recipe of a calibration that was made for int8 before its words had zero points."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """`scales`: by the name of an observed value (module path and operator), its scale and zero point.

    `shifts`: by the name of a layer, what rounding adds to each of its channels on average, which its bias takes back
    (recipe int8). `program`: digest of the float program, `recipe` that of the integer one, or `EARLIER`; `images`:
    digest of the batches that were seen, "" if unknown, and `count` how many images these are.
    """

    model: str
    recipe: str
    program: str
    images: str
    count: int
    scales: Mapping[str, tuple[float, int]]
    shifts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256 in hexadecimal of scales and shifts: equal for calibrations that make the same program of a model."""
        known: dict[str, Any] = _pairs(self.scales)
        if self.shifts:
            known = {"scales": known, "shifts": _lists(self.shifts)}
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, in which floats are exact: the shortest decimal that reads back as the same."""
        return {
            "radhard_calibration": FORMATS.get(self.recipe, 1),
            "model": self.model,
            "recipe": "int8" if self.recipe == EARLIER else self.recipe,
            "program": self.program,
            "images": self.images,
            "count": self.count,
            "scales": _pairs(self.scales),
            **({"shifts": _lists(self.shifts)} if self.shifts else {}),
        }

    @staticmethod
    def from_dict(values: object, *, place: str) -> "Calibration":
        """Inverse of `as_dict`. InputError names the `place` and what is wrong with it."""
        version = values.get("radhard_calibration") if isinstance(values, dict) else None
        if not isinstance(values, dict) or version not in (1, *FORMATS.values()):
            raise InputError(
                f"{place} is no calibration of format 1 or 2 ('radhard_calibration': 2); `radhard quantize` makes one"
            )
        texts = ("model", "recipe", "program", "images")
        if unknown := sorted(values.keys() - {*texts, "radhard_calibration", "count", "scales", "shifts"}, key=str):
            raise InputError(f"{place}: {unknown[0]!r} is no field of a calibration")
        for name in texts:
            if not isinstance(values.get(name), str):
                raise InputError(f"{place}: {name!r} is {values.get(name)!r}, not a text")
        count, scales = values.get("count"), values.get("scales")
        if type(count) is not int or count < 0:
            raise InputError(f"{place}: 'count' is {count!r}, not a number of images")
        shifts = values.get("shifts", {})
        if not isinstance(shifts, dict):
            raise InputError(f"{place}: 'shifts' is {shifts!r}, not a mapping of names to numbers")
        if not isinstance(scales, dict):
            raise InputError(f"{place}: 'scales' is {scales!r}, not a mapping of names to [scale, zero point]")
        found = {name: values[name] for name in texts}
        if version == 1 and found["recipe"] in FORMATS:
            found["recipe"] = EARLIER
        return Calibration(
            **found,
            count=count,
            scales={name: _scale(pair, place=f"{place}: scale {name!r}") for name, pair in scales.items()},
            shifts={name: _numbers(found, place=f"{place}: shifts {name!r}") for name, found in shifts.items()},
        )


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration as JSON. InputError if the file cannot be written."""
    try:
        path.write_text(_text(calibration.as_dict()) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"calibration {path} cannot be written: {error.strerror}; give another file") from error


def _text(values: Mapping[str, Any]) -> str:
    """JSON with a line for each value, and for each entry of a mapping."""
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            entries = [f"  {json.dumps(key)}: {json.dumps(entry, allow_nan=False)}" for key, entry in value.items()]
            body = ",\n".join(entries)
            lines.append(f" {json.dumps(name)}: {{\n{body}\n }}")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}"


def read_calibration(path: Path) -> Calibration:
    """Read a calibration. InputError names the file and what is wrong with it."""
    try:
        values = strict_json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"calibration {path} cannot be read: {error.strerror}; `radhard quantize` makes one"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"calibration {path} is no JSON: {error}; make it again with `radhard quantize`") from error
    return Calibration.from_dict(values, place=f"calibration {path}")


def digest_of_images(batches: Iterable[Tensor]) -> str:
    """SHA-256 in hexadecimal of batches of images [B, ...] float32: their shapes and values, in order."""
    state = hashlib.sha256()
    for images in batches:
        feed_images(state, images)
    return state.hexdigest()


def feed_images(state: Any, images: Tensor) -> None:
    """Feed one batch into the hash that `digest_of_images` is."""
    state.update(f"{images.dtype}{list(images.shape)}".encode())
    state.update(images.detach().cpu().contiguous().numpy().data)


def _pairs(scales: Mapping[str, tuple[float, int]]) -> dict[str, list[float | int]]:
    return {name: [scale, zero] for name, (scale, zero) in scales.items()}


def _scale(pair: object, *, place: str) -> tuple[float, int]:
    if isinstance(pair, list) and len(pair) == 2 and type(pair[1]) is int and isinstance(pair[0], float | int):
        scale, zero = float(pair[0]) if abs(pair[0]) < 1e300 else math.inf, pair[1]
        if not isinstance(pair[0], bool) and 0.0 < scale < math.inf and -(2**31) <= zero < 2**31:
            return scale, zero
    raise InputError(f"{place} is {pair!r}; it is [scale, zero point], a number above 0 and a whole number")


def _lists(shifts: Mapping[str, tuple[float, ...]]) -> dict[str, list[float]]:
    return {name: list(found) for name, found in shifts.items()}


def _numbers(found: object, *, place: str) -> tuple[float, ...]:
    # tens of thousands of them, before each run: by loops of the interpreter's own
    if (
        isinstance(found, list)
        and {int, float}.issuperset(map(type, found))
        and all(map((1e30).__gt__, map(abs, found)))
    ):
        return tuple(map(float, found))
    raise InputError(f"{place} are {str(found)[:80]}; they are finite numbers, one a channel")
