"""Raw failure rates, FIT a Mbit, and the bit error rate a bit and cycle that they mean at a clock.

FIT counts failures in 10^9 hours, a Mbit has 10^6 bits. A bit that flips with probability `ber` in each cycle does so
`ber` x clock x 3600 times an hour.
"""

from radhard.errors import InputError

_BIT_HOURS = 1e9 * 1e6 * 3600  # hours of a FIT, bits of a Mbit, seconds of an hour


def fit_per_megabit(ber: float, clock: float) -> float:
    """The raw rate, FIT a Mbit, of bits that flip with probability `ber` in each cycle of a `clock` in Hz.

    >>> from radhard.analysis.raw_rate import fit_per_megabit
    >>> print(f"{fit_per_megabit(2.8e-26, clock=1e9):.0f}")  # about that of SRAM at sea level
    101
    >>> print(f"{fit_per_megabit(1e-8, clock=1e9):.1e}")  # a rate of low voltage or broken silicon
    3.6e+19
    """
    _check(ber, clock, what="ber")
    return ber * clock * _BIT_HOURS


def ber_of(rate: float, clock: float) -> float:
    """The probability that a bit flips in a cycle of a `clock` in Hz, at a raw `rate` in FIT a Mbit.

    >>> from radhard.analysis.raw_rate import ber_of
    >>> print(f"{ber_of(100, clock=1e9):.2g}")
    2.8e-26
    """
    _check(rate, clock, what="rate")
    return rate / (clock * _BIT_HOURS)


def _check(value: float, clock: float, *, what: str) -> None:
    if not value >= 0:
        raise InputError(f"{what}={value}: give a rate from 0 on")
    if not 0 < clock < float("inf"):
        raise InputError(f"clock={clock}: give the clock in Hz, above 0, such as 1e9")
