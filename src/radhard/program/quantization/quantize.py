"""Static 8-bit quantisation by torchao's PT2E flow: prepare, calibrate, convert."""

import hashlib
import math
import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from radhard.errors import InputError
from radhard.machine import undisturbed
from radhard.machine.device import choose_device
from radhard.program.anatomy.anatomy import place_of
from radhard.program.anatomy.overrides import AnatomyPatterns, Overrides
from radhard.program.capture.fold import constant
from radhard.program.capture.non_finite import first_non_finite
from radhard.program.capture.probe import attribute_rows
from radhard.program.lowering.lower import lower
from radhard.program.program import Program
from radhard.program.quantization.batches import images_of
from radhard.program.quantization.calibration import EARLIER, Calibration, feed_images
from radhard.program.quantization.doubled import Doubled
from radhard.program.quantization.observers import give, scales_of
from radhard.program.quantization.pt2e import import_pt2e
from radhard.program.quantization.quantizer import IntegerRecipe, quantizer
from radhard.program.quantization.shifts import MEASURED, correct, measured

RECIPES: tuple[IntegerRecipe, ...] = get_args(IntegerRecipe)
SCALE_BITS: dict[str, int] = {"int8": 12}
"""Significant bits of a scale by recipe; all those of float32 where none are named.

A recipe that is named calibrates in float64, and so finds the same scales on every processor: rounded, they differ only
where a value lies next to the middle between two.
"""


def quantize(
    program: Program,
    batches: Iterable[Any] = (),
    *,
    recipe: IntegerRecipe = "int8",
    anatomy: AnatomyPatterns | None = None,
    calibration: Calibration | None = None,
    device: str | torch.device = "cpu",
) -> Program:
    """The int8 program of a float one, its scales from `batches` of calibration images [B, ...] float32.

    A batch may be a pair of images and labels, as a DataLoader gives it: its images calibrate.
    A `calibration` that was made before takes their place; that of the result is its `calibration`. All is done on the
    CPU, so that scales do not depend on the program's device, which is that of the result. Raises InputError for an
    unknown recipe, a program that is quantised already, no images or both, images that are not finite or of the wrong
    shape, or a calibration of another program.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> rh.quantize(rh.capture(model, images), [images], recipe="int8").recipe
    'int8'
    """
    if recipe not in RECIPES:
        raise InputError(f"recipe {recipe!r} is not known; choose from {', '.join(RECIPES)}")
    if program.recipe != "float":
        raise InputError(f"{program.name} is quantised already (recipe {program.recipe}); start from the float program")
    if program.graph is None:
        raise InputError(f"{program.name} was read from a file, without its exported graph: capture the model again")
    if program.host is not None:
        integer = quantize(program.host, batches, recipe=recipe, anatomy=anatomy, calibration=calibration)
        return integer.to(program.device)
    flow = import_pt2e("quantize_pt2e")
    where = choose_device(device)
    with warnings.catch_warnings(), undisturbed(), undisturbed(where):
        warnings.simplefilter("ignore")
        graph = flow.prepare_pt2e(_copy(program.graph), quantizer(recipe))
        if calibration is None:
            calibration = _calibrated(graph, program, batches, recipe=recipe, device=where)
        else:
            _check_calibration(calibration, program, batches, recipe=recipe)
        give(graph, calibration.scales)
        if recipe == "int8":
            correct(graph, calibration.shifts)
        graph = _with_shapes(flow.convert_pt2e(graph, fold_quantize=True))
    said = Overrides.of(anatomy)
    lowered = lower(
        graph,
        name=program.name,
        recipe=recipe,
        input_shape=program.input_shape,
        overrides=said,
        known={site.name: place_of(site) for site in program.sites},
    )
    overrides = Overrides(rows=(*said.rows, *program.overrides.rows))
    return replace(attribute_rows(lowered), calibration=calibration, overrides=overrides)


