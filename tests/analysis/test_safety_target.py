"""Verdicts on safety targets, and what is needed for them, by hand."""

import pytest

from radhard.analysis.fmeda import Fmeda, FmedaPart
from radhard.analysis.intervals import Interval
from radhard.analysis.safety_target import TARGETS, needed, target_of
from radhard.errors import InputError


def of(*parts: tuple[str, float, float, float]) -> Fmeda:
    """Parts of (name, raw FIT, lowest AVF, highest AVF)."""
    return Fmeda(
        parts=tuple(
            FmedaPart(name=name, bits=10**6, fit_per_mbit=raw, avf=Interval(rate=(low + high) / 2, low=low, high=high))
            for name, raw, low, high in parts
        )
    )


def test_the_budget_is_the_lesser_of_two() -> None:
    """ASIL-D: 1 % of the raw rate, or 10 FIT."""
    assert target_of("asil-d").budget(of(("a", 300, 0, 1))) == pytest.approx(3)
    assert target_of("asil-d").budget(of(("a", 3000, 0, 1))) == 10
    assert target_of("SIL-2").budget(of(("a", 300, 0, 1))) == pytest.approx(30)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.0, 0.009, "met"),
        (0.0, 0.02, "cannot tell"),
        (0.009, 0.03, "cannot tell"),
        (0.02, 0.03, "not met"),
        (0.0, 0.0, "met"),
    ],
)
def test_a_verdict_is_by_the_limits(low: float, high: float, verdict: str) -> None:
    found, target = of(("a", 100, low, high)), target_of("asil-d")
    assert target.verdict(found) == verdict
    assert (needed(found, target) is None) == (verdict == "met")


def test_what_is_needed_is_enough_and_no_part_more() -> None:
    """100 + 60 + 40 = 200 FIT raw, AVF at most 3 %: 3 + 1.8 + 1.2 FIT of at most 2 (1 %)."""
    found, target = of(("b", 60, 0, 0.03), ("sum", 100, 0, 0.03), ("a", 40, 0, 0.03)), target_of("asil-d")
    need = needed(found, target)
    assert need is not None
    assert need.parts == ("sum", "b")  # without the sum alone 3 FIT are left
    assert need.dc == pytest.approx(1 - (2 - 1.2) / 4.8)
    left = 4.8 * (1 - need.dc) + 1.2
    assert left == pytest.approx(target.budget(found))


def test_the_levels_are_ordered_and_others_refused() -> None:
    assert TARGETS["asil-b"].spfm < TARGETS["asil-c"].spfm < TARGETS["asil-d"].spfm
    assert (TARGETS["sil-2"].fit, TARGETS["sil-3"].fit) == (1e-6 * 1e9, 1e-7 * 1e9)  # PFH an hour, as FIT
    with pytest.raises(InputError, match="target asil-e: choose from asil-b, asil-c, asil-d, sil-2, sil-3"):
        target_of("asil-e")
