"""Cost models and Algorithm 2 against slow references: every block visited, probabilities as exact fractions."""

import csv
import json
import math
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from radhard.cli.commands import app
from radhard.errors import InputError
from radhard.protection import (
    Block,
    CostModel,
    Exact,
    ExactRows,
    Printed,
    Shape,
    Volume,
    boxes,
    closed_form,
    cube,
    cubes,
    optimal_block,
    probability,
)
from radhard.report.blocks import block_row
from radhard.report.optimal_blocks import optimal_blocks_data
from radhard.words import Int, Words

SIZES = st.integers(1, 9)
SHAPES = st.builds(Shape, m=SIZES, k=SIZES, n=SIZES)
RATES = st.sampled_from([0.0, 1e-9, 3e-4, 0.02, 1.0])


def some(bits: int, ber: float) -> float:
    """1 - (1 - r)^bits in exact fractions."""
    return float(1 - (1 - Fraction(ber)) ** bits)


def spans(size: int, step: int) -> list[int]:
    """Widths of the pieces, one after the other."""
    return [min(step, size - first) for first in range(0, size, step)]


def blocks_of(shape: Shape, block: Block) -> list[tuple[int, int, int]]:
    return [
        (m, k, n)
        for m in spans(shape.m, block.m)
        for k in spans(shape.k, block.k)
        for n in spans(shape.n, block.n)
    ]  # fmt: skip


@pytest.mark.parametrize("bits", [0, 1, 10**3, 10**9])
@pytest.mark.parametrize("ber", [0.0, 1e-17, 1e-11, 1e-7])
def test_the_probability_of_a_flip_keeps_its_digits(bits: int, ber: float) -> None:
    series = sum(
        (-1) ** (j + 1) * Fraction(1, 1) * _choose(bits, j) * Fraction(ber) ** j for j in range(1, 40)
    ) if bits * ber < 1 else None  # fmt: skip
    if series is not None:
        assert probability(bits, ber=ber) == pytest.approx(float(series), rel=1e-12)
    else:
        assert probability(bits, ber=ber) == pytest.approx(1.0, abs=1e-40)
    assert probability(bits, ber=1.0) == (bits > 0)


def _choose(n: int, j: int) -> Fraction:
    product = Fraction(1)
    for i in range(j):
        product = product * (n - i) / (i + 1)
    return product


@settings(deadline=None)
@given(shape=SHAPES, edge=SIZES, ber=RATES, bits=st.sampled_from([1, 24]))
def test_printed_is_the_algorithm_to_the_letter(shape: Shape, edge: int, ber: float, bits: int) -> None:
    found = Printed(bits=bits)(shape, cube(edge), ber=ber)
    blk = len(spans(shape.m, edge)) * len(spans(shape.k, edge)) * len(spans(shape.n, edge))
    ep_m, ep_sm = some(bits * shape.m * shape.k * shape.n, ber), some(bits * blk, ber)
    assert found.detection.mul == pytest.approx(shape.k + ep_m * blk * edge)
    assert found.recovery.mul == pytest.approx(ep_m * blk * ep_sm * 2 * edge * edge)
    assert found.total.add == 0


@settings(deadline=None)
@given(shape=SHAPES, block=st.builds(Block, m=SIZES, k=SIZES, n=SIZES), ber=RATES)
def test_volume_visits_every_block(shape: Shape, block: Block, ber: float) -> None:
    found = Volume(bits=48)(shape, block, ber=ber)
    ep_m = some(48 * shape.volume, ber)
    parts = blocks_of(shape, block)
    assert sum(m * k * n for m, k, n in parts) == shape.volume
    assert found.detection.mul == pytest.approx(shape.k + ep_m * sum(k for _, k, _ in parts))
    assert found.recovery.mul == pytest.approx(
        ep_m * sum(some(48 * m * k * n, ber) * (m * k + k * n) for m, k, n in parts)
    )
    assert found.block_faulty == pytest.approx(sum(some(48 * m * k * n, ber) for m, k, n in parts) / len(parts))