def _calibrated(
    graph: GraphModule, program: Program, batches: Iterable[Any], *, recipe: IntegerRecipe, device: torch.device
) -> Calibration:
    """Run the images through a prepared graph, and keep what its observers found."""
    seen, count, scales = hashlib.sha256(), 0, dict[str, tuple[float, int]]()
    doubled = Doubled(graph, device=device) if recipe == "int8" else None
    first: list[Tensor] = []
    for number, batch in enumerate(batches):
        images = images_of(batch, input_shape=program.input_shape, place=f"calibration batch {number}")
        _check(program, images, number)
        try:
            logits = graph(images) if doubled is None else doubled.run(images.to(device))
            scales = scales_of(graph, bits=SCALE_BITS.get(recipe))
        except (RuntimeError, ValueError) as error:  # of an observer, which cannot sort what is not finite
            _check_values(program, images, number)
            raise error
        if not (bool(logits.float().isfinite().all()) and all(math.isfinite(scale) for scale, _ in scales.values())):
            _check_values(program, images, number)
        feed_images(seen, images)
        if count < MEASURED:
            first.append(images[: MEASURED - count])
        count += len(images)
    graph.cpu()
    if not count:
        raise InputError(f"{program.name}: no calibration images; give at least one batch of typical images")
    shifts = {} if doubled is None else measured(graph, scales, first, device=device)
    return Calibration(
        model=program.name,
        recipe=recipe,
        program=program.digest,
        images=seen.hexdigest(),
        count=count,
        scales=scales,
        shifts=shifts,
    )


def _check_values(program: Program, images: Tensor, number: int) -> None:
    """Raise InputError if the float program yields what is not finite on a batch of finite images."""
    if program.graph is not None and (place := first_non_finite(program.graph, images)) is not None:
        raise InputError(
            f"{program.name}: on calibration batch {number} {place} yields NaN or infinite values: its weights are too "
            "large for float32 or damaged, or the images are normalised for another model"
        )


def _check_calibration(
    calibration: Calibration, program: Program, batches: Iterable[Any], *, recipe: IntegerRecipe
) -> None:
    if list(batches):
        raise InputError(f"{program.name}: both images and a calibration are given; leave one of the two out")
    if calibration.recipe == EARLIER and recipe == "int8":
        raise InputError(
            f"{program.name}: the calibration is of the recipe int8 as it was before its words had zero points: "
            "calibrate again with `radhard quantize`, and make plans again with `radhard plan`"
        )
    if calibration.recipe != recipe:
        raise InputError(
            f"{program.name}: the calibration is for recipe {calibration.recipe}, and {recipe} is asked for: take that "
            "recipe, or calibrate for this one"
        )
    if calibration.program != program.digest:
        raise InputError(
            f"the calibration is of the float program {calibration.program[:12]} of {calibration.model}, this is "
            f"{program.digest[:12]} of {program.name}: the weights or the architecture are other ones; calibrate this "
            "model with `radhard quantize`"
        )


def _check(program: Program, images: Tensor, number: int) -> None:
    if tuple(images.shape[1:]) != program.input_shape:
        raise InputError(
            f"calibration batch {number} has shape {list(images.shape)}; {program.name} takes images of "
            f"{list(program.input_shape)}"
        )
    if not bool(images.isfinite().all()):
        non_finite = int((~images.isfinite()).count_nonzero())
        raise InputError(
            f"calibration batch {number} holds {non_finite} values that are NaN or infinite: clean the images or leave "
            "them out"
        )


def _with_shapes(graph: GraphModule) -> GraphModule:
    """`graph` itself: what conversion inserted, (de)quantisations and stored words, says its shape like other nodes."""
    for node in graph.graph.nodes:
        if "val" in node.meta:
            continue
        if node.op == "get_attr":
            node.meta["val"] = constant(graph, node)
        elif node.op == "call_function" and node.args and isinstance(node.args[0], Node):
            node.meta["val"] = node.args[0].meta["val"]
    return graph


def _copy(graph: GraphModule) -> GraphModule:
    """A graph of its own over the same weights: preparation inserts observers."""
    from copy import deepcopy

    return deepcopy(graph)
