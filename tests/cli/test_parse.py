"""The small languages of the command line's options, and what they answer to nonsense."""

import pytest

from radhard.cli import parse
from radhard.errors import InputError


def test_rates() -> None:
    assert parse.rates("1e-9") == (1e-9,)
    assert parse.rates("1e-9,0,1") == (1e-9, 0.0, 1.0)
    assert parse.rates("1e-9:1e-7:3") == (1e-9, 1e-8, 1e-7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("abc", "'abc' is not a number"), ("", "'' is not a number"), ("1e-9,x", "'x' is not a number"),
        ("nan", r"nan is not in \[0, 1\]"), ("inf", r"inf is not in \[0, 1\]"), ("-1e-9", "not in"),
        ("1.5", r"1\.5 is not in \[0, 1\]"), ("1e-9,1e-9", "given twice"),
        ("1e-9:1e-8", "three parts, this has 2"),
        ("1e-9:1e-8:3:4", "this has 4"), ("1e-9:1e-8:one", "'one' is not a number of points"),
        ("1e-9:1e-8:1", "at least 2"), ("1e-8:1e-9:3", "rises"), ("0:1e-9:3", "more than 0"),
        ("1e-9:1e-9:2", "rises"), ("1e-9:1e-8:2.5", "'2.5' is not a number of points"),
    ],
)  # fmt: skip
def test_rates_that_are_none(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        parse.rates(text)
    assert "--ber" in error.value.on_command_line


def test_fields() -> None:
    assert parse.fields("product=int16, accumulator=int32", option="--words") == {
        "product": "int16",
        "accumulator": "int32",
    }
    for text in ("int16", "product=", "=int16", "", "product=int16,product=int16"):
        with pytest.raises(InputError, match="words"):
            parse.fields(text, option="--words")


def test_shards() -> None:
    assert parse.fraction("3/16") == (3, 16)
    for text in ("0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/4"):
        with pytest.raises(InputError, match=f"shard {text}: write i/n"):
            parse.fraction(text)
