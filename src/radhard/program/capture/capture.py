"""`capture`: from a user's module to a program, by torch.export, decomposition, constant folding and probing.

The module is exported with a dynamic batch and left as it was. A program that is exported already is taken as it is,
quantised or not. In the end the program is run beside the module: where they differ, there is no program.
"""

import warnings
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.export.passes import move_to_device_pass
from torch.fx import GraphModule

from radhard.errors import CaptureError, InputError, RadhardError
from radhard.machine import undisturbed
from radhard.program.anatomy.overrides import AnatomyPatterns, Overrides
from radhard.program.capture.accepted import check_module, check_state, unwrapped_module
from radhard.program.capture.agreement import check_agreement, logits_of
from radhard.program.capture.decompositions import decomposed
from radhard.program.capture.export import exported, place_of_forward
from radhard.program.capture.fold import fold
from radhard.program.capture.probe import attribute_rows
from radhard.program.capture.state import check_autocast, check_random, without_state
from radhard.program.capture.user_code import first_line, has_place, place_of
from radhard.program.lowering.lower import lower
from radhard.program.program import Program, Recipe


def capture(
    model: nn.Module | ExportedProgram,
    example: Tensor,
    *,
    name: str | None = None,
    anatomy: AnatomyPatterns | Overrides | None = None,
) -> Program:
    """`example` [B, ...] float32, any B -> the program of `model` (in eval mode), for any batch size.

    Its recipe is "float", or "pt2e" for a model that torchao's PT2E flow has quantised. `anatomy` maps patterns of
    site names to (layer, module), of which either may be None, and overrides what is found. Raises CaptureError if
    torch.export refuses the model, an operation is not registered, images of a batch are not independent, or the
    program answers otherwise than the model, as one does that draws random numbers or keeps state. InputError for one
    in training mode, and for an `anatomy` that names no site or no category. A model and an example on a GPU are
    captured from copies on the CPU, and the program is moved there.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.capture(model, images)
    >>> [site.name for site in program.sites if site.operator == "linear"]
    ['0', '2']
    >>> torch.allclose(rh.run(program, images).logits, model(images))
    True
    """
    if not isinstance(example, Tensor) or example.dtype != torch.float32 or example.ndim < 2 or not len(example):
        raise InputError("example: give a float32 tensor [B, ...] of at least one image, as the model takes them")
    given = name or type(model).__name__
    overrides = Overrides.of(anatomy)
    if example.is_cuda:
        copy = _on_host(model, example, name=given)
        return capture(copy, example.cpu(), name=given, anatomy=anatomy).to(example.device)
    with warnings.catch_warnings(), undisturbed(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        if isinstance(model, ExportedProgram):
            return _program(model, example, name=given, overrides=overrides)
        module = unwrapped_module(model)
        given = name or type(module).__name__
        check_module(module, name=given)
        check_state(module, name=given, device=example.device)
        logits_of(module, example[:1], name=given)
        source = exported(module, example, name=given)
        try:
            program = _program(source, example, name=given, overrides=overrides)
        except CaptureError as error:
            place = "" if has_place(str(error)) else place_of_forward(module)
            raise CaptureError(f"{error}{place}") from error
        if program.recipe == "float":
            check_agreement(program, module, example, name=given)
    return program


def _on_host(model: nn.Module | ExportedProgram, example: Tensor, *, name: str) -> nn.Module | ExportedProgram:
    """A copy on the CPU of a model on the GPU of `example`. Errors are those of `check_module` and `check_state`."""
    if isinstance(model, ExportedProgram):
        return move_to_device_pass(model, "cpu")
    module = unwrapped_module(model)
    check_module(module, name=name)
    check_state(module, name=name, device=example.device)
    return deepcopy(module).cpu()


def _program(source: ExportedProgram, example: Tensor, *, name: str, overrides: Overrides) -> Program:
    """The exported program as one of ours. Errors of torch about its parts become a CaptureError of one line."""
    try:
        _check_batch(source, example)
        check_autocast(source, name=name)
        taken_apart = decomposed(source)
        check_random(taken_apart.graph, name=name)
        graph = fold(without_state(taken_apart, name=name))
        shape = tuple(example.shape[1:])
        program = lower(graph, name=name, recipe=_recipe(graph), input_shape=shape, overrides=overrides)
        return attribute_rows(program)
    except RadhardError:
        raise
    except Exception as error:  # a graph that torch's own passes or kernels do not take
        cause = next((e for e in (error.__cause__, error.__context__) if isinstance(e, CaptureError)), error)
        raise CaptureError(
            f"the exported graph of {name} cannot be made a program{place_of(error)} ({type(cause).__name__}: "
            f"{first_line(cause)})"
        ) from error


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