@pytest.mark.parametrize("bits", [24, 48])
@pytest.mark.parametrize("ber", [1e-9, 1e-8, 1e-7])
def test_volume_agrees_with_the_closed_form_where_nothing_is_cut(bits: int, ber: float) -> None:
    edge = closed_form(ber=ber, bits=bits)
    shape = Shape(m=5040, k=5040, n=5040)  # many divisors, all of them far above the edge
    best = optimal_block(shape, ber=ber, model=Volume(bits=bits), most_flips=1.0)
    whole = [b for b in range(1, 400) if 5040 % b == 0]
    smooth = {b: 1 / b**2 + 2 * ber * bits * b**2 for b in whole}  # per multiply-accumulate, by the text's formula
    divisors = optimal_block(
        shape, ber=ber, model=Volume(bits=bits), most_flips=1.0, candidates=[cube(b) for b in whole]
    )
    assert divisors.block == cube(min(smooth, key=smooth.__getitem__))
    assert best.block.m == pytest.approx(edge, rel=0.06)
    assert best.overhead.total.mul / shape.volume == pytest.approx(2 * (2 * ber * bits) ** 0.5, rel=0.02)
    other = optimal_block(Shape(m=2520, k=5040, n=1260), ber=ber, model=Volume(bits=bits), most_flips=1.0)
    assert other.block.m == pytest.approx(edge, rel=0.06)  # whatever the product


def test_as_printed_the_largest_block_wins() -> None:
    shape = Shape(m=257, k=768, n=3072)
    for ber in (1e-10, 1e-9, 1e-8, 1e-7):
        assert optimal_block(shape, ber=ber, model=Printed()).block.m >= 257


def test_blocks_that_cannot_be_repaired_cost_less_again() -> None:
    shape = Shape(m=257, k=768, n=3072)
    any_size = optimal_block(shape, ber=1e-7, model=Volume(bits=24))
    few = optimal_block(shape, ber=1e-7, model=Volume(bits=24), most_flips=1.0)
    assert any_size.block == cube(3072)
    assert any_size.overhead.flips > 1000
    assert few.block == cube(22)  # the paper's
    assert few.overhead.flips == pytest.approx(22**3 * 24 * 1e-7)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("most_flips", [1.0, math.inf])
