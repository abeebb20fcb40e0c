"""The ATen operations that are products of activations: all lower to `Gemm`."""

import torch

from radhard.machine import Gemm
from radhard.operators.aten import lowers

_ATEN = torch.ops.aten

lowers(_ATEN.matmul.default, _ATEN.bmm.default, _ATEN.mm.default)(Gemm)
