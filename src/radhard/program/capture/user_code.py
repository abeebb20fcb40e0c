"""Finds the line of the user's own code behind a graph node or an error."""

import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.fx import Node

_FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<function>[^\n,]+))?')
_PLACE = re.compile(r"\bat [^\n]+, line \d+")
_LIBRARIES = tuple(
    {
        Path(torch.__file__).parent,
        Path(__file__).parents[2],
        *(Path(folder) for kind, folder in sysconfig.get_paths().items() if kind not in ("data", "include")),
    }
)
_INSTALLED = {"site-packages", "dist-packages"}
_MADE = ("<eval_with_key", "<string>", "<frozen", "<stdin>", "<unknown>")  # what no file holds


def place_of(error: BaseException) -> str:
    """` at FILE, line N, in F: `code`` of the innermost line of the user's in the error's trace; empty where none is.

    The errors that it came of count, and so do the stacks that torch writes into its messages.
    """
    chain = list(_chain(error))
    for one in chain:
        if isinstance(one, SyntaxError) and one.filename and is_users(one.filename):
            return f" at {one.filename}, line {one.lineno}: `{(one.text or '').strip()}`"
    traced = [
        (frame.filename, frame.lineno or 0, frame.name)
        for one in reversed(chain)
        for frame in traceback.extract_tb(one.__traceback__)
        if is_users(frame.filename)
    ]
    if traced:
        return _told(*traced[-1])
    return next((place for one in chain if (place := place_in(str(one)))), "")


def place_in(text: str) -> str:
    """As `place_of`, of a stack of frames in the form of Python's traces."""
    found = [(m["file"], int(m["line"]), m["function"] or "") for m in _FRAME.finditer(text) if is_users(m["file"])]
    return _told(*found[-1]) if found else ""


def place_of_node(node: Node) -> str:
    """As `place_of`, of the line that a node of an exported graph was made for."""
    return place_in(str(node.meta.get("stack_trace") or ""))


def has_place(text: str) -> bool:
    """Whether a message says a place as `place_of` does."""
    return _PLACE.search(text) is not None


def is_users(file: str) -> bool:
    """Whether a file, or a cell of a notebook, is none of Python's, of an installed package or of ours."""
    if file.startswith(_MADE) or not (Path(file).is_file() or linecache.getline(file, 1)):
        return False
    path = Path(file)
    return not _INSTALLED.intersection(path.parts) and not any(path.is_relative_to(folder) for folder in _LIBRARIES)


def first_line(error: BaseException) -> str:
    """What an error says, in one line: its first one that says anything, or the name of its type."""
    lines = [" ".join(line.split()) for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from or after, outermost first."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _told(file: str, line: int, function: str) -> str:
    code = linecache.getline(file, line).strip()
    within = f", in {function}" if function else ""
    return f" at {file}, line {line}{within}" + (f": `{code}`" if code else "")
