"""Imports timm, torchvision and transformers so that they also work with a torch built without CUDA."""

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from radhard.errors import ModelError

_BROKEN = "operator torchvision::nms does not exist"
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_LIBRARIES = ("timm", "torchvision")
_imported: set[str] = set()  # those that were first imported here
_declared: list[Any] = []  # a torch.library.Library's declarations end with the object: it is kept here


def import_timm() -> ModuleType:
    """The module timm, after a torchvision that works. Call this instead of `import timm`."""
    import_torchvision()
    return _import("timm")


def import_transformers() -> ModuleType:
    """The module transformers, after a torchvision that works. ModelError where it is not installed."""
    if importlib.util.find_spec("transformers") is None:
        raise ModelError("models of Hugging Face need transformers, which is not installed: pip install 'radhard[hf]'")
    import_torchvision()
    return importlib.import_module("transformers")


def import_torchvision() -> ModuleType:
    """The module torchvision; one that works is left untouched. Whoever imports it first gets it so."""
    repair_on_import()
    return _import("torchvision")


def imported_by_others() -> bool:
    """Whether a program has imported timm or torchvision itself, before this module did: it may have changed them."""
    return any(name in sys.modules and name not in _imported for name in _LIBRARIES)


def _import(name: str) -> ModuleType:
    if name not in sys.modules:
        _imported.add(name)
    return importlib.import_module(name)


def repair_on_import() -> None:
    """From now on, in this process, the first import of torchvision is repaired where it needs to be.

    torchvision's wheel is built for CUDA. Beside a CPU build of torch its C++ operators do not load, and it
    then stops at the first registration that names one (pytorch/vision issues 9077 and 9085). On exactly that
    error the operators' schemas are declared and the import is tried again. Models, transforms and data sets
    then work; an operator such as `nms` still raises when called, as it has no implementation.
    """
    found = next((finder for finder in sys.meta_path if isinstance(finder, _Finder)), None) or _Finder()
    sys.meta_path[:] = [found, *(finder for finder in sys.meta_path if finder is not found)]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds torchvision where Python finds it, and has it loaded by `_Loader`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """torchvision's spec; None for any other module."""
        if fullname != "torchvision":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((one for one in found if one is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """Another loader, and once more after the repair where torchvision does not find its operators."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the other loader."""
        module: ModuleType | None = self._inner.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run torchvision's own code, a second time if that is what it takes."""
        try:
            self._inner.exec_module(module)
        except RuntimeError as error:
            if _BROKEN not in str(error):
                raise
        else:
            return
        for name in [name for name in sys.modules if name.startswith("torchvision.")]:
            del sys.modules[name]
        if not _declared:
            import torch

            library = torch.library.Library("torchvision", "FRAGMENT")
            for operator in ("nms", "qnms"):
                library.define(operator + _SCHEMA)
            _declared.append(library)
        self._inner.exec_module(module)
