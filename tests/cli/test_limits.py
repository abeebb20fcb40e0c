"""Values that no option takes end a command at once; a search over blocks finds what trying all finds."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from radhard.campaign.experiment import Campaign, Setting
from radhard.cli import parse
from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Where
from radhard.protection import Block, Exact, Printed, Shape, Volume, cube, optimal_block
from radhard.protection.cost import blocks as searching
from radhard.words import Words

HUGE = "9" * 23
TOO_LARGE = [
    ("blocks", HUGE, "64", "64"),
    ("blocks", "64", HUGE, "64"),
    ("blocks", "8", "8", "8", "--block", HUGE),
    ("blocks", "8", "8", "8", "--bits", HUGE),
    *(("sweep", "x", f"--{name}", HUGE) for name in ("images", "trials", "batch", "chunk", "samples", "seed")),
    ("sweep", "x", "--data-seed", HUGE),
    ("sweep", "x", "--seed", str(2**64)),
    ("sweep", "x", "--data-seed", f"-{HUGE}"),
    ("trace", "x", "--ber", "1e-9", "--out", "a.csv", "--trial", str(2**32)),
    ("compare", "x", "--select", HUGE),
    ("train", "--out", "x", "--epochs", HUGE),
]  # fmt: skip


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("radhard: ")
    assert result.stderr.count("\n") == 1
    assert "bug of radhard" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("arguments", TOO_LARGE)
def test_numbers_too_large(arguments: tuple[str, ...]) -> None:
    assert "too large" in refused(*arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("sweep", "x", "--ber", f"1e-9:1e-5:{HUGE}"), "is not a number of points, at least 2 and at most 1000"),
        (("sweep", "x", "--ber", "1e-9:1e-5:1001"), "is not a number of points, at least 2 and at most 1000"),
        (("sweep", "x", "--ber", "nan"), "is not in [0, 1]"),
        (("sweep", "x", "--ber", "1e400"), "is not in [0, 1]"),
        (("sweep", "x", "--ber", ""), "--ber is an empty text"),
        (("sweep", "x", "--shard", f"1/{HUGE}"), "--shard"),
        (("sweep", "x", "--shard", "9" * 5000 + "/2"), "--shard"),
        (("sweep", "x", "--until-width", "nan"), "finite"),
        (("plan", "x", "--ber", "1e-8", "--max-loss", "inf"), "finite"),
        (("blocks", "8", "8", "8", "--most-flips", "nan"), "--most-flips"),
        (("vulnerability", "x", "--by", "patch", "--grid", f"{HUGE}x{HUGE}"), "4096 at most"),
        (("vulnerability", "x", "--loss", ""), "--loss is an empty text"),
        (("vulnerability", "x", "--loss", "nan"), "not between 0 and 100"),
        (("sweep", ""), "models is an empty text"),
        (("sweep", "a" * 5000), "5,000 characters are too many"),
        (("sweep", "a\0b"), "a null character"),
        (("blocks", "8", "8", "8", "--csv", "a\0.csv"), "null byte"),
        (("sweep", "x", "--words", ""), "--words is an empty text"),
        (("blocks", "8", "8", "8", "--words", "product=float32"), "products and running sums are integers"),
    ],
)
def test_other_values_that_no_option_takes(arguments: tuple[str, ...], text: str) -> None:
    assert text in refused(*arguments)


def test_whole_numbers() -> None:
    assert [parse.whole(text) for text in ("0", " 12 ", "007", str(10**9))] == [0, 12, 7, 10**9]
    for text in ("", "-1", "1.0", "1e3", "1_000", "\uff11", str(10**9 + 1), "9" * 5000):
        assert parse.whole(text) is None


def test_normalisation_is_of_pixels() -> None:
    assert parse.numbers("0.5,-1", option="--mean") == (0.5, -1.0)
    for text in ("nan", "inf", "0.5,-inf", "1e300"):
        for option in ("--mean", "--std"):
            with pytest.raises(InputError, match=f"{option[2:]} {text}: .* is not in the range of pixels"):
                parse.numbers(text, option=option)
    for text in ("0", "-1", "1e-300", "0.5,0"):
        with pytest.raises(InputError, match="std"):
            parse.numbers(text, option="--std")
    for text in ("3,224", f"1,{HUGE},1", "100000,100000,1", "0,1,1", "a,b,c"):
        with pytest.raises(InputError, match="input_shape"):
            parse.shape(text)


def test_a_campaign_of_too_many_units() -> None:
    setting = Setting(
        model="m", recipe="int8", program="p", data="d", data_digest="d", ber=1e-9, kinds=frozenset({"mul"})
    )
    with pytest.raises(InputError, match=r"2,000,001 units of work, more than 2,000,000: take fewer trials"):
        Campaign(settings=(setting,), images=10, trials=2_000_001, chunk=10)
    assert Campaign(settings=(setting,), images=10, trials=2_000_000, chunk=10).images == 10


def test_words_of_floats_are_told_apart() -> None:
    with pytest.raises(InputError, match=r"^product=bfloat16: products and running sums are integers; write int16"):
        Words.from_dict({"product": "bfloat16"})
    with pytest.raises(InputError, match="integers"):
        Words.from_dict({"accumulator": 32})  # type: ignore[dict-item]


def test_a_selection_has_a_name() -> None:
    assert EVERYWHERE.name == "everywhere"
    assert Where(layers=("a", "b*"), sites=("c",)).name == "layer a or b*, site c"
    assert (~Where(modules=("FC",))).name == "everywhere, but not (module FC)"
    with pytest.raises(InputError, match="the model has no operation of arithmetic"):
        EVERYWHERE.select(())


@settings(max_examples=60, deadline=None)
@given(
    m=st.integers(1, 60), k=st.integers(1, 60), n=st.integers(1, 60),
    ber=st.sampled_from([0.0, 1e-9, 1e-5, 1e-3, 0.5]), most=st.sampled_from([1e-3, 1.0, 50.0, math.inf]),
)  # fmt: skip
def test_the_search_finds_what_trying_all_cubes_finds(m: int, k: int, n: int, ber: float, most: float) -> None:
    product = Shape(m=m, k=k, n=n)
    every: list[Block] = [cube(edge) for edge in range(1, max(m, k, n) + 1)]
    for model in (Printed(bits=3), Volume(bits=48), Exact()):
        costs = [(model(product, block, ber=ber), block) for block in every]
        possible = [(cost.total.arithmetic, block) for cost, block in costs if cost.flips <= most]
        if not possible:
            with pytest.raises(InputError, match="no block expects"):
                optimal_block(product, ber=ber, model=model, most_flips=most)
            continue
        assert (
            optimal_block(product, ber=ber, model=model, most_flips=most).block == min(possible, key=lambda p: p[0])[1]
        )


def test_a_search_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = Shape(m=10**9, k=10**9, n=10**9)
    assert optimal_block(huge, ber=1e-9, model=Exact(), most_flips=1.0).block.m < 1000
    monkeypatch.setattr(searching, "MOST_CUBES", 1000)
    with pytest.raises(InputError, match="more than 1,000 cubes to search: give the size of a block"):
        optimal_block(huge, ber=1e-9, model=Volume(), most_flips=math.inf)
