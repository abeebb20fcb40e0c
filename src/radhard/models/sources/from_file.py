"""Modules from a user's Python file: `path/to/file.py:function`."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from radhard.errors import CaptureError, ModelError
from radhard.models.checkpoints.checkpoint import read_checkpoint
from radhard.models.data.preprocessing import Preprocessing
from radhard.models.loaded import LoadedModel, Wanted, assumed_normalisation, count_classes
from radhard.models.sources.from_archive import shapes_of
from radhard.models.sources.importing import import_file
from radhard.models.zoo import listed, near
from radhard.program.capture.accepted import check_module, unwrapped_module
from radhard.program.capture.export import answers
from radhard.program.capture.user_code import first_line, place_of

_DEFAULT_SHAPE = (3, 224, 224)


def from_file(wanted: Wanted) -> LoadedModel:
    """Run the file, call the function without arguments, take the module or exported program that it returns.

    Wrappers such as DataParallel are taken off, other floats become float32, and lazy layers get their shapes from
    images of zeros. ModelError for a missing file or function, for what the file raises (with the place in the user's
    code), and for a function that returns anything else.
    """
    path_text, _, function = wanted.name.rpartition(":")
    path = Path(path_text)
    if not path_text or not function:
        raise ModelError(f"model {wanted.name!r}: say which function makes the module, FILE.py:FUNCTION")
    if not path.is_file():
        raise ModelError(f"model {wanted.name!r}: {path} is not a file")
    if wanted.weights == "pretrained":
        raise ModelError(
            f"--pretrained does not apply to {wanted.name}: its function sets the weights, or --checkpoint"
        )
    with _as_users(path, doing="running it"):
        found = import_file(path)
    with _as_users(path, doing=f"calling {function}()"):
        made = _made(found, path, function)
    source = f"as {wanted.name} makes them, seed {wanted.seed}"
    shape = wanted.input_shape or _DEFAULT_SHAPE
    if isinstance(made, ExportedProgram):
        if wanted.checkpoint is not None:
            raise ModelError(
                f"--checkpoint {wanted.checkpoint}: {function}() of {path} made an exported program, which "
                "holds its own weights"
            )
        shape, classes = shapes_of(made, wanted.name)
        module: nn.Module | ExportedProgram = made
    elif isinstance(made, nn.Module):
        module, cast = _ready(unwrapped_module(made), path=path, name=wanted.name, shape=shape)
        if wanted.checkpoint is not None:
            source = read_checkpoint(wanted.checkpoint, key=wanted.checkpoint_key).put(module)
        source += cast
        classes = count_classes(module, shape, name=wanted.name)
    else:
        raise ModelError(f"{function}() of {path} returned a {type(made).__name__}, not a torch.nn.Module")
    mean, std = assumed_normalisation(shape[0])
    fields = ("mean", "std")
    return LoadedModel(
        name=wanted.name,
        module=module,
        input_shape=shape,
        mean=mean,
        std=std,
        classes=classes,
        weights=source,
        preprocessing=Preprocessing(size=shape[1:]),
        assumed=fields if wanted.input_shape else ("input_shape", *fields),
    )


def _made(module: ModuleType, path: Path, function: str) -> Any:
    """What the function of that name returns; a module of that name as it is."""
    made = getattr(module, function, None)
    if isinstance(made, nn.Module):
        return made
    if not callable(made):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ModelError(
            f"{path} has no function {function!r}; it has {listed(names) or 'none'}.{near(function, names)}"
        )
    return made()


def _ready(module: nn.Module, *, path: Path, name: str, shape: tuple[int, int, int]) -> tuple[nn.Module, str]:
    """The module in eval mode and float32, and what its parameters were before. CaptureError for one that cannot be."""
    exported = isinstance(module, torch.fx.GraphModule)  # one is as it was exported, and refuses to be changed
    allowed = contextlib.suppress(NotImplementedError) if exported else contextlib.nullcontext()
    with _as_users(path, doing="in eval()"), allowed:
        module.eval()
    if any(isinstance(p, nn.UninitializedParameter) for p in module.parameters()):
        answers(module, torch.zeros(2, *shape), name=name)
    check_module(module, name=name)
    kinds = {p.dtype for p in module.parameters() if p.is_floating_point()} - {torch.float32}
    if not kinds:
        return module, ""
    names = sorted(str(kind).removeprefix("torch.") for kind in kinds)
    return module.float(), f", {' and '.join(names)} converted to float32"


@contextlib.contextmanager
def _as_users(path: Path, *, doing: str) -> Iterator[None]:
    """Within it the user's code runs: what it prints goes to stderr; what it raises becomes a ModelError."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (ModelError, CaptureError):
        raise
    except (Exception, SystemExit) as error:
        place = place_of(error).removeprefix(f" at {path.resolve()}, ")
        raise ModelError(
            f"{path} raised {type(error).__name__}: {first_line(error)} ({place.removeprefix(' at ') or doing}"
            f"{_hint(error, path)})"
        ) from error


def _hint(error: BaseException, path: Path) -> str:
    """What an import that failed may want."""
    if isinstance(error, ImportError) and "relative import" in str(error):
        return f"; put an __init__.py into {path.parent} and the folders above that belong to the package"
    if isinstance(error, ModuleNotFoundError):
        return f"; modules are looked for beside {path.name}, in the current folder and in what is installed"
    return ""
