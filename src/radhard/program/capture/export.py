"""Exports a module by the first mode of torch.export that works; the error of all modes is one line.

Modes are tried in turn: non-strict, which runs the module's own Python, then strict, which compiles it. A forward may
take its images by `*args` or by keyword alone: the form of the call is read from its signature.
"""

import contextlib
import inspect
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from radhard.errors import CaptureError
from radhard.program.capture.user_code import first_line, is_users, place_of

_MODES: tuple[dict[str, Any], ...] = ({"strict": False}, {"strict": True})
_DYNAMIC = {0: torch.export.Dim.DYNAMIC}

_CURES = (  # what torch's message says -> what it means, and the likely cure
    (
        ("data-dependent", "Data-dependent", "data dependent", "Could not guard on"),
        "it decides by the values of the images, which a program cannot: compute both ways and choose by torch.where, "
        "or take the decision out of forward",
    ),
    (
        ("Constraints violated", "specialized", "ConstraintViolation", "mark_dynamic"),
        "it works for one number of images alone: compute over the whole batch, without a loop over images, and take "
        "sizes as x.shape[0] or -1, never as a fixed number or int(...)",
    ),
    (
        ("numpy", "Unsupported: call to", "__array__", "from_dlpack"),
        "it leaves PyTorch: write that part with torch's functions",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """How a module's forward takes its images: by position, as the first of `*args`, or by the keyword `name` alone."""

    variadic: bool = False
    keyword: str = ""

    def arguments(self, images: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments."""
        return ((), {self.keyword: images}) if self.keyword else ((images,), {})

    @property
    def shapes(self) -> Any:
        """What torch.export is told of the dynamic batch."""
        if self.keyword:
            return {self.keyword: _DYNAMIC}
        return ((_DYNAMIC,),) if self.variadic else (_DYNAMIC,)


def call_of(model: nn.Module, *, name: str) -> Call:
    """The form of `model`'s call with images alone. CaptureError where its forward needs more, or names nothing."""
    kinds = inspect.Parameter
    parameters = list(inspect.signature(model.forward).parameters.values())
    plain = [p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    needed = [
        p for p in parameters if p.default is kinds.empty and p.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
    ]
    variadic = any(p.kind is kinds.VAR_POSITIONAL for p in parameters)
    by_keyword = [p for p in needed if p.kind is kinds.KEYWORD_ONLY]
    first = next(iter(plain if plain or variadic else by_keyword), None)
    rest = [p.name for p in needed if p is not first]
    if rest or (first is None and not variadic):
        takes = f"takes {', '.join(p.name for p in needed)}" if needed else "names no input"
        raise CaptureError(
            f"{name}: its forward {takes}, where a program has one input, the images: wrap it in a module whose "
            f"forward(self, images) gives the rest{place_of_forward(model)}"
        )
    keyword = first.name if first is not None and first.kind is kinds.KEYWORD_ONLY else ""
    return Call(variadic=variadic and not plain, keyword=keyword)


def place_of_forward(model: nn.Module) -> str:
    """` (FILE, line N)` where a module's forward is written; empty where no file of the user's says."""
    try:
        file, line = inspect.getsourcefile(type(model).forward), inspect.getsourcelines(type(model).forward)[1]
    except (OSError, TypeError):
        return ""
    return f" ({file}, line {line})" if file and is_users(file) else ""


def answers(model: nn.Module, images: Tensor, *, name: str) -> Any:
    """What the module itself returns for `images`, without compiling what torch.compile marks."""
    args, kwargs = call_of(model, name=name).arguments(images)
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        return model(*args, **kwargs)


def exported(model: nn.Module, example: Tensor, *, name: str) -> ExportedProgram:
    """`model` for images as of `example` [B, ...], for any batch size. CaptureError where no mode of torch takes it."""
    call = call_of(model, name=name)
    args, kwargs = call.arguments(example[:1].expand(2, *example.shape[1:]).contiguous())
    errors = []
    for mode in _MODES:
        try:
            with _quiet():
                return torch.export.export(model, args, kwargs, dynamic_shapes=call.shapes, **mode)
        except Exception as error:  # torch.export raises what the user's forward raises, and a dozen types of its own
            errors.append(error)
    raise CaptureError(
        f"torch.export refuses {name} for images {list(example.shape[1:])}{_first_place(errors)}: {_reason(errors)}"
    ) from errors[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within it, torch's exporter logs and prints nothing: what it has to say is in its errors."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def _first_place(errors: Sequence[BaseException]) -> str:
    return next((place for error in errors if (place := place_of(error))), "")


def _reason(errors: Sequence[BaseException]) -> str:
    for marks, cure in _CURES:
        for error in errors:
            if any(mark in str(error) for mark in marks):
                return cure
    return first_line(errors[0])
