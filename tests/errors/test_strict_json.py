"""JSON of users' files: what would be lost or change its value is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radhard import strict_json
from radhard.errors import InputError, one_line
from radhard.protection import read_plan

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(VALUES)
def test_what_json_writes_is_read(value: object) -> None:
    assert strict_json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"b": [{"a": 1, "a": 1}]}', "'a' is given twice"),
        ("[NaN]", "NaN is no number"),
        ("-Infinity", "-Infinity is no number"),
        ("1e400", "1e400 is too large"),
        ("-1" + "0" * 400, "of 402 digits is too large"),
        ("9" * 5000, "of 5000 digits is too large"),
        ("[" * 100_000, "nested too deeply"),
        ("", "Expecting value"),
    ],
)
def test_what_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        strict_json.loads(text)
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_plan(path)
    assert len(one_line(str(error.value))) < 400


def test_a_plan_that_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a file"):
        read_plan(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_plan(tmp_path / "none.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no JSON"):
        read_plan(tmp_path / "bytes.json")
