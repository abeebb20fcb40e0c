"""Faults of hardware parts: transient, stuck-at and memory faults, as effects on products and words."""

from radhard.hardware.catalogue import ACCIDENTS, burst, draw_damage, one_bit
from radhard.hardware.fault import Damage, Harm, Products
from radhard.hardware.machine import Damaged, products_of
from radhard.hardware.memory import Upset, draw_upset
from radhard.hardware.permanent import Array, StuckProduct, StuckSum
from radhard.hardware.transient import Area, Exchanged, Misread, Replaced, Struck

__all__ = [
    "ACCIDENTS",
    "Area",
    "Array",
    "Damage",
    "Damaged",
    "Exchanged",
    "Harm",
    "Misread",
    "Products",
    "Replaced",
    "Struck",
    "StuckProduct",
    "StuckSum",
    "Upset",
    "burst",
    "draw_damage",
    "draw_upset",
    "one_bit",
    "products_of",
]
