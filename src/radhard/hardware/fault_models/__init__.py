"""Fault models of campaigns, one file each: what exactly one upset an inference hits."""

from radhard.hardware.fault_models.array_products import array_products
from radhard.hardware.fault_models.broken_cells import EVERY_PRODUCT, BrokenCell, BrokenCells
from radhard.hardware.fault_models.cell_places import CellPlaces
from radhard.hardware.fault_models.dead_multipliers import DeadMultipliers
from radhard.hardware.fault_models.memory import MemoryUpsets
from radhard.hardware.fault_models.output_words import OutputUpsets
from radhard.hardware.fault_models.registers import RegisterPlaces, RegisterUpsets
from radhard.hardware.fault_models.registry import (
    FaultModelEntry,
    fault_model,
    fault_model_dict,
    fault_model_of,
    fault_model_text,
    fault_models,
    read_fault_model,
)
from radhard.hardware.fault_models.stored_places import StoredPlaces
from radhard.hardware.fault_models.stuck_bits import StuckBits
from radhard.hardware.fault_models.timing_errors import RunningSums, TimingErrors

__all__ = [
    "EVERY_PRODUCT",
    "BrokenCell",
    "BrokenCells",
    "CellPlaces",
    "DeadMultipliers",
    "FaultModelEntry",
    "MemoryUpsets",
    "OutputUpsets",
    "RegisterPlaces",
    "RegisterUpsets",
    "RunningSums",
    "StoredPlaces",
    "StuckBits",
    "TimingErrors",
    "array_products",
    "fault_model",
    "fault_model_dict",
    "fault_model_of",
    "fault_model_text",
    "fault_models",
    "read_fault_model",
]
