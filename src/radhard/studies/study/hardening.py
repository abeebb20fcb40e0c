"""The step that deploys: the hardened file, and how long it takes beside the module without protection."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from radhard import deploy
from radhard.campaign.results import KeptResult, keep_result
from radhard.campaign.store import Store
from radhard.errors import FaultError
from radhard.machine import Clean
from radhard.machine.device import device_name
from radhard.program import run
from radhard.protection import Protection
from radhard.report.study import LatencyRecord, TimesRecord
from radhard.studies.command_line import command_line
from radhard.studies.study.own_module import own_module
from radhard.studies.study.protecting import chosen
from radhard.studies.study.study_step import Here, StepResult

SECONDS = 10.0
"""So long the modules take turns; at least `ROUNDS`."""

ROUNDS = 5


def harden(here: Here) -> StepResult:
    """Write the hardened module, load the file as its user will, and time it. FaultError if its answers are others."""
    name, plan = chosen(here)
    program = here.model_under_test.programs[here.recipe]
    hardened = deploy.harden(program, plan)
    here.folder.write(here.folder.hardened, lambda draft: deploy.save_hardened(hardened, draft))
    loaded = torch.export.load(here.folder.hardened).module()
    bare = deploy.harden(program, Protection.of({}))
    images = here.model_under_test.images(torch.arange(1))
    channels, height, width = images.shape[1:]
    own = own_module(
        here.given, here.study.model_options, images=(channels, height, width), device=here.model_under_test.device
    )
    with torch.no_grad():
        _check(loaded, images, expected=run(program, images, Clean()).logits, file=here.folder.hardened)
        times = take_turns(
            {
                "hardened": lambda: loaded(images),
                "unprotected": lambda: bare(images),
                **({} if own is None else {"eager": lambda: own(images)}),
            }
        )
    ratios = times["hardened"] / times["unprotected"]
    record = LatencyRecord(
        model=here.model_under_test.model,
        recipe=here.recipe,
        device=device_name(here.model_under_test.device),
        threads=torch.get_num_threads(),
        plan=name,
        sites=len(plan.protection.sites),
        rounds=len(ratios),
        hardened=_record(times["hardened"]),
        unprotected=_record(times["unprotected"]),
        eager=None if own is None else _record(times["eager"]),
        ratio=float(np.median(ratios)),
        low=float(np.quantile(ratios, 0.25)),
        high=float(np.quantile(ratios, 0.75)),
        to_eager=None if own is None else float(np.median(times["hardened"] / times["eager"])),
        file=here.folder.hardened.name,
    )
    command = f"harden --study {here.folder.file} --plan {here.folder.plan} --out {here.folder.hardened}"
    envelope = here.envelope(command, record, plan=str(here.folder.plan))
    _keep(here, record)
    return StepResult(envelope=envelope, line=_line(record))


def _keep(here: Here, record: LatencyRecord) -> None:
    """Keep the latency in the study's store, for its report; of two runs of the step the later counts."""
    with Store(here.folder.store, journal=here.study.run.journal) as store:
        keep_result(
            store,
            KeptResult(
                verb="harden",
                model=record["model"],
                settings={"plan": here.folder.plan.name, "recipe": record["recipe"]},
                record=dict(record),
                command=command_line.get(),
                device=record["device"],
                made=datetime.now(UTC).isoformat(timespec="milliseconds"),
            ),
        )


def _line(record: LatencyRecord) -> str:
    beside = "" if record["to_eager"] is None else f", {record['to_eager']:.2f} times your own module in PyTorch"
    return (
        f"{record['file']}, plan of step {record['plan']}, {record['sites']} sites: "
        f"{record['hardened']['median']:.1f} ms an image, {record['ratio']:.2f} times the module without protection "
        f"({record['low']:.2f} - {record['high']:.2f}){beside}"
    )


def _check(module: torch.nn.Module, images: Tensor, *, expected: Tensor, file: Path) -> None:
    if not torch.equal(module(images), expected):
        raise FaultError(f"{file} does not answer as the program does without faults: this is a bug, please report it")


def take_turns(
    cases: Mapping[str, Callable[[], object]],
    *,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, np.ndarray]:
    """Seconds of each case in each round, after one that is not counted; each round starts with another case."""
    names, found = list(cases), {name: list[float]() for name in cases}
    began, turn = clock(), 0
    while turn <= ROUNDS or clock() - began < seconds:
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            cases[name]()
            if turn:
                found[name].append(clock() - start)
        turn += 1
    return {name: np.array(values) for name, values in found.items()}


def _record(seconds: np.ndarray) -> TimesRecord:
    low, median, high = (float(1e3 * np.quantile(seconds, q)) for q in (0.25, 0.5, 0.75))
    return TimesRecord(batch=1, median=median, low=low, high=high)
