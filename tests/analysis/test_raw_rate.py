"""What a bit error rate means in FIT a Mbit, by hand."""

import pytest

from radhard.analysis.raw_rate import ber_of, fit_per_megabit
from radhard.errors import InputError


def test_by_hand() -> None:
    """100 FIT/Mbit is 100 / (10^9 h x 3600 s x 10^6 bits x 10^9 cycles) = 2.78e-26 a bit and cycle."""
    assert ber_of(100, clock=1e9) == pytest.approx(100 / 3.6e27)
    assert fit_per_megabit(2.8e-26, clock=1e9) == pytest.approx(100.8)
    assert fit_per_megabit(ber_of(7.5, clock=3e8), clock=3e8) == pytest.approx(7.5)
    assert fit_per_megabit(0.0, clock=1.0) == 0


@pytest.mark.parametrize(
    ("ber", "clock", "words"), [(-1.0, 1e9, "ber=-1"), (1e-8, 0.0, "clock=0"), (1.0, float("inf"), "clock=inf")]
)
def test_what_is_none_is_refused(ber: float, clock: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit_per_megabit(ber, clock=clock)
