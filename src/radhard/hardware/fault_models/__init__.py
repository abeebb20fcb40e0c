"""Fault models of campaigns, one file each: what exactly one upset an inference hits."""

from radhard.hardware.fault_models.cell_places import CellPlaces
from radhard.hardware.fault_models.memory import MemoryUpsets
from radhard.hardware.fault_models.output_words import OutputUpsets
from radhard.hardware.fault_models.registers import RegisterPlaces, RegisterUpsets, array_products
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

__all__ = [
    "CellPlaces",
    "FaultModelEntry",
    "MemoryUpsets",
    "OutputUpsets",
    "RegisterPlaces",
    "RegisterUpsets",
    "StoredPlaces",
    "array_products",
    "fault_model",
    "fault_model_dict",
    "fault_model_of",
    "fault_model_text",
    "fault_models",
    "read_fault_model",
]
