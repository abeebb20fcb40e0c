"""Bit flips of operations: which bits may flip, their exact sampling, the faulty machine, and traces."""

from radhard.faults.exposure import Exposure, exposed, exposures, patches_of
from radhard.faults.faults import Faults, check_words
from radhard.faults.faulty import Faulty
from radhard.faults.flips import Flips
from radhard.faults.sample import draw_in_parts, expected, trace
from radhard.faults.traces import MOST_ROWS, flip_rows, flips_of, read_trace, replay, write_trace
from radhard.faults.where import EVERYWHERE, NOWHERE, Where, check_patterns, patch_names

__all__ = [
    "EVERYWHERE",
    "MOST_ROWS",
    "NOWHERE",
    "Exposure",
    "Faults",
    "Faulty",
    "Flips",
    "Where",
    "check_patterns",
    "check_words",
    "draw_in_parts",
    "expected",
    "exposed",
    "exposures",
    "flip_rows",
    "flips_of",
    "patch_names",
    "patches_of",
    "read_trace",
    "replay",
    "trace",
    "write_trace",
]
