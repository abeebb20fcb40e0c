"""What configurations are judged by: accuracy or, without labels, agreement with the fault-free answers."""

import math
from collections.abc import Mapping
from typing import Any

from radhard.analysis.intervals import Interval

NO_LABELS = (
    "no labels, hence no accuracy: agreement is the share of answers that are the same as without faults and "
    "protection, 1 - SDC - DUE; accuracy on the same images loses no more points"
)
"""What is said beside agreement, so that it is not taken for accuracy.

An answer that was right and becomes wrong is another one; but another one need not be wrong, nor the one before right.
"""

SHORT = "no labels: agreement with the fault-free answers"
"""The same in a figure."""


def labelled_in(record: Mapping[str, Any]) -> bool:
    """Whether the images of a record have labels; records of before, which do not say it, are of images that have.

    >>> labelled_in({"labelled": False}), labelled_in({})
    (False, True)
    """
    return bool(record.get("labelled", True))


def quality_name(*, labelled: bool) -> str:
    """`accuracy` or `agreement`."""
    return "accuracy" if labelled else "agreement"


def points_of(*, labelled: bool) -> str:
    """What differences and losses are in: `points`, or `points of agreement`."""
    return "points" if labelled else "points of agreement"


def quality(outcome: Mapping[str, Any], *, labelled: bool) -> Interval:
    """Accuracy, or agreement, 1 less the share of answers that change, with its 95 % interval; NaN of no answers.

    `outcome`: a point, or an outcome of a configuration, as JSON values.

    >>> point = {"accuracy": None, "low": None, "high": None, "changed": 0.25, "changed_low": 0.125}
    >>> quality({**point, "changed_high": 0.5}, labelled=False)
    Interval(rate=0.75, low=0.5, high=0.875)
    """
    if labelled:
        return Interval(**{end: _number(outcome[name]) for end, name in _ACCURACY.items()})
    return Interval(**{end: 1 - _number(outcome[name]) for end, name in _CHANGED.items()})


_ACCURACY = {"rate": "accuracy", "low": "low", "high": "high"}
_CHANGED = {"rate": "changed", "low": "changed_high", "high": "changed_low"}


def _number(value: float | None) -> float:
    return math.nan if value is None else value
