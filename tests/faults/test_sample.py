"""What is drawn depends on nothing but seed, trial, image and site, and follows the binomial law.

Statistical tests have a fixed seed; ALARM is the chance that a correct sampler would have failed at it.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import stats

from radhard.errors import InputError
from radhard.faults import Faults, Faulty, Flips, Where, trace
from radhard.machine import Clean, Counting
from radhard.program import Program, run
from radhard.words import Int, Words
from tests.support.flips import rows_of
from tests.support.models import MultiheadViT, TinyViT, images, tiny_program

ALARM = 1e-6
FAULTS = Faults(ber=3e-6, kinds={"mul", "add", "load", "special", "scale"}, seed=11, trial=2)
IMAGES = images(64)
IDS = torch.arange(64) * 7 + 100
KINDS_OF_MODEL = [TinyViT, MultiheadViT]


def logits(program: Program, faults: Faults, which: torch.Tensor) -> torch.Tensor:
    return run(program, IMAGES[which], Faulty(Clean(), faults), ids=IDS[which]).logits


@pytest.mark.parametrize("recipe", ["float", "int8", "int8-float"])
@pytest.mark.parametrize("kind", KINDS_OF_MODEL)
def test_batch_size_and_order_change_nothing(recipe: str, kind: type) -> None:
    """Batches of 1, 7 and 64, and the images shuffled with their identities: the same bits of the same logits."""
    program = tiny_program(recipe, kind)
    whole = logits(program, FAULTS, torch.arange(64))
    clean = run(program, IMAGES).logits
    assert (whole != clean).any(dim=1).sum() > 10  # faults that do something
    pieces = {
        size: torch.cat([logits(program, FAULTS, part) for part in torch.arange(64).split(size)]) for size in (1, 7)
    }
    order = torch.randperm(64, generator=torch.Generator().manual_seed(5))
    shuffled = torch.empty_like(whole)
    shuffled[order] = logits(program, FAULTS, order)
    for other in (*pieces.values(), shuffled):
        if recipe == "float":
            torch.testing.assert_close(other, whole, rtol=1e-4, atol=1e-4, equal_nan=True)
        else:
            assert same_bits(other, whole)


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a.view(torch.int32), b.view(torch.int32))


@pytest.mark.parametrize("kind", KINDS_OF_MODEL)
def test_the_faults_of_an_image_are_its_own(kind: type) -> None:
    program = tiny_program("int8", kind)
    ids = IDS.numpy()
    whole = rows_of(trace(program, FAULTS, ids))
    assert len(whole) > 40
    for size in (1, 7):
        parts = [rows_of(trace(program, FAULTS, part)) for part in np.split(ids, range(size, 64, size))]
        assert sorted(row for part in parts for row in part) == whole
    assert rows_of(trace(program, FAULTS, ids[::-1].copy())) == whole


def test_protecting_a_component_leaves_the_faults_elsewhere() -> None:
    program = tiny_program("int8")
    ids = np.arange(64)
    everywhere = rows_of(trace(program, FAULTS, ids))
    for where in (
        Where(layers=("blocks.0",)),
        Where(modules=("NLF",)),
        Where(operators=("linear",)),
        Where(sites=("blocks.1.mlp.*",)),
    ):
        chosen = {site.name for site in program.sites if where.selects(site)}
        assert 0 < len(chosen) < len(program.sites)
        rest = rows_of(trace(program, replace(FAULTS, where=~where), ids))
        inside = rows_of(trace(program, replace(FAULTS, where=where), ids))
        assert rest == [row for row in everywhere if row[1] not in chosen]
        assert inside == [row for row in everywhere if row[1] in chosen]
        assert inside
        assert rest


def test_fewer_kinds_are_a_part() -> None:
    program, ids = tiny_program("int8"), np.arange(64)
    everything = rows_of(trace(program, FAULTS, ids))
    for kind in FAULTS.kinds:
        alone = rows_of(trace(program, replace(FAULTS, kinds=frozenset({kind})), ids))
        assert alone == [row for row in everything if row[2] == kind]


def test_lower_rates_are_a_part_of_higher_ones() -> None:
    program, ids = tiny_program("int8"), np.arange(20)
    rates = [0.0, 1e-7, 1e-6, 1e-5, 1e-4]
    found = [set(rows_of(trace(program, replace(FAULTS, ber=rate), ids))) for rate in rates]
    assert found[0] == set()
    for fewer, more in pairwise(found):
        assert fewer < more


def test_a_run_is_a_function_of_its_inputs() -> None:
    program = tiny_program("int8")
    which = torch.arange(16)
    first = logits(program, FAULTS, which)
    torch.manual_seed(1)
    torch.rand(3)
    machine = Faulty(Clean(), FAULTS)
    again = [run(program, IMAGES[:16], machine, ids=IDS[:16]).logits for _ in range(2)]
    assert same_bits(again[0], first)
    assert same_bits(again[1], first)
    assert machine.flips is not None
    mine = rows_of(machine.flips)
    assert mine == rows_of(trace(program, FAULTS, IDS[:16]))
    for change in ({"seed": 12}, {"trial": 3}):
        other = rows_of(trace(program, replace(FAULTS, **change), IDS[:16]))
        assert len(set(other) & set(mine)) < len(mine) // 20
        assert not same_bits(logits(program, replace(FAULTS, **change), which), first)


@pytest.fixture(scope="module")
def many() -> tuple[Program, Faults, Flips]:
    """Some 400,000 flips of 64 images."""
    program = tiny_program("int8")
    faults = Faults(ber=1e-3, kinds={"mul", "add", "load", "special", "scale"}, seed=21)
    return program, faults, trace(program, faults, np.arange(64))


def streams_of(program: Program, faults: Faults) -> list[tuple[int, int, int, int]]:
    """(site, kind, operations, exposed bits of a word)."""
    kinds = ("mul", "add", "load", "special", "scale")
    return [
        (place, code, cost.operations(kind), cost.word(kind, faults.words).exposed)
        for place, cost in enumerate(program.costs.values())
        for code, kind in enumerate(kinds)
        if cost.operations(kind)
    ]


def test_counts_follow_the_binomial_law(many: tuple) -> None:
    """Of each (image, site, kind), standardised; chi-square over all, both tails."""
    program, faults, flips = many
    total, cells = 0.0, 0
    for site, kind, operations, exposed in streams_of(program, faults):
        bits = operations * exposed
        mine = (flips.site == site) & (flips.kind == kind)
        counts = np.bincount(flips.image[mine], minlength=64)
        if bits * faults.ber < 5:
            continue
        total += ((counts - bits * faults.ber) ** 2 / (bits * faults.ber * (1 - faults.ber))).sum()
        cells += 64
    assert cells > 2000
    tail = stats.chi2.cdf(total, cells)
    assert ALARM / 2 < tail < 1 - ALARM / 2


def test_the_total_follows_the_binomial_law(many: tuple) -> None:
    program, faults, flips = many
    bits = 64 * sum(operations * exposed for _, _, operations, exposed in streams_of(program, faults))
    assert stats.binomtest(len(flips), bits, faults.ber).pvalue > ALARM


def test_operations_and_bits_are_uniform(many: tuple) -> None:
    """Over the words of every site and the bits of every word; a chi-square each, Bonferroni over all of them."""
    program, faults, flips = many
    streams = [one for one in streams_of(program, faults) if 64 * one[2] * one[3] * faults.ber > 500]
    assert len(streams) > 50
    for site, kind, operations, exposed in streams:
        mine = (flips.site == site) & (flips.kind == kind)
        index, bit = flips.index[mine], flips.bit[mine]
        assert index.min() >= 0
        assert index.max() < operations
        assert bit.min() >= 0
        assert bit.max() < exposed
        width = np.diff(np.floor(np.linspace(0, operations, 17))).astype(int)
        parts = np.histogram(index, np.concatenate([[0], np.cumsum(width)]) - 0.5)[0]
        chance = stats.chisquare(parts, len(index) * width / operations).pvalue
        assert chance > ALARM / (2 * len(streams))
        assert stats.chisquare(np.bincount(bit, minlength=exposed)).pvalue > ALARM / (2 * len(streams))


def test_words_are_hit_without_regard_to_each_other(many: tuple) -> None:
    """Index modulo the unit's chain against the bit: independent in a product with weights."""
    program, _, flips = many
    site = [site.name for site in program.sites].index("blocks.0.mlp.fc1")
    mine = (flips.site == site) & (flips.kind == 0)
    table = np.zeros((16, 16))
    np.add.at(table, (flips.index[mine] % 16, flips.bit[mine]), 1)
    assert table.min() > 5
    assert stats.chi2_contingency(table).pvalue > ALARM


