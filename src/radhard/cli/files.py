"""Output files of a command: opened before the work starts, put in place after the results are printed.

What a command writes goes to a new file in a hidden folder beside the target, which is moved there once it is whole. So
a run that fails leaves an old file as it was, and no empty one.
"""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from radhard.errors import InputError, OutputError

SUFFIXES = {"csv": (".csv",), "plot": (".png", ".svg", ".pdf"), "logits": (".safetensors",), "parquet": (".parquet",)}
"""What the name of an output ends in, by the option's name; that of `--out` depends on the command."""

_ROOM = 4096  # bytes that must fit on the disk before hours of work begin


@dataclass(frozen=True, kw_only=True)
class OpenOutput:
    """An open output: written as `draft`, moved to `target`, which the user called `path` in `option`."""

    option: str
    path: Path
    target: Path
    draft: Path

    def put(self, write: Callable[[Path], None]) -> None:
        """Write it and move it to its place, with what was written beside it, such as a figure's caption.

        OutputError if the disk or its owner forbids.
        """
        with _telling(self.option, self.path):
            write(self.draft)
            if self.target.exists():
                shutil.copymode(self.target, self.draft)
            with self.draft.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(self.draft, self.target)
            for other in sorted(self.draft.parent.iterdir()):
                os.replace(other, self.target.with_name(other.name))


class Outputs:
    """The outputs of one command, by the names of their options' parameters."""

    def __init__(self, opened: Mapping[str, OpenOutput]) -> None:
        self._opened = opened

    def end(self, show: Callable[[], None] | None = None, /, **writers: Callable[[Path], None]) -> None:
        """Print the results by `show`, then write each output that is wanted, whatever happens to the others.

        What failed is raised after all of them were tried.
        """
        failures: list[BaseException] = []
        for step in (show or _nothing, *(self._writing(name, write) for name, write in writers.items())):
            try:
                step()
            except (Exception, SystemExit) as error:  # a reader of stdout that went away ends as SystemExit
                failures.append(error)
        if len(failures) > 1 and all(isinstance(error, OutputError) for error in failures):
            raise OutputError("; ".join(str(error) for error in failures))
        if failures:
            raise next((error for error in failures if isinstance(error, OutputError)), failures[0])

    def _writing(self, name: str, write: Callable[[Path], None]) -> Callable[[], None]:
        return lambda: self._opened[name].put(write) if name in self._opened else None


def to_write(
    ctx: typer.Context,
    *,
    csv: Path | None = None,
    plot: Path | None = None,
    logits: Path | None = None,
    parquet: Path | None = None,
    out: Path | None = None,
    suffixes: tuple[str, ...] = (),
    store: Path | None = None,
) -> Outputs:
    """Open what a command is to write until it ends, and remember its `store` for what is said if it is stopped.

    `suffixes`: what the name of `out` may end in. Raises InputError for a name that does not fit, one file for two
    outputs and an output that is an input; OutputError if a file cannot be written.
    """
    asked = {"csv": csv, "plot": plot, "logits": logits, "parquet": parquet, "out": out, "store": store}
    wanted = {name: path for name, path in asked.items() if path is not None}
    for name, path in wanted.items():
        _check_name(path, option=f"--{name}", suffixes={**SUFFIXES, "out": suffixes}.get(name, ()))
    _check_distinct(ctx.params, wanted)
    if "store" in ctx.params:
        ctx.meta["store"] = str(store or "")
    return ctx.with_resource(_drafted({name: path for name, path in wanted.items() if name != "store"}))


def any_of(names: tuple[str, ...]) -> str:
    """`.png, .svg or .pdf`."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _nothing() -> None:
    """Nothing to print."""


@contextmanager
def _drafted(wanted: Mapping[str, Path]) -> Iterator[Outputs]:
    folders: list[Path] = []
    try:
        found = {}
        for name, path in wanted.items():
            with _telling(f"--{name}", path):
                found[name] = _draft(f"--{name}", path, folders=folders)
        yield Outputs(found)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _draft(option: str, path: Path, *, folders: list[Path]) -> OpenOutput:
    target = path.resolve()
    if target.exists():
        if not stat.S_ISREG(target.stat().st_mode):
            raise InputError(f"{option} {path}: that is a folder or a device, not a file; give another name")
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    folders.append(Path(tempfile.mkdtemp(prefix=".radhard-", dir=target.parent)))
    draft = folders[-1] / target.name
    with draft.open("xb") as file:
        file.write(bytes(_ROOM))
        file.flush()
        os.fsync(file.fileno())
    return OpenOutput(option=option, path=path, target=target, draft=draft)


def _check_name(path: Path, *, option: str, suffixes: tuple[str, ...]) -> None:
    if suffixes and path.suffix not in suffixes:
        raise InputError(f"{option} {path}: the file's name must end in {any_of(suffixes)}")
    with _telling(option, path):
        if not path.parent.is_dir():
            raise InputError(f"{option} {path}: the folder {path.parent} does not exist; make it first")


def _check_distinct(params: Mapping[str, Any], wanted: Mapping[str, Path]) -> None:
    """Refuse one file for two outputs, and an output that is an input."""
    known: dict[Path, str] = {}
    for name, path in wanted.items():
        with _telling(f"--{name}", path):
            target = path.resolve()
        if (other := known.setdefault(target, name)) != name:
            raise InputError(f"--{other} and --{name} are the same file, {path}: give each a name of its own")
    for name, values in params.items():
        if name in wanted:
            continue
        for value in values if isinstance(values, list | tuple) else [values]:
            for file in _files(value):
                if (output := known.get(file)) is not None:
                    raise InputError(
                        f"--{output} {wanted[output]} is the file that {_named(name)} reads: give it another name"
                    )


def _files(value: object) -> list[Path]:
    """The files that a text or path of the command line may stand for: FILE, FILE.py:FUNCTION, NAME=FILE."""
    if not isinstance(value, str | Path):
        return []
    text, found = str(value), []
    for part in {text, text.partition("=")[2], text.rpartition(":")[0]} - {""}:
        try:
            if Path(part).is_file():
                found.append(Path(part).resolve())
        except (OSError, ValueError):
            continue
    return found


def _named(parameter: str) -> str:
    return parameter.upper() if parameter in ("model", "models") else f"--{parameter.replace('_', '-')}"


@contextmanager
def _telling(option: str, path: Path) -> Iterator[None]:
    """Turn what the system says of a file into an OutputError that names it and the option."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{option} {path} cannot be written: {error.strerror or error}") from error
    except (ValueError, RuntimeError) as error:  # a null byte; links in a circle
        if isinstance(error, InputError):
            raise
        raise OutputError(f"{option} {path} cannot be written: {error}") from error
