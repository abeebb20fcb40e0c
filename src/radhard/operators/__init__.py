"""Every operator once: its text over a machine's primitives, its unit, its fused kernel."""

from radhard.machine import Add, Gemm, Load, Mul, Sum, WriteBack
from radhard.operators.conv2d import Conv2d
from radhard.operators.elementwise import Div, Identity
from radhard.operators.gelu import Gelu
from radhard.operators.layer_norm import LayerNorm
from radhard.operators.linear import Linear
from radhard.operators.pooling import AvgPool2d, Mean
from radhard.operators.quantized import Quantized, scale_of
from radhard.operators.softmax import Softmax

__all__ = [
    "Add",
    "AvgPool2d",
    "Conv2d",
    "Div",
    "Gelu",
    "Gemm",
    "Identity",
    "LayerNorm",
    "Linear",
    "Load",
    "Mean",
    "Mul",
    "Quantized",
    "Softmax",
    "Sum",
    "WriteBack",
    "scale_of",
]
