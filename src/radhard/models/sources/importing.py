"""Imports a user's Python file as a module of its package, with its neighbours importable.

A file in a package (folders with `__init__.py` upwards, or as many as its relative imports climb) is imported as part
of it; any other is a module of its own. While it is imported, other modules are found, in this order, in the folder of
the package or file, the current folder, the root of the project (pyproject.toml, setup.py, .git) and its `src`, and the
file's own folder. Names of the standard library and of what radhard itself imports keep their meaning.
"""

import ast
import contextlib
import hashlib
import importlib
import importlib.abc
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from radhard.errors import ModelError
from radhard.models.vision import repair_on_import

_OURS = frozenset(
    {"radhard", "torch", "torchvision", "torchao", "timm", "transformers", "safetensors", "huggingface_hub", "numpy"}
    | {"numba", "scipy", "pyarrow", "matplotlib", "PIL", "rich", "typer"}
)
_PROJECT = ("pyproject.toml", "setup.py", "setup.cfg", ".git")
_brought: set[str] = set()  # the top-level modules that users' files have imported
_seen: list[str] = []  # the folders of the last file, which stay at the end of sys.path for imports in forward


def import_file(path: Path) -> ModuleType:
    """Run the file and give its module; what it raises passes through. ModelError where it is no Python file."""
    file = path.resolve()
    if file.suffix != ".py":
        raise ModelError(f"{path} is not a Python file: its name must end in .py")
    package, root = _package(file)
    with _importable(_folders(file, root)):
        if package:
            return importlib.import_module(package)
        return _run(file)


def _run(file: Path) -> ModuleType:
    """The file as a module of its own, run anew; its name is of its path, so that two of one name do not meet."""
    digest = hashlib.sha256(os.fsencode(file)).hexdigest()[:8]
    name = f"radhard_model_{re.sub(r'[^0-9A-Za-z_]', '_', file.stem)}_{digest}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where classes of the file look themselves up
    spec.loader.exec_module(module)
    return module


def _package(file: Path) -> tuple[str, Path]:
    """The name under which a file in a package is imported and the folder that holds it; else "" and its own."""
    depth = _climbs(file)
    parts = [] if file.stem == "__init__" else [file.stem]
    folder, level = file.parent, 0
    while folder.parent != folder and "." not in folder.name and ((folder / "__init__.py").is_file() or level < depth):
        parts.insert(0, folder.name)
        folder, level = folder.parent, level + 1
    return (".".join(parts), folder) if level and "." not in file.stem else ("", file.parent)


def _climbs(file: Path) -> int:
    """How many folders the file's relative imports take for packages."""
    try:
        nodes = ast.walk(ast.parse(file.read_bytes()))
    except (SyntaxError, ValueError):
        return 0  # told when the file is run
    return max((node.level for node in nodes if isinstance(node, ast.ImportFrom)), default=0)


def _folders(file: Path, root: Path) -> list[str]:
    """Where modules are looked for, in order, each once."""
    project = next((folder for folder in file.parents if any((folder / name).exists() for name in _PROJECT)), None)
    around = [] if project is None else [project, project / "src"]
    folders = [root, Path.cwd(), *around, file.parent]
    return list(dict.fromkeys(str(folder.resolve()) for folder in folders if folder.is_dir()))


@contextlib.contextmanager
def _importable(folders: Sequence[str]) -> Iterator[None]:
    """Within it, modules are found in `folders` first; afterwards last, for what a forward imports.

    Modules in sys.modules whose names now mean another file are forgotten; those that are installed come back after.
    """
    before = [entry for entry in sys.path if entry not in _seen]
    sys.path[:] = [*folders, *before]
    importlib.invalidate_caches()
    installed = _forget(folders)
    others = set(sys.modules)
    known = _Known(folders)
    sys.meta_path.insert(0, known)
    repair_on_import()
    try:
        yield
    finally:
        sys.meta_path.remove(known)
        added = [entry for entry in sys.path if entry not in before and entry not in folders]  # by the file itself
        _seen[:] = [folder for folder in folders if folder not in before]
        sys.path[:] = [*added, *before, *_seen]
        _brought.update({name.partition(".")[0] for name in sys.modules} - others)
        sys.modules.update(installed)


def _forget(folders: Sequence[str]) -> dict[str, ModuleType]:
    """Drop from sys.modules what is imported otherwise now; those of them that are installed packages."""
    names = {entry.partition(".")[0] for folder in folders for entry in os.listdir(folder)}
    installed = {}
    for name in sorted((names | _brought).intersection(sys.modules) - sys.stdlib_module_names - _OURS - {"__main__"}):
        origin = _origin(getattr(sys.modules[name], "__spec__", None))
        if not origin or _origin(PathFinder.find_spec(name, sys.path)) == origin:
            continue
        for other in [other for other in sys.modules if other == name or other.startswith(f"{name}.")]:
            module = sys.modules.pop(other)
            if "site-packages" in origin:
                installed[other] = module
    return installed


def _origin(spec: ModuleSpec | None) -> str:
    """The file of a module, or the first folder of a package without one."""
    if spec is None:
        return ""
    if spec.origin and spec.has_location:
        return spec.origin
    return next(iter(spec.submodule_search_locations or ()), "")


class _Known(importlib.abc.MetaPathFinder):
    """Finds modules of the standard library and radhard's dependencies where they are installed, not in `folders`."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = set(folders)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The installed module's spec; None for any other name."""
        if path is not None or fullname not in sys.stdlib_module_names | _OURS:
            return None
        return PathFinder.find_spec(fullname, [entry for entry in sys.path if entry not in self._folders], target)
