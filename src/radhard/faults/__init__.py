"""Faults: what may flip, drawn exactly and the same everywhere, the machine that they hit, and their traces.

Beside flips there is damage: broken parts and strikes that hit more than a bit, and the machine that has it.
"""

from radhard.faults.accidents import ACCIDENTS, burst, draw_damage, one_bit
from radhard.faults.broken import Array, StuckProduct, StuckSum
from radhard.faults.damage import Damage, Harm, Products
from radhard.faults.damaged import Damaged, products_of
from radhard.faults.draw import draw, draw_in_parts, expected
from radhard.faults.exposure import Exposure, exposed, exposures, patches_of
from radhard.faults.faults import Faults, check_words
from radhard.faults.faulty import Faulty
from radhard.faults.flips import Flips
from radhard.faults.memory import Upset, draw_upset
from radhard.faults.strikes import Area, Exchanged, Misread, Replaced, Struck
from radhard.faults.trace import MOST_ROWS, read_trace, replay, write_trace
from radhard.faults.where import EVERYWHERE, NOWHERE, Where, check_patterns, patch_names

__all__ = [
    "ACCIDENTS",
    "EVERYWHERE",
    "MOST_ROWS",
    "NOWHERE",
    "Area",
    "Array",
    "Damage",
    "Damaged",
    "Exchanged",
    "Exposure",
    "Faults",
    "Faulty",
    "Flips",
    "Harm",
    "Misread",
    "Products",
    "Replaced",
    "Struck",
    "StuckProduct",
    "StuckSum",
    "Upset",
    "Where",
    "burst",
    "check_patterns",
    "check_words",
    "draw",
    "draw_damage",
    "draw_in_parts",
    "draw_upset",
    "expected",
    "exposed",
    "exposures",
    "one_bit",
    "patch_names",
    "patches_of",
    "products_of",
    "read_trace",
    "replay",
    "write_trace",
]
