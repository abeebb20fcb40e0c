"""Refuses weights with NaN, infinite or absurdly large values, and names the parameter."""

from torch import Tensor, nn
from torch.export import ExportedProgram

from radhard.errors import ModelError
from radhard.models.zoo import listed

HUGE = 1e18
"""Beyond it a product of two weights leaves float32's range: no trained model has such a parameter."""

_STATISTICS = ("running_mean", "running_var")


def check_finite(module: nn.Module | ExportedProgram, *, source: str) -> None:
    """Raise ModelError for parameters that are NaN, infinite or beyond HUGE, and for buffers that are NaN.

    Statistics of BatchNorm are as parameters; other buffers may be infinite, as masks of attention are.
    """
    parameters = {key for key, _ in module.named_parameters()}
    state = module.state_dict if isinstance(module, ExportedProgram) else module.state_dict()
    broken = []
    for key, values in state.items():
        if not isinstance(values, Tensor) or not values.is_floating_point():
            continue
        found = values.detach()
        weight = key in parameters or key.endswith(_STATISTICS)
        wrong = ~(found.abs() <= HUGE) if weight else found.isnan()
        if wrong.any():
            broken.append(f"{key} ({int(wrong.sum()):,} of {wrong.numel():,}, such as {float(found[wrong][0]):g})")
    if broken:
        raise ModelError(f"the weights of {source} are not all finite: {listed(broken)}; give a model that is whole")
