"""Faulty over clean inference of ViT-B/16, every multiplication and addition exposed, and where the time goes."""

from collections.abc import Callable, Iterator
from itertools import count

import torch
from torch import Tensor

from benchmarks.gpu import limits, prepare, profiled
from benchmarks.gpu.clean import images_of
from benchmarks.gpu.journal import Record
from benchmarks.gpu.rounds import peak, timed
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.program import Program, run

RATES = (1e-8, 1e-7, 1e-9, 1e-10)
BATCHES = (256, 64)
PROFILED = 1e-8


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """Each batch size, all rates by turns with the clean run, then where the time of one rate goes."""
    name = prepare.subject(tiny=tiny)
    program = prepare.program_of(name, tiny=tiny, device=device)
    rates = (PROFILED,) if tiny else RATES
    for batch in (1,) if tiny else BATCHES:
        images = images_of(program, batch, device)
        cases: dict[str, Callable[[], object]] = {"clean": lambda images=images: run(program, images, Clean())}
        cases |= {f"{ber:.0e}": faulty(program, images, ber=ber) for ber in rates}
        times = timed(cases, base="clean", device=device, seconds=min(12.0, limits.left() / 3))
        flips = {f"{ber:.0e}": flips_an_image(program, images, ber=ber) for ber in rates}
        memory = {case: peak(call, device) for case, call in cases.items()}
        yield {"model": name, "batch": batch, "cases": times, "flips_an_image": flips, "peak_bytes": memory}
        for ber in rates[:2] if batch == BATCHES[0] or tiny else ():
            told = {"model": name, "batch": batch, "ber": ber}
            yield {**told, "kernels_of": "faulty", **profiled.kernels(cases[f"{ber:.0e}"], device)}
            yield {**told, "functions_of": "faulty", **profiled.functions(cases[f"{ber:.0e}"], device)}


def faulty(program: Program, images: Tensor, *, ber: float) -> Callable[[], object]:
    """A run under the faults of the next trial, each time others."""
    trials = count()
    return lambda: run(program, images, Faulty(Clean(), Faults(ber=ber, trial=next(trials))))


def flips_an_image(program: Program, images: Tensor, *, ber: float) -> float:
    """The mean number of flips of an image, of trial 0."""
    machine = Faulty(Clean(), Faults(ber=ber))
    run(program, images, machine)
    return float(machine.counts.double().mean())
