"""Operators, one file each: definition over a machine's primitives, unit, kernel, ATen names.

A file of this package that has an operator under `@lowers(...)` is known to capture: all files are imported here.
"""

import importlib as _importlib
import pkgutil as _pkgutil

import radhard.operators.aten as _aten
from radhard.kernels.affine import Affine, affine_of
from radhard.machine import Add, Gemm, Load, Mul, Sum, WriteBack
from radhard.operators.aten import Lowered, lowers
from radhard.operators.batch_norm import BatchNorm
from radhard.operators.conv2d import Conv2d
from radhard.operators.elementwise import Div, Function, Identity, Power, RealPower
from radhard.operators.gelu import Gelu
from radhard.operators.group_norm import GroupNorm
from radhard.operators.hard import Clamp, HardSigmoid, HardSwish
from radhard.operators.layer_norm import LayerNorm
from radhard.operators.linear import Linear
from radhard.operators.pooling import AvgPool2d, Mean
from radhard.operators.quantized import Quantized
from radhard.operators.rms_norm import RmsNorm
from radhard.operators.sigmoid import Sigmoid, Silu
from radhard.operators.softmax import Softmax

__all__ = [
    "Add",
    "Affine",
    "AvgPool2d",
    "BatchNorm",
    "Clamp",
    "Conv2d",
    "Div",
    "Function",
    "Gelu",
    "Gemm",
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LayerNorm",
    "Linear",
    "Load",
    "Lowered",
    "Mean",
    "Mul",
    "Power",
    "Quantized",
    "RealPower",
    "RmsNorm",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Sum",
    "WriteBack",
    "affine_of",
    "lowers",
]

for _file in _pkgutil.iter_modules(__path__, f"{__name__}."):
    _importlib.import_module(_file.name)
_aten.claim_ours()
