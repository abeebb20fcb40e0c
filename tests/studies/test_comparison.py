"""The verb `compare`: pairs against the accuracies of their schemes, layers as far as needed, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from radhard.errors import InputError
from radhard.protection import read_method
from radhard.studies.comparison import Compared, compare
from radhard.studies.options import CompareOptions, RunOptions
from tests.support.planned import RATE, RUN, data
from tests.support.verbs import Told, network


def compared(ber: float = RATE, run: RunOptions = RUN, progress: Told | None = None, **options: Any) -> Compared:
    chosen = CompareOptions(**{"schemes": ("row-abft", "tmr:ranges=none"), **options})
    return compare(network(), data(), ber=ber, compare_options=chosen, run=run, progress=progress)


def test_pairs_are_differences_of_accuracies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compared()
    outcomes = {(o.configuration.name, o.configuration.amount): o for o in found.evaluation.outcomes}
    assert {name for name, _ in outcomes} == {"float program", "unprotected", "row-abft", "tmr:ranges=none"}
    (pair,) = found.evaluation.pairs
    assert (pair.configuration, pair.reference, found.reference) == ("tmr:ranges=none", "row-abft", "row-abft")
    accuracies = [outcomes[name, RATE].point.accuracy for name in ("tmr:ranges=none", "row-abft")]
    assert pair.difference.rate == pytest.approx(accuracies[0] - accuracies[1])
    assert len({outcomes[name, RATE].point.flips for name in ("unprotected", "row-abft")}) == 1  # the same faults
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["pairs"][0]["relation"] == pair.relation
    assert len(found.rows()) == len(record["configurations"]) == len(outcomes)
    assert repr(found).startswith("<Compared: Sequential: 2 schemes at 1 rates on 60 images; of 1 pairs with row-abft ")
    found.plot(tmp_path / "x.svg")
    axes = plt.figure().subplots()
    found.plot(axes)
    assert axes.get_xlabel() == "points more than row-abft"
    assert capsys.readouterr() == ("", "")


def test_what_is_needed_is_chosen_on_other_images() -> None:
    told = Told()
    found = compared(
        extent="needed", max_loss=5, select=40, run=RunOptions(trials=1, batch=100, chunk=50), progress=told
    )
    assert found.evaluation.on.images == 280  # of 320, the others choose
    assert "the first 280 of them evaluate: the next one chooses layers (images, select)" in told.notes
    notes = {o.configuration.name: o.configuration.note for o in found.evaluation.outcomes if o.configuration.amount}
    assert notes["unprotected"] == ""
    for name in ("row-abft", "tmr:ranges=none"):
        assert notes[name].endswith(" of 2 products")
    with pytest.raises(InputError, match=r"^20 of the 300 images .* are among the 40 that choose layers"):
        compared(extent="needed", select=40, run=RunOptions(images=300, trials=1))


def test_no_scheme_is_cut_short_by_its_name() -> None:
    schemes = (read_method("none:ranges=none"), read_method("row-abft:ranges=none"))
    found = compared(schemes=schemes, reference="row-abft:ranges=none", extent="needed", max_loss=0, select=40)
    by = {o.configuration.name: o for o in found.evaluation.outcomes if o.configuration.amount}
    assert by["none:ranges=none"].point == by["unprotected"].point
    assert by["none:ranges=none"].spent is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"schemes": ()}, "name one scheme or more"),
        ({"schemes": ("tmr", "tmr")}, "each once"),
        ({"schemes": ("luck",)}, "scheme 'luck' is not known"),
        ({"reference": "dmr"}, "reference dmr: it is none of schemes; choose from row-abft, tmr"),
        ({"margin": 0.0}, "margin 0: give percentage points above 0"),
        ({"max_loss": -1.0}, "max_loss -1: give percent from 0 on"),
        ({"ber": 2.0}, "ber 2: it is a probability"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        compared(**options)
