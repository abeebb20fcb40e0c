"""Clean int8 inference against eager PyTorch's floats: ViT-B/16 with random weights."""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.gpu import limits, prepare, profiled
from benchmarks.gpu.journal import Record
from benchmarks.gpu.rounds import peak, timed
from radhard.machine import Clean
from radhard.program import DeviceGraph, Program, run

BATCHES = (256, 64, 8, 1)
FLOATS = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
ALONE = "int8, kernel by kernel"
"""Not recorded and launched as a whole."""

Case = Callable[[], object]


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """Each batch size, the largest first, then where the time of the largest goes."""
    name = prepare.subject(tiny=tiny)
    modules = floats(prepare.module_of(name).module, device)
    program = prepare.program_of(name, tiny=tiny, device=device)
    yield {"model": name, "back_ends": program.backends}
    batches = (1,) if tiny else BATCHES
    largest: dict[str, Case] = {}
    for batch in batches:
        images = images_of(program, batch, device)
        cases = all_cases(program, modules, images)
        largest = largest or cases
        times = timed(cases, base="bfloat16", device=device, seconds=min(2.0, limits.left() / 5))
        memory = {case: peak(cases[case], device) for case in (ALONE, "bfloat16")}
        yield {"model": name, "batch": batch, "cases": times, "peak_bytes": memory}
    for case in (ALONE, "bfloat16"):
        yield {"model": name, "batch": batches[0], "kernels_of": case, **profiled.kernels(largest[case], device)}
    told = {"model": name, "batch": batches[0], "functions_of": ALONE}
    yield {**told, **profiled.functions(largest[ALONE], device)}


def images_of(program: Program, batch: int, device: torch.device) -> Tensor:
    """Normal noise [batch, *input_shape] float32 on the device."""
    return torch.randn((batch, *program.input_shape), generator=torch.Generator().manual_seed(0)).to(device)


def floats(module: nn.Module, device: torch.device) -> dict[str, nn.Module]:
    """The module in each floating-point format, on the device."""
    return {name: copy.deepcopy(module).to(device=device, dtype=dtype).eval() for name, dtype in FLOATS.items()}


def all_cases(program: Program, modules: dict[str, nn.Module], images: Tensor) -> dict[str, Case]:
    """The program, and the module in each format on images of it."""
    recorded = DeviceGraph(program, batch=len(images))
    cases: dict[str, Case] = {
        "int8": lambda: recorded.run(images, Clean()),
        ALONE: lambda: run(program, images, Clean()),
    }
    for name, module in modules.items():
        cases[name] = eager(module, images.to(FLOATS[name]))
    return cases


def eager(module: nn.Module, images: Tensor) -> Case:
    """The module's own forward."""

    def forward() -> object:
        with torch.no_grad():
            return module(images)

    return forward
