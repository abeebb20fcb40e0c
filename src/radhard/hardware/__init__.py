"""Faults of hardware parts: transient, stuck-at and memory faults, as effects on products and words."""

from radhard.hardware.catalogue import FAULT_MODELS, multi_bit, sample_fault, single_bit
from radhard.hardware.fault import FaultEffect, HardwareFault, ImageProducts
from radhard.hardware.machine import FaultyArray, products_of
from radhard.hardware.memory import MultiCellUpset, sample_upset
from radhard.hardware.permanent import Array, StuckProduct, StuckSum
from radhard.hardware.transient import AccumulatorUpset, Area, Misread, Replaced, RowAddressFault

__all__ = [
    "FAULT_MODELS",
    "AccumulatorUpset",
    "Area",
    "Array",
    "FaultEffect",
    "FaultyArray",
    "HardwareFault",
    "ImageProducts",
    "Misread",
    "MultiCellUpset",
    "Replaced",
    "RowAddressFault",
    "StuckProduct",
    "StuckSum",
    "multi_bit",
    "products_of",
    "sample_fault",
    "sample_upset",
    "single_bit",
]
