"""How many bits flip, as tables and figures tell it: at a bit error rate, or a number an inference."""

from collections.abc import Iterable, Mapping
from typing import Any

RATE, COUNT = "BER", "flips an inference"


def amount_of(point: Mapping[str, Any]) -> float:
    """The bit error rate of a point's record, or its number of flips an inference.

    >>> amount_of({"ber": None, "flips_an_inference": 2}), amount_of({"ber": 1e-8})
    (2.0, 1e-08)
    """
    count = point.get("flips_an_inference")
    return float(point["ber"] if count is None else count)


def unit_of(points: Iterable[Mapping[str, Any]]) -> str:
    """What the amounts of records are in: RATE or COUNT."""
    return COUNT if any(point.get("flips_an_inference") is not None for point in points) else RATE


def amount_told(amount: float, *, unit: str) -> str:
    """An amount in words.

    >>> amount_told(1e-8, unit=RATE), amount_told(1, unit=COUNT), amount_told(3, unit=COUNT)
    ('BER 1e-08', '1 flip an inference', '3 flips an inference')
    """
    if unit == COUNT:
        return f"{amount:.3g} flip{'' if amount == 1 else 's'} an inference"
    return f"BER {amount:.3g}"
