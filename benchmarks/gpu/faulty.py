"""Faulty over clean inference of ViT-B/16, every multiplication and addition exposed, and where the time goes."""

from collections.abc import Callable, Iterator
from itertools import count

import torch
from torch import Tensor

from benchmarks.gpu import limits, prepare, profiled
from benchmarks.gpu.clean import images_of
from benchmarks.gpu.journal import Record
from benchmarks.gpu.rounds import timed
from radhard.faults import Faults, Faulty
from radhard.machine import Clean, Machine
from radhard.program import DeviceGraph, Program, run

RATES = (1e-8, 1e-7, 1e-9, 1e-10)
BATCHES = (256, 64)
TINY = 1e-5


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """Each batch size, all rates by turns with the clean run, then where the time of one rate goes."""
    name = prepare.subject(tiny=tiny)
    program = prepare.program_of(name, tiny=tiny, device=device)
    rates = (TINY,) if tiny else RATES
    for batch in (1,) if tiny else BATCHES:
        images = images_of(program, batch, device)
        cases = {"clean": recorded(program, images, ber=0.0), "clean, kernel by kernel": one_by_one(program, images)}
        cases |= {f"{ber:.0e}": recorded(program, images, ber=ber) for ber in rates}
        cases |= {f"{ber:.0e}, kernel by kernel": one_by_one(program, images, ber=ber) for ber in rates[:2]}
        times = timed(cases, base="clean", device=device, seconds=min(5.0, limits.left() / 3))
        flips = {f"{ber:.0e}": flips_an_image(program, images, ber=ber) for ber in rates}
        yield {"model": name, "batch": batch, "cases": times, "flips_an_image": flips}
        for ber in rates[:2] if batch == BATCHES[0] or tiny else ():
            told = {"model": name, "batch": batch, "ber": ber}
            case = cases[f"{ber:.0e}, kernel by kernel"]
            yield {**told, "kernels_of": "faulty", **profiled.kernels(case, device)}
            yield {**told, "functions_of": "faulty", **profiled.functions(case, device)}


def recorded(program: Program, images: Tensor, *, ber: float) -> Callable[[], object]:
    """A run as campaigns do it, under the faults of the next trial, each time others; at rate 0 a clean one."""
    trials, kept = count(), DeviceGraph(program, batch=len(images))
    return lambda: kept.run(images, machine(ber, next(trials)))


def one_by_one(program: Program, images: Tensor, *, ber: float = 0.0) -> Callable[[], object]:
    """The same, every kernel launched by itself."""
    trials = count()
    return lambda: run(program, images, machine(ber, next(trials)))


def machine(ber: float, trial: int) -> Machine:
    """The machine of a trial."""
    return Faulty(Clean(), Faults(ber=ber, trial=trial)) if ber else Clean()


def flips_an_image(program: Program, images: Tensor, *, ber: float) -> float:
    """The mean number of flips of an image, of trial 0."""
    machine = Faulty(Clean(), Faults(ber=ber))
    run(program, images, machine)
    return float(machine.counts.double().mean())
