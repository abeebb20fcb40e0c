"""A module that the user's own Python file makes: `path/to/file.py:function`."""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from radhard.errors import ModelError
from radhard.models.checkpoint import put_weights, read_checkpoint, unwrapped
from radhard.models.loaded import LoadedModel, Wanted, assumed_normalisation, count_classes
from radhard.models.preprocessing import Preprocessing
from radhard.models.zoo import listed, near

_DEFAULT_SHAPE = (3, 224, 224)


def from_file(wanted: Wanted) -> LoadedModel:
    """Run the file, call the function without arguments, take the module that it returns.

    The file's folder is importable while it runs. ModelError for a missing file or function, for what the file
    raises (with the place in it), and for a function that returns no module.
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
    with _importable(path.parent):
        made = _within(path, lambda: _call(path, function), doing=f"{function}()")
    if not isinstance(made, nn.Module):
        raise ModelError(f"{function}() of {path} returned a {type(made).__name__}, not a torch.nn.Module")
    module = made.float().eval()
    source = f"as {wanted.name} makes them, seed {wanted.seed}"
    if wanted.checkpoint is not None:
        checkpoint = read_checkpoint(wanted.checkpoint)
        put_weights(module, unwrapped(checkpoint.tensors, module.state_dict().keys()), source=checkpoint.path)
        source = str(checkpoint)
    shape = wanted.input_shape or _DEFAULT_SHAPE
    mean, std = assumed_normalisation(shape[0])
    fields = ("mean", "std")
    return LoadedModel(
        name=wanted.name,
        module=module,
        input_shape=shape,
        mean=mean,
        std=std,
        classes=count_classes(module, shape, name=wanted.name),
        weights=source,
        preprocessing=Preprocessing(size=shape[1:]),
        assumed=fields if wanted.input_shape else ("input_shape", *fields),
    )


def _call(path: Path, function: str) -> Any:
    """Run the file as a module of its own and call its function."""
    name = f"radhard_model_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ModelError(f"{path} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where classes of the file look themselves up
    spec.loader.exec_module(module)
    made = getattr(module, function, None)
    if not callable(made):
        names = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise ModelError(
            f"{path} has no function {function!r}; it has {listed(names) or 'none'}.{near(function, names)}"
        )
    return made()


def _within(path: Path, work: Callable[[], Any], *, doing: str) -> Any:
    """What `work` returns. What it raises becomes a ModelError that shows the place in the user's file."""
    try:
        return work()
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(
            f"{path} raised {type(error).__name__}: {error} ({_place(error, path, doing=doing)})"
        ) from error


def _place(error: BaseException, path: Path, *, doing: str) -> str:
    """The innermost line of the user's file in the traceback."""
    if isinstance(error, SyntaxError) and error.filename == str(path.resolve()):
        return f"line {error.lineno}: {(error.text or '').strip()}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path.resolve()]
    return f"line {frames[-1].lineno}, in {frames[-1].name}: {frames[-1].line}" if frames else f"calling {doing}"


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Within it, the folder's modules can be imported, as when Python runs a file of it."""
    entry = str(folder.resolve())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
