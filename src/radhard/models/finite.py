"""Weights that are none: NaN and infinite parameters, named before anything computes with them."""

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from radhard.errors import ModelError

HUGE = 1e18
"""Beyond it a product of two weights leaves float32's range: no trained model has such a parameter."""

_STATISTICS = ("running_mean", "running_var")


def check_finite(module: nn.Module | ExportedProgram, *, name: str) -> None:
    """Raise ModelError for a parameter that is NaN, infinite or beyond HUGE, and for a buffer that is NaN.

    Other buffers may be infinite, as masks of attention are.
    """
    parameters = {key for key, _ in module.named_parameters()}
    state = module.state_dict if isinstance(module, ExportedProgram) else module.state_dict()
    for key, values in state.items():
        values = values.detach() if isinstance(values, Tensor) else values
        if not isinstance(values, Tensor) or not values.is_floating_point():
            continue
        weight = key in parameters or key.endswith(_STATISTICS)
        wrong = ~(values.abs() <= HUGE) if weight else values.isnan()
        if wrong.any():
            first = torch.nonzero(wrong.reshape(-1))[0]
            value = float(values.reshape(-1)[first])
            raise ModelError(
                f"model {name}: {int(wrong.sum()):,} of the {values.numel():,} values of {key!r} are no weights, the "
                f"first of them {value:g}: the file is damaged or its training diverged; load other weights"
            )
