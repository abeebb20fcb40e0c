"""From a user's module to a float program: torch.export, attention taken apart, every row attributed.

The module is exported with a dynamic batch and left as it was. The only decomposition is of attention: a fused
`scaled_dot_product_attention` becomes scale, product, mask, softmax, product, so that every word of it has a site.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from radhard.errors import CaptureError, InputError
from radhard.program.anatomy import Anatomy
from radhard.program.lower import lower
from radhard.program.probe import attribute_rows
from radhard.program.program import Program

_ATTENTION = torch.ops.aten.scaled_dot_product_attention.default


def capture(
    model: nn.Module,
    example: Tensor,
    *,
    name: str | None = None,
    anatomy: Mapping[str, tuple[str, str]] | None = None,
) -> Program:
    """`example` [B, ...] float32, any B -> the float program of `model` (in eval mode), for any batch size.

    `anatomy` maps patterns of site names to (layer, module) and overrides the rules. Raises CaptureError if
    torch.export refuses the model, an operation is not registered, or images of a batch are not independent.
    """
    if not isinstance(example, Tensor) or example.dtype != torch.float32 or example.ndim < 2 or not len(example):
        raise InputError("example: give a float32 tensor [B, ...] of at least one image, as the model takes them")
    if model.training:
        raise InputError(f"{type(model).__name__} is in training mode: call model.eval() before capture")
    batch = example[:1].expand(2, *example.shape[1:]).contiguous()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            exported = torch.export.export(model, (batch,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        except Exception as error:  # torch.export raises what the user's forward raises, and a dozen types of its own
            reason = str(error).strip() or type(error).__name__
            raise CaptureError(
                f"torch.export refuses {type(model).__name__} for images {list(example.shape[1:])}: {reason}"
            ) from error
        graph = exported.run_decompositions({_ATTENTION: _attention}).module()
    shape = tuple(example.shape[1:])
    overrides: Anatomy = anatomy or {}
    program = lower(graph, name=name or type(model).__name__, recipe="float", input_shape=shape, anatomy=overrides)
    return attribute_rows(program)


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
    if dropout_p or is_causal or enable_gqa or (attn_mask is not None and attn_mask.dtype == torch.bool):
        raise CaptureError(
            "scaled_dot_product_attention with dropout, is_causal, enable_gqa or a boolean mask: give an additive mask"
        )
    scores = torch.matmul(query * (query.shape[-1] ** -0.5 if scale is None else scale), key.transpose(-2, -1))
    if attn_mask is not None:
        scores = scores + attn_mask
    return torch.matmul(torch.softmax(scores, dim=-1), value)
