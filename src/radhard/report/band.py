"""A line of a figure with its interval: rates in 0 ... 1, one a bit error rate."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Band:
    """A rate at each BER, and its interval `low` ... `high`."""

    rate: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
