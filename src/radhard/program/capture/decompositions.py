"""Decomposes ATen operations until all are registered or cannot be decomposed.

Attention is always taken apart: a fused `scaled_dot_product_attention` becomes scale, product, mask, softmax,
product, so that every word of it has a site. Registered operations stay whole. Any other one is replaced by what it
is made of: by a rule of ours, or by one of torch's.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._decomp import get_decompositions
from torch.export import ExportedProgram
from torch.fx import Node
from torch.utils._pytree import tree_flatten

from radhard.errors import CaptureError
from radhard.operators.aten import is_registered
from radhard.program.lowering.moves import DROPOUT, OF_SIZES
from radhard.program.lowering.windows import adaptive_avg_pool2d, avg_pool3d, col2im

_ATEN = torch.ops.aten
_ATTENTION = _ATEN.scaled_dot_product_attention.default
_ADAPTIVE = (_ATEN.adaptive_avg_pool2d.default, _ATEN._adaptive_avg_pool2d.default)
_ROUNDS = 8


def decomposed(exported: ExportedProgram) -> ExportedProgram:
    """The exported program in registered operations, as far as they can be taken apart."""
    table: dict[Any, Callable[..., Any]] = {_ATTENTION: _attention, **dict.fromkeys(_ADAPTIVE, adaptive_avg_pool2d)}
    tried: set[Any] = set()
    for _ in range(_ROUNDS):
        exported = exported.run_decompositions(table)
        tried |= table.keys()
        table = {op: rule for op in _unknown(exported) - tried if (rule := _rule(op)) is not None}
        if not table:
            break
    return exported


def _unknown(exported: ExportedProgram) -> set[Any]:
    """Operations on the images' data that are not registered."""
    images = set(exported.graph_signature.user_inputs)
    touched: set[Node] = set()
    unknown = set()
    for node in exported.graph.nodes:
        if node.op == "placeholder" and node.name in images:
            touched.add(node)
        elif node.op == "call_function":
            inputs = [leaf for leaf in tree_flatten((node.args, node.kwargs))[0] if isinstance(leaf, Node)]
            if not touched.isdisjoint(inputs):
                if node.target not in OF_SIZES:
                    touched.add(node)
                known = is_registered(node.target) or node.target is DROPOUT
                if isinstance(node.target, torch._ops.OpOverload) and not known:
                    unknown.add(node.target)
    return unknown


def _rule(op: Any) -> Callable[..., Any] | None:
    if op in _OURS:
        return _OURS[op]
    of_export = torch.export.default_decompositions()
    rule: Callable[..., Any] | None = of_export[op] if op in of_export else get_decompositions(_OF_TORCH).get(op)
    return rule


# those of torch's decompositions beyond torch.export's that do the arithmetic that hardware would do
_OF_TORCH = (
    _ATEN.elu.default,
    _ATEN.leaky_relu.default,
    _ATEN._log_softmax.default,
    _ATEN.upsample_bilinear2d.vec,
)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: Any = False,
    *,
    scale: float | None = None,
    enable_gqa: Any = False,
) -> Tensor:
    """Attention as its parts: softmax(query * scale @ key^T + mask) @ value."""
    if dropout_p:
        raise CaptureError(f"scaled_dot_product_attention with dropout {dropout_p}: call model.eval() before capture")
    if enable_gqa:
        shared = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(shared, -3), value.repeat_interleave(shared, -3)
    scores = torch.matmul(query * (query.shape[-1] ** -0.5 if scale is None else scale), key.transpose(-2, -1))
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(attn_mask.logical_not(), -math.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return torch.matmul(torch.softmax(scores, dim=-1), value)


def _addcmul(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Tensor:
    return x + a * b if value == 1 else x + a * b * value


def _addmm(x: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    product = a @ b if alpha == 1 else (a @ b) * alpha
    return product + (x if beta == 1 else x * beta)


def _conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = (1,),
    padding: Any = (0,),
    dilation: Any = (1,),
    groups: int = 1,
) -> Tensor:
    """A convolution along one axis is one along two, of which one has size 1."""
    out: Tensor = _ATEN.conv2d.default(
        x.unsqueeze(2), weight.unsqueeze(2), bias, [1, *stride], [0, *padding], [1, *dilation], groups
    )
    return out.squeeze(2)


def _vector_norm(x: Tensor, order: float = 2, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Tensor:
    if order != 2 or dtype not in (None, torch.float32):
        raise CaptureError(f"a vector norm of order {order} in {dtype}: order 2 in float32 is known")
    out: Tensor = _ATEN.sum.dim_IntList(x * x, dim, keepdim)
    return out.sqrt()


def _variance(x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: Any = False) -> Tensor:
    axes = list(range(x.ndim)) if dim is None else [d % x.ndim for d in dim]
    count = math.prod(x.shape[d] for d in axes)
    centred = x - x.mean(axes, keepdim=True)
    out: Tensor = _ATEN.sum.dim_IntList(centred * centred, axes, keepdim)
    return out / (count - (1 if correction is None else correction))


_OURS: dict[Any, Callable[..., Any]] = {
    _ATEN.addcmul.default: _addcmul,
    _ATEN.addmm.default: _addmm,
    _ATEN.avg_pool3d.default: avg_pool3d,
    _ATEN.col2im.default: col2im,
    _ATEN.baddbmm.default: _addmm,
    _ATEN.conv1d.default: _conv1d,
    _ATEN.linalg_vector_norm.default: _vector_norm,
    _ATEN.var.correction: _variance,
}