@pytest.mark.parametrize("ber", [0.0, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize("model", [Printed(), Volume(), Exact(), ExactRows()], ids=lambda one: type(one).__name__)
def test_of_candidates_the_first_cheapest_is_found(
    model: CostModel, ber: float, most_flips: float, stored: bool
) -> None:
    """As by pricing all of them; and no bound is above a price."""
    shape = Shape(m=13, k=24, n=17, bias=stored, stored=stored)
    blocks = [cube(edge) for edge in (3, 1, 9, 3, 20, 40)] if isinstance(model, Printed) else list(boxes(shape))
    priced = [(block, model(shape, block, ber=ber)) for block in blocks]
    for block, overhead in priced:
        assert model.least(shape, block, ber=ber) <= overhead.total.arithmetic
    allowed = [(block, overhead) for block, overhead in priced if overhead.flips <= most_flips]
    if not allowed:
        with pytest.raises(InputError, match="no block expects"):
            optimal_block(shape, ber=ber, model=model, most_flips=most_flips, candidates=blocks)
        return
    found = optimal_block(shape, ber=ber, model=model, most_flips=most_flips, candidates=blocks)
    assert found.block == min(allowed, key=lambda one: one[1].total.arithmetic)[0]


@settings(deadline=None)
@given(shape=SHAPES, ber=RATES, model=st.sampled_from([Printed(), Volume(), Exact()]))
def test_no_cube_costs_less_than_the_optimum(shape: Shape, ber: float, model: CostModel) -> None:
    best = optimal_block(shape, ber=ber, model=model)
    assert best.overhead.total.arithmetic == min(
        model(shape, cube(b), ber=ber).total.arithmetic for b in range(1, max(shape.m, shape.k, shape.n) + 1)
    )
    assert len(list(cubes(shape))) == max(shape.m, shape.k, shape.n)


@settings(deadline=None)
@given(
    shape=st.builds(Shape, m=SIZES, k=SIZES, n=SIZES, bias=st.booleans(), stored=st.booleans()),
    block=st.builds(Block, m=SIZES, k=SIZES, n=SIZES),
    ber=RATES,
)
def test_exact_visits_every_block(shape: Shape, block: Block, ber: float) -> None:
    """A straight count of what each step of LB-ABFT does, block by block."""
    words = Words(product=Int(16), accumulator=Int(32, 24))
    found = Exact(words=words)(shape, block, ber=ber)
    rows, slabs, columns = (spans(getattr(shape, axis), getattr(block, axis)) for axis in "mkn")
    terms = [width + (shape.bias and q == len(slabs) - 1) for q, width in enumerate(slabs)]
    tiles = sum(m * n - 1 for m in rows for n in columns)
    mul, add, cmp = sum(terms), len(slabs) * tiles, 1
    add += len(rows) * len(columns) - 1  # of the tiles' sums
    add += (shape.m - 1) * shape.k + (0 if shape.stored else (shape.n - 1) * shape.k) + sum(terms) - 1
    alarm = some(shape.n * shape.m * (16 * shape.k + 24 * (sum(terms) - 1)), ber)
    for _ in rows:
        for q, width in enumerate(terms):
            for _ in columns:
                mul += alarm * width
                add += alarm * (width - 1 + (q > 0))
                cmp += alarm
    assert found.detection.mul == pytest.approx(mul)
    assert found.detection.add == pytest.approx(add)
    assert found.detection.cmp == pytest.approx(cmp)
    mul = add = cmp = 0
    for m in rows:
        for q, width in enumerate(terms):
            for n in columns:
                hit = some(m * n * (16 * slabs[q] + 24 * (width - (q == 0))), ber)
                mul += hit * (m + n) * width
                add += hit * (m * n * (q > 0))  # the slab alone
                add += hit * (m * (n - 1) + m * (width - 1) + m + n * (m - 1) + n * (width - 1) + n)
                add += hit * ((1 if len(slabs) == 1 else 3) + m * n - 1)
                cmp += hit * (m + n + 2)
    assert found.recovery.mul == pytest.approx(mul)
    assert found.recovery.add == pytest.approx(add)
    assert found.recovery.cmp == pytest.approx(cmp)


def test_what_is_wrong_is_told() -> None:
    with pytest.raises(InputError, match="m=0: every size is at least 1"):
        Shape(m=0, k=1, n=1)
    with pytest.raises(InputError, match="a block with n=0"):
        Block(m=1, k=1, n=0)
    with pytest.raises(InputError, match="block 2x3x4: Algorithm 2 knows cubes only"):
        Printed()(Shape(m=9, k=9, n=9), Block(m=2, k=3, n=4), ber=0.0)
    with pytest.raises(InputError, match=r"ber=1.5: the bit error rate is a probability"):
        optimal_block(Shape(m=1, k=1, n=1), ber=1.5, model=Printed())
    with pytest.raises(InputError, match=r"no block expects at most 0\.1 flips"):
        optimal_block(Shape(m=9, k=9, n=9), ber=0.01, model=Volume(), most_flips=0.1)


# --- the command ---


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["blocks", *(str(argument) for argument in arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_finds_the_block(tmp_path: Path) -> None:
    path = tmp_path / "blocks.csv"
    (record,) = json.loads(call(257, 768, 3072, "--ber", "1e-9,1e-8", "--bits", 24, "--json", "--csv", path))["models"]
    found = {(row["model"], row["ber"]): row for row in record["rows"]}
    assert list(found) == [(m, b) for b in (1e-9, 1e-8) for m in ("printed", "volume", "exact")]
    assert found["volume", 1e-8]["block"] == "37x37x37"
    best = optimal_block(Shape(m=257, k=768, n=3072), ber=1e-8, model=Exact(), most_flips=1.0)
    row = found["exact", 1e-8]
    assert (row["block"], row["mul"], row["add"]) == (
        str(best.block),
        best.overhead.total.mul,
        best.overhead.total.add,
    )
    assert row["overhead"] == pytest.approx((row["mul"] + row["add"]) / (257 * 3072 * (2 * 768 - 1)))
    assert row["detection"] + row["recovery"] == pytest.approx(row["overhead"])
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["mul"]) for r in rows] == [r["mul"] for r in record["rows"]]


def test_the_command_shows_one_block() -> None:
    text = call(64, 64, 64, "--ber", "1e-9", "--model", "volume", "--block", 16)
    assert "64 x 64 x 64" in text
    assert "16" in text
    exact = (64, 64, 64, "--ber", "1e-9", "--model", "exact", "--json")
    (record,), (plain,) = (json.loads(call(*exact, *more))["models"] for more in (("--activation", "--bias"), ()))
    assert record["rows"][0]["add"] > plain["rows"][0]["add"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("0", "1", "1"), "m=0: every size is at least 1"),
        (("9", "9", "9", "--ber", "2"), "2 is not in [0, 1]"),
        (("9", "9", "9", "--bits", "8", "--model", "exact"), "leave one out"),
        (("9", "9", "9", "--ber", "0.5"), "no block expects at most 1 flips"),
    ],
)
def test_the_command_tells_what_is_wrong(arguments: tuple[str, ...], says: str) -> None:
    result = CliRunner().invoke(app, ["blocks", *arguments])
    assert result.exit_code == 2
    assert says in result.output