def test_fewer_exposed_bits_are_fewer_flips() -> None:
    program, ids = tiny_program("int8"), np.arange(8)
    narrow = Faults(
        ber=1e-4, where=Where(operators=("linear",)), words=Words(product=Int(16, 8), accumulator=Int(32, 8))
    )
    bits = 8 * sum(
        8 * (program.costs[site].operations("mul") + program.costs[site].operations("add"))
        for site in program.sites
        if site.operator == "linear"
    )
    found = trace(program, narrow, ids)
    assert found.bit.max() == 7
    assert stats.binomtest(len(found), bits, 1e-4).pvalue > ALARM


def test_ids_enter_and_may_not_be_negative() -> None:
    program = tiny_program("int8")
    assert {row[0] for row in rows_of(trace(program, FAULTS, np.array([5, 2**40])))} == {5, 2**40}
    with pytest.raises(InputError, match="image"):
        trace(program, FAULTS, np.array([-1]))
    assert len(trace(program, FAULTS, np.array([], dtype=np.int64))) == 0


def test_where_a_site_stands_does_not_enter_its_faults() -> None:
    """An override of the anatomy renames layers and modules; the faults are those of the site's name."""
    program = tiny_program("int8")
    moved = program.with_sites(lambda site: replace(site, layer="elsewhere", module="Head", layer_source="guess"))
    assert rows_of(trace(moved, FAULTS, IDS.numpy())) == rows_of(trace(program, FAULTS, IDS.numpy()))


def test_counting_around_faults_changes_neither() -> None:
    program = tiny_program("int8")
    ids, x = torch.tensor([11, 4, 7]), images(3)
    faults = Faults(ber=1e-5, seed=3)
    faulty = run(program, x, Faulty(Clean(), faults), ids=ids)
    counting = Counting(Faulty(Clean(), faults))
    counted = run(program, x, counting, ids=ids)
    assert torch.equal(counted.logits, faulty.logits)
    assert not torch.equal(counted.logits, run(program, x).logits)
    assert counting.costs == program.costs
