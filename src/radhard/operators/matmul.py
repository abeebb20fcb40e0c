"""Products of activations in ATen: all are `Gemm`, the matrix product of the machine."""

import torch

from radhard.machine import Gemm
from radhard.operators.aten import lowers

_ATEN = torch.ops.aten

lowers(_ATEN.matmul.default, _ATEN.bmm.default, _ATEN.mm.default)(Gemm)
