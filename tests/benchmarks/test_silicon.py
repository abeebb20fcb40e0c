"""The silicon stand-in: verdicts by hand, upsets of memory, and known outcomes of fault classes under schemes."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from benchmarks.silicon import CLASSES, DEFENCES, PRODUCTS, SITE, Class, Product, back, measure

from radhard.analysis.intervals import wilson
from radhard.analysis.verdict import VERDICTS, Trial, Verdicts, count_verdicts, judge
from radhard.errors import InputError
from radhard.hardware import MultiCellUpset, sample_upset
from radhard.machine import Clean
from radhard.operators import Linear
from radhard.report.verdicts import Cell, cells_record, draw_verdicts, pooled, verdict_table, verdicts_data, write_cells
from tests.support.protections import int8s

SMALL = Product(
    name="small", operator=Linear(write_back=back(32)), left=(1, 12, 32), right=(10, 32), terms=32, key=9, trials=6
)
WORDS = torch.tensor([1, 2, 3], dtype=torch.int8)
OFF = torch.tensor([1, 2, 4], dtype=torch.int8)


@pytest.mark.parametrize(
    ("bare", "out", "changed", "alarms", "want"),
    [
        (WORDS, WORDS, False, 0, Trial(verdict="masked")),
        (WORDS, WORDS, True, 0, Trial(verdict="benign")),
        (OFF, WORDS, True, 1, Trial(verdict="corrected")),
        (WORDS, WORDS, True, 2, Trial(verdict="corrected")),
        (OFF, OFF, True, 1, Trial(verdict="DUE")),
        (OFF, OFF, True, 0, Trial(verdict="SDC")),
        (OFF, torch.tensor([9, 9, 3], dtype=torch.int8), True, 1, Trial(verdict="DUE", miscorrected=2)),
        (WORDS, OFF, False, 0, Trial(verdict="SDC", miscorrected=1)),
    ],
)
def test_a_verdict(bare: torch.Tensor, out: torch.Tensor, changed: bool, alarms: int, want: Trial) -> None:
    assert judge(clean=WORDS, bare=bare, out=out, changed=changed, alarms=alarms) == want


def test_a_tally_and_its_intervals() -> None:
    found = count_verdicts([Trial(verdict="SDC"), Trial(verdict="DUE", miscorrected=3), Trial(verdict="DUE")])
    assert dict(zip(VERDICTS, found.counts, strict=True)) == {
        "masked": 0, "benign": 0, "corrected": 0, "DUE": 2, "SDC": 1,
    }  # fmt: skip
    assert (found.n, found.miscorrected, found.count("DUE", "SDC")) == (3, 1, 3)
    assert found.share("SDC") == wilson(1 / 3, n=3)
    assert (found + found).counts == (0, 0, 0, 4, 2)
    assert count_verdicts([]).share("SDC").high == 1.0


@pytest.mark.parametrize("mask", [1, 0x80, 0x8000_0000, 0xFF << 12, 0b11 << 7])
def test_an_upset_flips_the_bits_of_one_line(mask: int) -> None:
    words = int8s(3, 5)
    struck = MultiCellUpset(line=2, mask=mask).apply(words)
    before, after = (x.numpy().tobytes() for x in (words, struck))
    want = int.from_bytes(before[8:12], "little") ^ mask
    assert after == before[:8] + want.to_bytes(4, "little") + before[12:]
    assert struck.shape == words.shape
    unsigned = MultiCellUpset(line=2, mask=mask).apply(words.view(torch.uint8))
    assert unsigned.dtype == torch.uint8
    assert torch.equal(unsigned.view(torch.int8), struck)


def test_upsets_are_drawn_and_refused() -> None:
    words = int8s(7, 9)
    drawn = [sample_upset(words, 1, seed=seed) for seed in range(200)]
    assert {upset.line for upset in drawn} == set(range(15))  # the last three words are no whole line
    assert drawn == [sample_upset(words, 1, seed=seed) for seed in range(200)]
    with pytest.raises(InputError, match="63 words have 15 whole ones"):
        MultiCellUpset(line=16, mask=1).apply(words)
    with pytest.raises(InputError, match="int32 words"):
        MultiCellUpset(line=0, mask=1).apply(words.int())
    with pytest.raises(InputError, match="no line of 4"):
        sample_upset(words[0, :3], 1, seed=0)
    with pytest.raises(InputError, match="a word of 32"):
        MultiCellUpset(line=0, mask=0)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return list(measure(SMALL, classes=CLASSES, schemes=list(DEFENCES)))


def counts(cells: list[Cell], fault: str, scheme: str) -> dict[str, int]:
    found = pooled(cells)[fault][scheme]
    return {verdict: found.count(verdict) for verdict in VERDICTS if found.count(verdict)}


def test_without_a_fault_nothing_is_found(cells: list[Cell]) -> None:
    for scheme in DEFENCES:
        assert counts(cells, "no fault", scheme) == {"masked": 6}
        assert pooled(cells)["no fault"][scheme].miscorrected == 0


def test_what_a_scheme_must_and_cannot_do(cells: list[Cell]) -> None:
    """What follows from how a scheme works, whatever the numbers drawn."""
    abft = ("standard ABFT", "intensity-guided, ideal", "Huang-Abraham", "LB-ABFT, leave", "LB-ABFT, intersect",
            "row ABFT")  # fmt: skip
    for name in ("accumulator, one bit", "accumulator, MBU"):
        for scheme in abft:
            assert counts(cells, name, scheme) == {"corrected": 6}
    for name in ("activation in memory before encoding, one bit", "activation in memory before encoding, MBU"):
        for scheme in DEFENCES:  # the product of other words is a sound product
            assert "SDC" in counts(cells, name, scheme)
            assert "DUE" not in counts(cells, name, scheme)
    for scheme in abft:
        assert "SDC" not in counts(cells, "weight in memory, one bit", scheme)
    assert counts(cells, "weight in memory, one bit", "row ABFT") == {"corrected": 6}
    for scheme in ("TMR, word vote", "TMR, bitwise vote"):
        broken = counts(cells, "multiplier of one cell, stuck bit", scheme)
        assert broken == counts(cells, "multiplier of one cell, stuck bit", "none")
        assert "DUE" not in counts(cells, "a tile of C garbled", scheme)
    assert "SDC" not in counts(cells, "multiplier of one cell, stuck bit", "TMR on three units")
    # the sum of a product does not see the order of its rows; sums of single rows do
    assert counts(cells, "two rows exchanged", "LB-ABFT, intersect") == {"SDC": 6}
    assert counts(cells, "two rows exchanged", "Huang-Abraham") == {"DUE": 6}
    assert counts(cells, "two rows exchanged", "TMR, word vote") == {"corrected": 6}


def test_a_weight_is_the_same_in_all_trials_and_other_words_are_not() -> None:
    first, second = SMALL.inputs(0), SMALL.inputs(1)
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], second[0])
    attention = PRODUCTS[1]
    assert not torch.equal(attention.inputs(0)[1], attention.inputs(1)[1])
    assert attention.inputs(0)[2] is None


def test_a_struck_weight_is_sound_again_in_the_next_trial() -> None:
    only = {name: CLASSES[name] for name in ("weight in memory, one bit", "no fault")}
    found = list(measure(replace(SMALL, trials=3), classes=only, schemes=["standard ABFT"]))
    assert counts(found, "no fault", "standard ABFT") == {"masked": 3}


@pytest.mark.parametrize("place", range(4))
def test_products_have_the_sizes_of_their_names(place: int) -> None:
    product = PRODUCTS[place]
    out = Clean().apply(product.operator, product.inputs(0), SITE)
    assert 25 < float(out.double().std()) < 40
    assert float((out.abs() == 127).double().mean()) < 0.01
    assert out.dtype == torch.int8


def test_the_figure_and_the_files(tmp_path: Path) -> None:
    def cell(fault: str, scheme: str, product: str, *sdc: int) -> Cell:
        return Cell(
            fault=fault, scheme=scheme, product=product, tally=Verdicts(counts=(1, 0, 2, 0, *sdc), miscorrected=1)
        )

    cells = [cell(f, s, p, 7) for p in ("x", "y") for f in ("one", "two") for s in ("none", "other")]
    data = verdicts_data(cells)
    assert (data.faults, data.schemes) == (("one", "two"), ("none", "other"))
    assert data.cells["two"]["other"] == Verdicts(counts=(2, 0, 4, 0, 14), miscorrected=2)
    assert data.subtitle.startswith("n = 20 products a cell")
    draw_verdicts(data, tmp_path / "cells.svg")
    assert "70% SDC" in (tmp_path / "cells.svg").read_text()
    draw_verdicts(data, tmp_path / "cells.png")
    assert (tmp_path / "cells.png").stat().st_size > 10_000
    write_cells(cells, tmp_path / "cells.csv")
    with (tmp_path / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert [row["product"] for row in rows] == ["x"] * 4 + ["y"] * 4 + ["all"] * 4
    assert (rows[-1]["n"], rows[-1]["SDC"], rows[-1]["miscorrected"]) == ("20", "14", "2")
    assert float(rows[-1]["SDC_low"]) == pytest.approx(wilson(0.7, n=20).low)
    assert json.loads(json.dumps(cells_record(cells)))[-1]["corrected"] == 4
    table = verdict_table(data, "SDC").splitlines()
    assert table[0] == "| fault | n | none | other |"
    around = wilson(0.7, n=20)
    assert table[3] == f"| two | 20 | {' | '.join([f'70.0% ({100 * around.low:.1f}-{100 * around.high:.1f})'] * 2)} |"
    assert "benign:\n\n| fault" in verdict_table(data)
    assert "0% (0.0-" in verdict_table(data, "benign")
    with pytest.raises(InputError, match="no cells"):
        verdicts_data([])
    with pytest.raises(InputError, match="'one' was not tried under 'other'"):
        verdicts_data([cells[0], cells[3]])


def test_a_class_says_whether_it_hits_a_weight() -> None:
    assert [name for name, kind in CLASSES.items() if kind.stored] == [
        "weight in memory, one bit", "weight in memory, MBU",
    ]  # fmt: skip
    attention = replace(PRODUCTS[1], trials=1)
    stored: dict[str, Class] = {name: kind for name, kind in CLASSES.items() if kind.stored}
    assert list(measure(attention, classes=stored, schemes=["none"])) == []