# --- the figure of Figs. 8 and 14 ---


def test_the_figure_shows_what_the_formulae_say() -> None:
    """A product of 6 x 4 x 2 in cubes of 2: 6 blocks of 8 products of 16 bits and 8 sums of 32 (4 the first slab's)."""
    shape, rates = Shape(m=6, k=4, n=2), (0.01, 0.0, 1e-4)
    models: dict[str, CostModel] = {"printed": Printed(), "volume": Volume(bits=48), "exact": Exact()}
    rows = [
        block_row(optimal_block(shape, ber=ber, model=model, candidates=(cube(2),)), shape=shape, ber=ber, model=name)
        for ber in rates
        for name, model in models.items()
    ]
    data = optimal_blocks_data(rows, shape=shape, chosen="cubes of 2")
    assert [line.model for line in data.lines] == ["printed", "volume", "exact"]
    assert "6 x 4 x 2" in data.title
    assert "cubes of 2" in data.subtitle
    printed, volume, exact = data.lines
    for line in data.lines:
        assert line.ber == (1e-4, 0.01)
        assert line.edge == (2, 2)
    own = 6 * 4 * 2 + 6 * 2 * 3
    for place, r in enumerate((1e-4, 0.01)):
        assert printed.block_faulty[place] == pytest.approx(some(6, r))
        assert printed.faulty[place] == pytest.approx(some(48, r))
        assert volume.block_faulty[place] == pytest.approx(some(8 * 48, r))
        assert volume.faulty[place] == pytest.approx(some(48 * 48, r))
        first, second = some(8 * 16 + 4 * 32, r), some(8 * 16 + 8 * 32, r)
        assert exact.block_faulty[place] == pytest.approx((first + second) / 2)
        assert exact.faulty[place] == pytest.approx(some(48 * 16 + 36 * 32, r))
        detection = (4 + some(48 * 48, r) * 6 * 2) / own  # a dot of 2 terms in each block
        assert volume.detection[place] == pytest.approx(detection)
        recovery = some(48 * 48, r) * 6 * some(8 * 48, r) * 8 / own
        assert volume.overhead[place] == pytest.approx(detection + recovery)
        assert volume.mul_share[place] == 1.0
        whole = exact.faulty[place]
        mul = 4 + 12 * whole + 3 * (first + second) * 8
        add = 43 + 9 * whole + 3 * (first * (12 + 3 + 3) + second * (16 + 3 + 3))
        assert exact.mul_share[place] == pytest.approx(mul / (mul + add))
        assert exact.overhead[place] == pytest.approx((mul + add) / own)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_command_draws(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"blocks{suffix}"
    call(64, 64, 64, "--bias", "--ber", "1e-9,1e-8,0", "--plot", path)
    raw = path.read_bytes()
    if suffix == ".png":
        assert raw.startswith(b"\x89PNG")
        assert len(raw) > 10_000
        return
    assert ET.fromstring(raw).tag.endswith("svg")
    for text in ("64 x 64 x 64", "weight, with a bias", "at most 1 expected flips", "printed model", "exact model"):
        assert text in raw.decode()
