"""Records as TypedDicts: each has the fields of its value, with the types that JSON makes of them."""

from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from radhard.analysis.crossing import Crossing, CrossingRecord
from radhard.analysis.curve import Point, PointRecord
from radhard.analysis.intervals import Interval
from radhard.analysis.overhead import Spent, SpentRecord
from radhard.analysis.uniformity import BoundedRecord, Uniformity, UniformityRecord
from radhard.analysis.vulnerability import Vulnerable, VulnerableRecord


def as_json(kind: Any) -> Any:
    """The type that a field's value has in JSON: a float that is not finite is null, a tuple is a list."""
    if isinstance(kind, UnionType):
        parts = [as_json(part) for part in get_args(kind)]
        return set().union(*(part if isinstance(part, set) else {part} for part in parts))
    if kind is float:
        return {float, NoneType}
    if kind is Interval:
        return BoundedRecord
    return list[get_args(kind)[0]] if get_origin(kind) is tuple else kind  # type: ignore[misc]


def as_set(kind: Any) -> set[Any]:
    return set(get_args(kind)) if isinstance(kind, UnionType) else {kind}


@pytest.mark.parametrize(
    ("value", "record"),
    [
        (Crossing, CrossingRecord),
        (Point, PointRecord),
        (Spent, SpentRecord),
        (Uniformity, UniformityRecord),
        (Vulnerable, VulnerableRecord),
    ],
)
def test_a_record_has_the_fields_of_its_value(value: type, record: type) -> None:
    own, written = get_type_hints(value), get_type_hints(record)
    assert list(written) == [field.name for field in fields(value)]
    for name, kind in written.items():
        expected = as_json(own[name])
        assert as_set(kind) == (expected if isinstance(expected, set) else {expected}), name
