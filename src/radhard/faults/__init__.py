"""Faults: what may flip, drawn exactly and the same everywhere, the machine that they hit, and their traces."""

from radhard.faults.draw import draw
from radhard.faults.faults import EVERYWHERE, Faults, Where, check_words
from radhard.faults.faulty import Faulty
from radhard.faults.flips import Flips
from radhard.faults.selected import selected
from radhard.faults.trace import read_trace, replay, write_trace

__all__ = [
    "EVERYWHERE",
    "Faults",
    "Faulty",
    "Flips",
    "Where",
    "check_words",
    "draw",
    "read_trace",
    "replay",
    "selected",
    "write_trace",
]
