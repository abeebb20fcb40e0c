"""Converts percent and percentage points to shares."""

from radhard.errors import InputError


def share(percent: float, *, option: str) -> float:
    """`2` -> 0.02. InputError names the option for what is below 0 or not finite."""
    if not 0 <= percent < float("inf"):
        raise InputError(f"{option} {percent:g}: give percent from 0 on, such as 2")
    return percent / 100
