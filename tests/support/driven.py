"""A campaign on worker processes, for tests that kill them: in this process, or as a command, `python -m ...`."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from radhard.campaign.execute import Progress, execute
from radhard.campaign.executor import Skipped, Workers
from radhard.campaign.experiment import Campaign
from radhard.campaign.model_under_test import ModelUnderTest, faulty_setting
from radhard.campaign.store import Store
from radhard.campaign.workers.local import LocalWorkers
from radhard.program.program import Move, Program, Ref
from tests.support.explorations import tiny_under_test

IMAGES, CHUNK, TRIALS = 400, 100, 3
UNITS = 4 + 2 * TRIALS * 4  # the clean int8 program, then two rates
DEADLY = 7.0


def campaign(model_under_test: ModelUnderTest, *, trials: int = TRIALS) -> Campaign:
    rates = (2e-4, 1e-3)
    settings = tuple(faulty_setting(model_under_test, "int8", ber=rate) for rate in rates)
    return Campaign(settings=settings, images=IMAGES, trials=trials, chunk=CHUNK)


def run(
    store: Path,
    workers: Workers,
    *,
    model_under_test: ModelUnderTest | None = None,
    trials: int = TRIALS,
    watch: Callable[[Progress | Skipped], None] | None = None,
) -> list[Progress | Skipped]:
    model_under_test, found = model_under_test or tiny_under_test(), []
    with Store(store) as opened:
        executor = workers.on(model_under_test, batch=25)
        for state in execute(
            campaign(model_under_test, trials=trials), opened, executor=executor, model_under_test=model_under_test
        ):
            found.append(state)
            if watch is not None:
                watch(state)
    return found


def rows(store: Path) -> list[object]:
    with Store(store, mode="read") as opened:
        return [opened.settings(), *opened.rows()]


def dies(images: Tensor) -> Tensor:
    """Kill this process if one of the images is the deadly one."""
    if bool((images > DEADLY - 0.1).any()):
        os.kill(os.getpid(), signal.SIGKILL)
    return images


def lacks_memory(images: Tensor) -> Tensor:
    """As torch says it."""
    if bool((images > DEADLY - 0.1).any()):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
    return images


def poisoned(function: Callable[[Tensor], Tensor], *, at: tuple[int, ...]) -> ModelUnderTest:
    """The tiny model with a step that looks at its images, of which those at these places are deadly."""
    model_under_test = tiny_under_test()
    images = (model_under_test.data.images.float() / 255).clone()
    images[list(at)] = DEADLY * model_under_test.std[0] + model_under_test.mean[0]

    def with_step(program: Program) -> Program:
        step = Move(function=function, name=function.__name__, arguments=(Ref(program.input),), options={}, out=10**6)
        return replace(program, steps=(step, *program.steps))

    programs = {recipe: with_step(program) for recipe, program in model_under_test.programs.items()}
    return replace(model_under_test, programs=programs, data=replace(model_under_test.data, images=images))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with LocalWorkers(int(sys.argv[2])) as local:
        sys.stdout.write(" ".join(map(str, local.processes)) + "\n")
        sys.stdout.flush()
        run(Path(sys.argv[1]), local, trials=int(sys.argv[3]))
