"""Faults of hardware parts: upsets of registers and memories, stuck bits, as effects on products and words."""

from radhard.hardware.catalogue import FAULT_MODELS, multi_bit, sample_fault, single_bit
from radhard.hardware.cell_shapes import CellShape, CellShapes, cell_presets, read_cell_shapes
from radhard.hardware.cell_upset import CellUpset
from radhard.hardware.effective_upset import EffectiveUpsets
from radhard.hardware.fault import FaultEffect, HardwareFault, ImageProducts
from radhard.hardware.fault_model import FaultModel, SingleUpset, UpsetPlaces, detected, event_of
from radhard.hardware.fault_models import (
    EVERY_PRODUCT,
    BrokenCell,
    BrokenCells,
    CellPlaces,
    DeadMultipliers,
    MemoryUpsets,
    OutputUpsets,
    RegisterUpsets,
    StoredPlaces,
    StuckBits,
    TimingErrors,
    array_products,
    fault_model,
    fault_model_dict,
    fault_model_of,
    fault_model_text,
    fault_models,
    read_fault_model,
)
from radhard.hardware.machine import FaultyArray, products_of
from radhard.hardware.memory import MultiCellUpset, sample_upset
from radhard.hardware.npu import Npu, presets, read_npu
from radhard.hardware.output_upset import OutputUpset
from radhard.hardware.permanent import Array, StuckProduct, StuckSum
from radhard.hardware.register_duty import RegisterDuty, register_duties
from radhard.hardware.register_sampler import sample_register_upset, sample_register_upsets
from radhard.hardware.register_upset import RegisterUpset
from radhard.hardware.stored_weight_upset import StoredWeightUpset
from radhard.hardware.stuck_at import StuckAt
from radhard.hardware.systolic import Register, SystolicArray
from radhard.hardware.timing_error import TimingError
from radhard.hardware.transient import AccumulatorUpset, Area, Misread, Replaced, RowAddressFault
from radhard.hardware.upset_machine import UpsetMachine
from radhard.hardware.upset_table import UpsetRows, read_upsets, upset_rows, upsets_of, write_upsets
from radhard.hardware.word_memory import WordMemory
from radhard.hardware.word_upset import WordArray

__all__ = [
    "EVERY_PRODUCT",
    "FAULT_MODELS",
    "AccumulatorUpset",
    "Area",
    "Array",
    "BrokenCell",
    "BrokenCells",
    "CellPlaces",
    "CellShape",
    "CellShapes",
    "CellUpset",
    "DeadMultipliers",
    "EffectiveUpsets",
    "FaultEffect",
    "FaultModel",
    "FaultyArray",
    "HardwareFault",
    "ImageProducts",
    "MemoryUpsets",
    "Misread",
    "MultiCellUpset",
    "Npu",
    "OutputUpset",
    "OutputUpsets",
    "Register",
    "RegisterDuty",
    "RegisterUpset",
    "RegisterUpsets",
    "Replaced",
    "RowAddressFault",
    "SingleUpset",
    "StoredPlaces",
    "StoredWeightUpset",
    "StuckAt",
    "StuckBits",
    "StuckProduct",
    "StuckSum",
    "SystolicArray",
    "TimingError",
    "TimingErrors",
    "UpsetMachine",
    "UpsetPlaces",
    "UpsetRows",
    "WordArray",
    "WordMemory",
    "array_products",
    "cell_presets",
    "detected",
    "event_of",
    "fault_model",
    "fault_model_dict",
    "fault_model_of",
    "fault_model_text",
    "fault_models",
    "multi_bit",
    "presets",
    "products_of",
    "read_cell_shapes",
    "read_fault_model",
    "read_npu",
    "read_upsets",
    "register_duties",
    "sample_fault",
    "sample_register_upset",
    "sample_register_upsets",
    "sample_upset",
    "single_bit",
    "upset_rows",
    "upsets_of",
    "write_upsets",
]
