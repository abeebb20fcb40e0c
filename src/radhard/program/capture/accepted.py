"""The module that is captured: wrappers are removed, and what torch.export cannot take is refused by name."""

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from radhard.errors import CaptureError, InputError

_INNER = {"OptimizedModule": "_orig_mod"}  # of torch.compile
_WRAPPERS = {
    "OptimizedModule",
    "DataParallel",
    "DistributedDataParallel",
    "AveragedModel",  # torch.optim.swa_utils
    "ModelEma",
    "ModelEmaV2",  # of timm, as the next
    "ModelEmaV3",
}

_EAGER = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")
_PREPARED = ("torch.ao.quantization.observer", "torch.ao.quantization.fake_quantize", "torch.ao.nn.qat")
_FLOATS = "give the float model, which radhard quantises itself, or a program of torchao's PT2E flow"
_BY_LIBRARY = {  # the package that a layer or tensor comes from -> what made it
    "torchao": "by torchao's quantize_",
    "bitsandbytes": "by bitsandbytes",
    "optimum": "by optimum-quanto",
    "auto_gptq": "by GPTQ",
    "awq": "by AWQ",
}


def unwrapped_module(model: nn.Module) -> nn.Module:
    """The module within DataParallel, torch.compile's and such wrappers, which compute what it computes.

    A wrapper with hooks of its own stays.
    """
    while type(model).__name__ in _WRAPPERS and not (model._forward_hooks or model._forward_pre_hooks):
        inner = getattr(model, _INNER.get(type(model).__name__, "module"), None)
        if not isinstance(inner, nn.Module):
            break
        model = inner
    return model


def check_module(model: nn.Module, *, name: str) -> None:
    """Raise CaptureError for a module that cannot be exported, whatever its forward does, with the likely cure."""
    for path, part in model.named_modules():
        for refused in (_scripted, _quantised):
            if reason := refused(part):
                raise CaptureError(f"{name}: {_where(path, part)} {reason}")
    for path, tensor in [*model.named_parameters(), *model.named_buffers()]:
        reason = _without_values(tensor) or _quantised_tensor(tensor)
        if reason:
            raise CaptureError(f"{name}: {path} {reason}")


def check_state(model: nn.Module, *, name: str, device: torch.device) -> None:
    """Raise InputError for a module in training mode, of another dtype than float32 or on another device."""
    training = [(path, part) for path, part in model.named_modules() if part.training]
    if training and not isinstance(model, GraphModule):  # what PT2E made cannot be asked to leave it
        raise InputError(f"{name}: {_where(*training[0])} is in training mode: call model.eval() before capture")
    for path, tensor in model.named_parameters():
        if (tensor.is_floating_point() or tensor.is_complex()) and tensor.dtype != torch.float32:
            dtype = str(tensor.dtype).removeprefix("torch.")
            raise InputError(
                f"{name}: {path} is {dtype}, and programs are made of float32: call model.float() before capture"
            )
        if tensor.device != device:
            raise InputError(
                f"{name}: {path} is on {tensor.device} and the example on {device}: put both on one, as by model.cpu()"
            )


def _where(path: str, part: nn.Module) -> str:
    return f"{path} ({type(part).__name__})" if path else type(part).__name__


def _scripted(part: nn.Module) -> str:
    if isinstance(part, torch.jit.ScriptModule):
        return (
            "is a TorchScript module (torch.jit), which torch.export does not take: give the nn.Module that was "
            "scripted or traced, with its weights by load_state_dict(scripted.state_dict())"
        )
    return ""


def _quantised(part: nn.Module) -> str:
    home = type(part).__module__
    if home.startswith(_EAGER):
        how = "dynamically (torch.ao.quantization.quantize_dynamic)" if ".dynamic" in home else "in eager or FX mode"
        return f"is quantised {how}, which torch.export does not take: {_FLOATS}"
    if home.startswith(_PREPARED) or (home.startswith("torchao") and "bserver" in type(part).__name__):
        return f"belongs to a model that is prepared for quantisation and not yet converted: convert it, or {_FLOATS}"
    library = home.partition(".")[0]
    if library in _BY_LIBRARY and not isinstance(part, GraphModule):
        return f"is quantised {_BY_LIBRARY[library]}, whose arithmetic is not captured: {_FLOATS}"
    return ""


def _quantised_tensor(tensor: Tensor) -> str:
    kinds = [type(tensor), type(tensor.data)]
    made = [_BY_LIBRARY.get(kind.__module__.partition(".")[0]) for kind in kinds]
    how = next((how for how in made if how), None)
    if how is None and tensor.is_quantized:
        how = f"to {tensor.dtype}"
    return f"is a tensor quantised {how}, whose arithmetic is not captured: {_FLOATS}" if how else ""


def _without_values(tensor: Tensor) -> str:
    if isinstance(tensor, nn.parameter.UninitializedParameter | nn.parameter.UninitializedBuffer):
        return "of a lazy module has no shape yet: run the model once on images before capture"
    if tensor.device.type == "meta":
        return "is on the device meta, without values: build the model on cpu, or load its weights with assign=True"
    return ""
