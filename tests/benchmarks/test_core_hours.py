"""Core-hours from made-up costs, by hand; and the page that they give."""

import pytest
from benchmarks.core_hours import EARLIER, HALF, ROWS, hours_of, processor, written
from benchmarks.faulty import FULL

from radhard.studies.options import RunOptions
from radhard.studies.reproduction.paper_figures import SCHEMES


def row(*, seconds: float = 0.0, **others: float) -> dict[str, object]:
    """A model of 10 layers, 7 modules and 49 patches, whose passes take so many seconds."""
    cases = ("clean", "image", "1e-09", "1e-08", "1e-07", HALF, *SCHEMES)
    return {
        "model": "made up", "processor": "by hand", "load": [0.5, 1.5], "rounds": 2, "layers": 10, "modules": 7,
        "patches": 49, "curve": [1e-9, 1e-8, 1e-7], "rates": [5e-9, 1e-8, 2e-8, 5e-8], "middle": 1e-8,
        "seconds": {case: others.get(case, seconds) for case in cases},
    }  # fmt: skip


def test_every_pass_of_an_hour() -> None:
    """With 3 images, 1 of them for Figs. 9 to 12, and passes of an hour, hours are passes."""
    hours = hours_of(row(seconds=3600.0), run=RunOptions(images=3, trials=1))
    assert hours == pytest.approx(
        {
            "Fig. 2": (3 + 2) * 3,  # three rates, int8 and float without faults
            "search of operating points": (3 * 7 + 7) * 3,  # at three losses by layer, at one by patch
            "Fig. 3": 3 * 11 * 3,
            "Fig. 4": 3 * 8 * 3,
            "Fig. 5": 50 * 3,
            "plans": 4 * 10,
            "Figs. 9 and 10": 4 * 18,
            "Figs. 11 and 12": 4 * 2 * 7,  # six schemes and none
        }
    )
    assert list(hours) == list(ROWS)


def test_each_way_has_its_own_seconds() -> None:
    one = RunOptions(images=3, trials=1)
    curve = hours_of(row(**{"1e-09": 3600.0}), run=one)
    assert {place: value for place, value in curve.items() if value} == {"Fig. 2": 3.0}  # one of its rates
    middle = hours_of(row(**{"1e-08": 3600.0}), run=one)
    assert middle == pytest.approx(
        dict.fromkeys(ROWS, 0.0)
        | {"Fig. 2": 3.0, "search of operating points": 63.0, "Fig. 3": 99.0, "Fig. 4": 72.0, "plans": 40.0}
        | {"Figs. 11 and 12": 8.0}  # with nothing protected
    )
    assert hours_of(row(image=3600.0), run=one) == pytest.approx(
        dict.fromkeys(ROWS, 0.0) | {"search of operating points": 21.0, "Fig. 5": 150.0}
    )
    assert hours_of(row(tmr=3600.0), run=one) == pytest.approx(dict.fromkeys(ROWS, 0.0) | {"Figs. 11 and 12": 8.0})
    assert hours_of(row(**{"lb-abft": 3600.0}), run=one) == pytest.approx(
        dict.fromkeys(ROWS, 0.0) | {"Figs. 11 and 12": 8.0}
    )
    assert hours_of(row(**{HALF: 3600.0}), run=one) == pytest.approx(
        dict.fromkeys(ROWS, 0.0) | {"Figs. 9 and 10": 72.0}  # the steps of plans
    )


def test_the_page_judges_by_its_numbers() -> None:
    cheap, dear = ({name: row(seconds=each) for name in FULL} for each in (1e-4, 10.0))
    assert "The target of 300 is reached" in written(cheap)
    assert "The target of 300 is not reached" in written(dear)
    assert f"{EARLIER:,}" in written(dear)
    assert "by hand" in written(dear)
    assert "load of the machine 0.5 to 1.5." in written(dear)
    assert "Other work ran beside it" not in written(dear)
    assert "Other work ran beside it" in written({"resnet18": row(seconds=1.0) | {"load": [2.0, 4.0]}})
    part = written({"resnet18": row(seconds=1.0)})
    assert "Not measured yet: vit_base_patch16_224" in part
    assert "target of 300" not in part
    assert processor()
