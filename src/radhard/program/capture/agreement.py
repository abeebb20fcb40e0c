"""Compares a captured program with its module: both must give the same outputs.

torch.export fixes what Python decides while it looks: a number that was drawn, a counter, a cache, a branch. A program
made so is another model, and this is how it is found out.
"""

from typing import Any

import torch
from torch import Tensor, nn

from radhard.errors import CaptureError
from radhard.machine import Clean
from radhard.program.capture.export import answers, place_of_forward
from radhard.program.capture.outputs import tensors_in, wrapper_for
from radhard.program.capture.user_code import first_line, place_of
from radhard.program.program import Program, run

_TOLERANCE = 1e-3  # of the largest logit; float32 in another order is some 1e-6


def logits_of(module: nn.Module, images: Tensor, *, name: str) -> Tensor:
    """The one tensor that the module returns for images [B, ...]; its buffers are left as they were.

    CaptureError for one that fails, with the place, or that returns anything else, with the wrapper to write.
    """
    before = {key: buffer.clone() for key, buffer in module.named_buffers()}
    try:
        out: Any = answers(module, images, name=name)
    except CaptureError:
        raise
    except Exception as error:  # whatever the module's own code raises
        raise CaptureError(
            f"{name} does not take images {list(images.shape[1:])}{place_of(error)} ({type(error).__name__}: "
            f"{first_line(error)}); give an example of the shape that it takes"
        ) from error
    finally:
        for key, buffer in module.named_buffers():
            if key in before and before[key].shape == buffer.shape:
                buffer.copy_(before[key])
    leaves = [tensor for _, tensor in tensors_in(out)]
    if len(leaves) != 1:
        raise CaptureError(f"{name} returns {wrapper_for(out, name=name)}")
    return leaves[0]


def check_agreement(program: Program, module: nn.Module, example: Tensor, *, name: str) -> None:
    """Raise CaptureError unless program and module give the same logits, and the module the same ones twice."""
    draw = torch.Generator().manual_seed(0xA6EE)
    noise = torch.randn((2, *example.shape[1:]), generator=draw)
    images = torch.cat([example[:1], noise.to(example.device)])
    first = logits_of(module, images, name=name)
    again = logits_of(module, images, name=name)
    if (difference := _difference(again, first)) > _TOLERANCE:
        raise CaptureError(
            f"{name} gives other answers to the same images when it is run again (by {difference:.2g} of the largest): "
            "it draws random numbers or keeps state in forward; give one whose answer depends on the images alone"
            f"{place_of_forward(module)}"
        )
    if (difference := _difference(run(program, images, Clean()).logits, first)) > _TOLERANCE:
        raise CaptureError(
            f"the program of {name} gives other answers than the module (by {difference:.2g} of the largest): "
            "torch.export has fixed what forward decides anew each time, such as a random number, a counter, a cache "
            "or a branch by the batch, or an operation is registered as another; take it out of forward"
            f"{place_of_forward(module)}"
        )


def _difference(found: Tensor, wanted: Tensor) -> float:
    """The largest difference as a share of the largest finite value; infinite where shapes or NaNs differ."""
    if found.shape != wanted.shape:
        return float("inf")
    finite = wanted.isfinite()
    if not torch.equal(found.isfinite(), finite) or not torch.equal(found.isnan(), wanted.isnan()):
        return float("inf")
    if not bool(finite.any()):
        return 0.0
    difference = (found[finite] - wanted[finite]).abs().max()
    return float(difference / wanted[finite].abs().max().clamp_min(torch.finfo(torch.float32).tiny))
