"""timm, torchvision and transformers, imported so that they work beside a torch built without CUDA, too."""

import importlib
import importlib.util
import sys
from types import ModuleType

import torch

from radhard.errors import ModelError

_BROKEN = "operator torchvision::nms does not exist"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []  # a Library's declarations end with the object: it is kept here


def import_timm() -> ModuleType:
    """The module timm, after a torchvision that works. Call this instead of `import timm`."""
    import_torchvision()
    return importlib.import_module("timm")


def import_transformers() -> ModuleType:
    """The module transformers, after a torchvision that works. ModelError where it is not installed."""
    if importlib.util.find_spec("transformers") is None:
        raise ModelError("models of Hugging Face need transformers, which is not installed: pip install 'radhard[hf]'")
    import_torchvision()
    return importlib.import_module("transformers")


def import_torchvision() -> ModuleType:
    """The module torchvision; one that works is left untouched.

    torchvision's wheel is built for CUDA. Beside a CPU build of torch its C++ operators do not load, and it
    then stops at the first registration that names one (pytorch/vision issues 9077 and 9085). On exactly that
    error the operators' schemas are declared and the import is tried again. Models, transforms and data sets
    then work; an operator such as `nms` still raises when called, as it has no implementation.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if _BROKEN not in str(error):
            raise
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]
    if not _declared:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(operator + _SCHEMA)
        _declared.append(library)
    return importlib.import_module("torchvision")
