"""Exactly n flips an inference: distinct, uniform over what is exposed, an image's own, the first of a shuffle."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from radhard.errors import InputError
from radhard.faults import Faults, Faulty, Where, exposures, trace
from radhard.faults.fixed_count import population_of
from radhard.faults.sampler import first_positions
from radhard.machine import KINDS, Clean
from radhard.program import Program, run
from tests.reference.philox import philox
from tests.support.flips import rows_of
from tests.support.models import MultiheadViT, TinyViT, images, tiny_program

ALARM = 1e-6
IDS = np.arange(64) * 7 + 100
KINDS_OF_MODEL = [TinyViT, MultiheadViT]


def shuffled(*, seed: int, trial: int, image: int, site: int, population: int) -> list[int]:
    """A whole Fisher-Yates shuffle, its swaps drawn by the Philox of the tests."""
    key = philox((seed % 2**32, seed >> 32, trial, 0), (0x5EED, 0))[:2]
    order = list(range(population))
    for k in range(population):
        _, _, low, high = philox((image % 2**32, site, k, 7 << 29 | image >> 32), key)
        partner = k + (high * 2**32 + low) % (population - k)
        order[k], order[partner] = order[partner], order[k]
    return order


@pytest.mark.parametrize(("population", "count"), [(1, 1), (7, 7), (50, 3), (300, 300)])
def test_positions_are_the_first_of_a_shuffle(population: int, count: int) -> None:
    ids = np.array([0, 5, 2**40 + 3])
    found = first_positions(seed=2**33 + 1, trial=9, image=ids, site=2**32 - 5, population=population, count=count)
    for image, row in zip(ids, found, strict=True):
        whole = shuffled(seed=2**33 + 1, trial=9, image=int(image), site=2**32 - 5, population=population)
        assert sorted(whole) == list(range(population))
        assert list(row) == whole[:count]


def test_every_bit_flips_once_where_all_do() -> None:
    program = tiny_program("int8")
    name = "head"
    faults = Faults(flips=1, where=Where(sites=(name,)))
    population = population_of(program.costs, faults)
    site = next(site for site in program.costs if site.name == name)
    words = [(kind, program.costs[site].operations(kind), width) for kind, width in (("mul", 16), ("add", 32))]
    everything = {
        (name, kind, index, bit) for kind, count, width in words for index in range(count) for bit in range(width)
    }
    assert len(everything) == population.bits == population.exposed
    drawn = trace(program, Faults(flips=len(everything), where=faults.where, seed=3), np.array([4]))
    assert {row[1:] for row in rows_of(drawn)} == everything
    assert len(drawn) == len(everything)


@pytest.mark.parametrize("kind", KINDS_OF_MODEL)
def test_flips_are_an_image_s_own_and_fewer_are_among_more(kind: type) -> None:
    program = tiny_program("int8", kind)
    faults = Faults(flips=3, seed=5, trial=2)
    whole = rows_of(trace(program, faults, IDS))
    assert Counter(row[0] for row in whole) == dict.fromkeys(IDS.tolist(), 3)
    assert len(set(whole)) == 3 * 64
    parts = [rows_of(trace(program, faults, part)) for part in np.split(IDS[::-1].copy(), range(7, 64, 7))]
    assert sorted(row for part in parts for row in part) == whole
    assert set(rows_of(trace(program, Faults(flips=1, seed=5, trial=2), IDS))) < set(whole)
    for other in (Faults(flips=3, seed=6, trial=2), Faults(flips=3, seed=5, trial=1)):
        assert not set(rows_of(trace(program, other, IDS))) & set(whole)


def test_components_of_one_size_have_flips_of_their_own() -> None:
    """Two blocks of as many bits: the place of the flip in one says nothing of that in the other."""
    program, ids = tiny_program("int8"), np.arange(4000)
    flips = [trace(program, Faults(flips=1, where=Where(sites=(f"blocks.{block}.mlp.fc1",))), ids) for block in (0, 1)]
    one, other = (np.lexsort((found.image,)) for found in flips)
    first, second = flips[0].index[one], flips[1].index[other]
    assert len(first) == len(second) == len(ids)
    assert (first == second).mean() < 0.01
    assert stats.pearsonr(first, second).pvalue > ALARM
    bits = [found.bit[order] for found, order in zip(flips, (one, other), strict=True)]
    assert stats.chi2_contingency(np.histogram2d(*bits, bins=(8, 8))[0]).pvalue > ALARM


SELECTIONS = [
    Where(),
    Where(layers=("blocks.0",)),
    ~Where(modules=("MHA-*",)),
    Where(bits=("mul:int16:1[45]", "add:int32:31")),
    Where(patches=("0,0", "none"), grid=(2, 2)),
    Where(protected=(~Where(bits=("add:int32:3",)),)),
]


@pytest.mark.parametrize("where", SELECTIONS, ids=range(len(SELECTIONS)))
def test_flips_are_uniform_over_what_is_exposed(where: Where) -> None:
    """Site and kind by their bits, and the bit by its share, of 20,000 images: two chi-squared tests."""
    program, ids = tiny_program("int8"), np.arange(20_000)
    faults = Faults(flips=1, where=where, seed=8)
    patches = program.patches(where.grid) if where.grid else None
    known = exposures(program.costs, faults, patches=patches)
    drawn = trace(program, faults, ids)
    assert len(drawn) == len(ids)
    bits = {(site.name, kind): exposure.bits for (site, kind), exposure in known.items() if exposure.bits}
    found = Counter((drawn.sites[s], KINDS[k]) for s, k in zip(drawn.site, drawn.kind, strict=True))
    assert found.keys() <= bits.keys()
    expected = np.array(list(bits.values())) / sum(bits.values()) * len(ids)
    if len(bits) > 1:
        assert stats.chisquare([found[key] for key in bits], expected).pvalue > ALARM
    by_bit = Counter[tuple[str, int]]()
    for (_, kind), exposure in known.items():
        for bit, count in enumerate((exposure.units[:, None] * exposure.keep).sum(0) * exposure.per_unit):
            by_bit[kind, bit] += int(count)
    exposed = {key: count for key, count in by_bit.items() if count}
    hits = Counter((KINDS[k], int(b)) for k, b in zip(drawn.kind, drawn.bit, strict=True))
    assert hits.keys() <= exposed.keys()
    if len(exposed) > 1:
        shares = np.array(list(exposed.values())) / sum(exposed.values()) * len(ids)
        assert stats.chisquare([hits[key] for key in exposed], shares).pvalue > ALARM


def logits(program: Program, machine: Faulty, ids: np.ndarray) -> torch.Tensor:
    return run(program, images(64)[: len(ids)], machine, ids=torch.from_numpy(ids)).logits


@pytest.mark.parametrize("kind", KINDS_OF_MODEL)
def test_a_run_meets_the_flips_of_its_trace(kind: type) -> None:
    program, faults = tiny_program("int8", kind), Faults(flips=2, seed=1)
    machine = Faulty(Clean(), faults)
    found = logits(program, machine, IDS)
    assert machine.counts.tolist() == [2] * 64
    assert machine.flips is not None
    assert rows_of(machine.flips) == rows_of(trace(program, faults, IDS))
    assert torch.equal(found, logits(program, Faulty(Clean(), trace(program, faults, IDS)), IDS))
    assert (found != run(program, images(64)).logits).any(1).sum() > 5  # flips that do something


def test_an_application_outside_a_run_meets_its_flips() -> None:
    a, b = torch.ones(4, 8, dtype=torch.int8), torch.ones(8, 4, dtype=torch.int8)
    spoiled = [int((Faulty(Clean(), Faults(flips=1, trial=t)).gemm(a, b) != 8).sum()) for t in range(50)]
    assert set(spoiled) == {1}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"flips": 0}, "flips=1 asks for one flip an inference"),
        ({"flips": -1}, "flips=-1: give a number of flips an inference, from 1 to 1,000,000"),
        ({"flips": True}, "flips=True"),
        ({"flips": 1.0}, "flips=1.0"),
        ({"flips": 1, "ber": 1e-8}, "ber=1e-08 with flips=1: give a rate or a count, not both"),
    ],
)
def test_what_is_no_count_is_refused(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Faults(**values)


def test_more_flips_than_bits_are_refused() -> None:
    program = tiny_program("int8")
    few = Where(sites=("head",), bits=("add:int32:31",))
    free = population_of(program.costs, Faults(flips=1, where=few)).exposed
    assert len(trace(program, Faults(flips=free, where=few), np.arange(1))) == free
    with pytest.raises(InputError, match=f"flips={free + 1}: only {free:,} bits of an inference are exposed"):
        trace(program, Faults(flips=free + 1, where=few), np.arange(1))
    with pytest.raises(InputError, match="none of the"):
        trace(
            program,
            Faults(flips=1, kinds=frozenset({"special"}), where=Where(sites=("head",))),
            np.arange(1),
        )


def test_a_count_is_written_in_place_of_a_rate() -> None:
    rate, count = Faults(ber=0.0).as_dict(), Faults(flips=2).as_dict()
    assert count == {"flips": 2, **{name: value for name, value in rate.items() if name != "ber"}}
    assert "flips" not in Faults(ber=1e-3).as_dict()
