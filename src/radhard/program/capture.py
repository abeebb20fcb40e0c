"""From a user's module to a program: torch.export, operations taken apart, constants folded, every row attributed.

The module is exported with a dynamic batch and left as it was. A program that is exported already is taken as it is,
quantised or not.
"""

import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import GraphModule

from radhard.errors import CaptureError, InputError
from radhard.machine import undisturbed
from radhard.program.anatomy import Anatomy
from radhard.program.decompositions import decomposed
from radhard.program.fold import fold
from radhard.program.lower import lower
from radhard.program.probe import attribute_rows
from radhard.program.program import Program, Recipe

_LIBRARIES = (Path(torch.__file__).parent, Path(__file__).parent)


def capture(
    model: nn.Module | ExportedProgram,
    example: Tensor,
    *,
    name: str | None = None,
    anatomy: Mapping[str, tuple[str, str]] | None = None,
) -> Program:
    """`example` [B, ...] float32, any B -> the program of `model` (in eval mode), for any batch size.

    Its recipe is "float", or "pt2e" for a model that torchao's PT2E flow has quantised. `anatomy` maps patterns of
    site names to (layer, module) and overrides the rules. Raises CaptureError if torch.export refuses the model, an
    operation is not registered, or images of a batch are not independent.
    """
    if not isinstance(example, Tensor) or example.dtype != torch.float32 or example.ndim < 2 or not len(example):
        raise InputError("example: give a float32 tensor [B, ...] of at least one image, as the model takes them")
    with warnings.catch_warnings(), undisturbed():
        warnings.simplefilter("ignore")
        exported = model if isinstance(model, ExportedProgram) else _exported(model, example)
        _check_batch(exported, example)
        graph = fold(decomposed(exported).module())
    overrides: Anatomy = anatomy or {}
    program = lower(
        graph,
        name=name or type(model).__name__,
        recipe=_recipe(graph),
        input_shape=tuple(example.shape[1:]),
        anatomy=overrides,
    )
    return attribute_rows(program)


def _exported(model: nn.Module, example: Tensor) -> ExportedProgram:
    if model.training and not isinstance(model, GraphModule):  # what PT2E made cannot be asked to leave it
        raise InputError(f"{type(model).__name__} is in training mode: call model.eval() before capture")
    batch = example[:1].expand(2, *example.shape[1:]).contiguous()
    try:
        return torch.export.export(model, (batch,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    except Exception as error:  # torch.export raises what the user's forward raises, and a dozen types of its own
        reason = str(error).strip() or type(error).__name__
        raise CaptureError(
            f"torch.export refuses {type(model).__name__} for images {list(example.shape[1:])}{_place(error)}: {reason}"
        ) from error


def _place(error: BaseException) -> str:
    """Where in the model's own code it failed: the last line of the error's trace that is none of torch's or ours."""
    frames: list[traceback.FrameSummary] = []
    cause: BaseException | None = error
    while cause is not None:
        frames += traceback.extract_tb(cause.__traceback__)
        cause = cause.__cause__
    theirs = [f for f in frames if Path(f.filename).is_file() and not _is_library(Path(f.filename))]
    if not theirs:
        return ""
    return f" at {theirs[-1].filename}, line {theirs[-1].lineno}, in {theirs[-1].name}: `{theirs[-1].line}`"


def _is_library(file: Path) -> bool:
    return any(file.is_relative_to(folder) for folder in _LIBRARIES)


def _check_batch(exported: ExportedProgram, example: Tensor) -> None:
    """Raise CaptureError unless the exported program takes any number of such images."""
    inputs = set(exported.graph_signature.user_inputs)
    shapes = [
        node.meta["val"].shape for node in exported.graph.nodes if node.op == "placeholder" and node.name in inputs
    ]
    if len(shapes) != 1:
        raise CaptureError(f"the model takes {len(shapes)} inputs; a program takes one, the images")
    if isinstance(shapes[0][0], int):
        raise CaptureError(
            f"the exported program takes batches of {shapes[0][0]} alone: export it with "
            "dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)"
        )
    if tuple(shapes[0][1:]) != tuple(example.shape[1:]):
        raise CaptureError(
            f"the exported program takes images of {list(shapes[0][1:])}, the example has {list(example.shape[1:])}"
        )


def _recipe(graph: GraphModule) -> Recipe:
    return "pt2e" if any("quantize_per_" in str(node.target) for node in graph.graph.nodes) else "float"
