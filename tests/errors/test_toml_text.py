"""What is written as TOML is what Python's own reader of TOML reads."""

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radhard.errors import InputError
from radhard.toml_text import toml_text

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
PLAIN = st.one_of(
    TEXT, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)
VALUE = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(TEXT, st.one_of(VALUE, st.dictionaries(TEXT, VALUE, max_size=3)), max_size=4))
def test_what_is_written_is_read(values: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(values)) == values


@pytest.mark.parametrize(
    "name", ["a\nb", 'quote " \\ back', "\x00\x1f\x7f", "<script>", "Müller/ü 漢", "[x]", "#", "'''", ""]
)
def test_odd_names(name: str) -> None:
    read = tomllib.loads(toml_text({name: name, "table": {name: [name], "inner": {name: name}}}))
    assert read == {name: name, "table": {name: [name], "inner": {name: name}}}


def test_numbers_that_are_none() -> None:
    read = tomllib.loads(toml_text({"a": math.inf, "b": -math.inf, "c": math.nan, "d": 1e300, "e": 5.0}))
    assert read["a"] == math.inf
    assert read["b"] == -math.inf
    assert math.isnan(read["c"])
    assert (read["d"], read["e"], type(read["e"])) == (1e300, 5.0, float)


@pytest.mark.parametrize("value", [None, 2**64, "\ud800", object(), {"deep": None}])
def test_what_toml_has_not(value: object) -> None:
    with pytest.raises(InputError, match=r"key|Unicode"):
        toml_text({"key": value})
