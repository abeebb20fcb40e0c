"""Runs the units of one job: draws the flips of its images, runs the images that are hit, gives their outcomes."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from radhard.campaign.experiment import Unit
from radhard.campaign.model_under_test import ModelUnderTest, check_host, places_of
from radhard.campaign.outcomes import LEADING, UNDECIDED, Bools, Ints, Outcome, right
from radhard.errors import DeviceMemoryError, InputError
from radhard.faults import Faults, Faulty, Flips, exposed, patches_of, room, trace
from radhard.hardware import UpsetMachine, detected
from radhard.machine import Clean, Machine
from radhard.machine.device import out_of_memory
from radhard.program import DeviceGraph, KeptRun, Program, Resuming, RunResult, arithmetic, rerun, run, run_and_keep
from radhard.protection import Account, Protection, Residual

BYTES_A_FLIP_KEPT = 400
"""About what a flip takes of an image that parts are taken from: its row in the tables of the whole and of a part."""

SPARES_FEW = 3.0
"""From so many flips an image on, nearly all images are hit: a GPU draws them itself sooner than it is told which."""

KEPT_AT_ONCE = 1 << 30
"""About how many bytes of outputs a run keeps that others start from: as much as a small machine can spare.

Of a GPU's memory it may be a quarter of what is free.
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Units of work on the same images in the same trial, and the clean outcome of these unless a unit itself is clean.

    The faults of the first unit include those of the others, or it is clean and the others start from it.
    """

    units: tuple[Unit, ...]
    clean: Outcome | None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What came out of a unit, by `passes` of an image through the model (parts of one count) and in `seconds`."""

    outcome: Outcome
    passes: float
    seconds: float


def measure(job: Job, model_under_test: ModelUnderTest, *, batch: int) -> tuple[Measured, ...]:
    """Run the units of a job, at most `batch` images at a time (which changes speed and memory, not the outcomes).

    Raises DeviceMemoryError where that is more than the device holds.
    """
    try:
        return _measured(job, model_under_test, batch=batch)
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(out_of_memory(model_under_test.device, batch=batch)) from error


def _measured(job: Job, model_under_test: ModelUnderTest, *, batch: int) -> tuple[Measured, ...]:
    answers = [_Answers(unit, model_under_test, clean=job.clean) for unit in job.units]
    first, *parts = answers
    if first.unit.setting.reference and parts:
        _run_from_clean(first, parts, model_under_test, batch=batch)
    elif first.unit.setting.reference:
        _run_clean(first, model_under_test, batch=batch)
    elif job.clean is None:
        raise InputError("a unit with faults is compared with the clean outcome of its images: measure that first")
    elif first.unit.setting.fault_model is not None:
        _run_upset(first, model_under_test, batch=batch)
    elif first.unit.setting.protection is not None:
        _run_protected(first, first.unit.setting.protection, model_under_test, batch=batch)
    else:
        _run_faulty(first, parts, model_under_test, batch=batch)
    return tuple(each.measured() for each in answers)


def predictions(logits: Tensor) -> Ints:
    """`logits` float32 [B, K] -> int32 [B]: the first class of the largest logit, UNDECIDED if one is NaN."""
    logits = logits.cpu()  # where the first of equal ones is always the one that is found
    chosen = logits.nan_to_num(nan=float("inf")).argmax(dim=1)
    return torch.where(logits.isnan().any(dim=1), UNDECIDED, chosen).numpy().astype(np.int32)


def leading(logits: Tensor) -> Ints:
    """`logits` float32 [B, K] -> int32 [B, LEADING]: the classes of the largest, of equal ones the first; -1: none."""
    order = logits.cpu().nan_to_num(nan=float("inf")).argsort(dim=1, descending=True, stable=True)[:, :LEADING]
    found = np.full((len(order), LEADING), -1, np.int32)
    found[:, : order.shape[1]] = order.numpy()
    return found


class _Answers:
    """What is known so far of the images of a unit: of those that no flip hits, the clean outcome."""

    def __init__(self, unit: Unit, model_under_test: ModelUnderTest, *, clean: Outcome | None) -> None:
        self.unit, self.program = unit, model_under_test.program_of(unit.setting)
        self._labels = model_under_test.data.labels[unit.start : unit.stop].numpy().astype(np.int32)
        nothing = np.zeros(len(unit), np.int32)
        self._clean = clean
        self._prediction = nothing.copy() if clean is None else clean.prediction.copy()
        self._non_finite = nothing.copy() if clean is None else clean.non_finite.copy()
        self._flips = nothing.copy()
        self._account: Account | None = None
        reference = unit.setting.reference
        self._leading: Ints | None = np.full((len(unit), LEADING), -1, np.int32) if reference else None
        self._reached: Bools | None = None
        self._work, self._seconds = 0, 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the seconds of what is done within."""
        began = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - began

    def put(self, places: Tensor, result: RunResult, *, work: int) -> None:
        """What a run gave for the images at `places` [B] of the data, and the operations that it took."""
        here = (places - self.unit.start).numpy()
        self._prediction[here] = predictions(result.logits)
        self._non_finite[here] = result.non_finite.clamp(max=torch.iinfo(torch.int32).max).numpy()
        if self._leading is not None:
            self._leading[here] = leading(result.logits)
        self._work += work

    def stop(self, places: Tensor) -> None:
        """The inferences of the images at `places` [B] of the data have stopped: there is no answer."""
        here = (places - self.unit.start).numpy()
        self._prediction[here], self._non_finite[here] = UNDECIDED, 0

    def reach(self, places: Tensor, reached: Tensor) -> None:
        """Whether the flips of the images at `places` [B] of the data changed a word that a site writes: bool [B]."""
        if self._reached is None:
            self._reached = np.zeros(len(self.unit), np.bool_)
        self._reached[(places - self.unit.start).numpy()] = reached.numpy()

    def count(self, places: Tensor, flips: Tensor) -> None:
        """The numbers of flips [B] of the images at `places` [B] of the data."""
        self._flips[(places - self.unit.start).numpy()] = flips.numpy()

    def enter(self, accounts: Iterable[Account]) -> None:
        """What protection did in a run, site by site."""
        self._account = sum(accounts, self._account or Account())

    def measured(self) -> Measured:
        """The outcome, and what it took.

        An image that no flip hits has its clean answer, also where it was run, and on another device than that was.
        """
        if self._clean is not None and self.unit.setting.protection is None:
            unhit = self._flips == 0
            self._prediction[unhit] = self._clean.prediction[unhit]
            self._non_finite[unhit] = self._clean.non_finite[unhit]
        clean = self._prediction if self._clean is None else self._clean.prediction
        outcome = Outcome(
            prediction=self._prediction,
            correct=right(self._prediction, labels=self._labels, clean=clean),
            changed=self._prediction != clean,
            non_finite=self._non_finite,
            flips=self._flips,
            account=self._account,
            leading=self._leading,
            reached=self._reached,
        )
        return Measured(outcome=outcome, passes=self._work / _work(self.program), seconds=self._seconds)


def _work(program: Program) -> int:
    """Multiplications and additions of one image."""
    return sum(map(arithmetic, program.costs.values()))


def _run_clean(answers: _Answers, model_under_test: ModelUnderTest, *, batch: int) -> None:
    program, recorded = answers.program, DeviceGraph(answers.program, batch=batch)
    with answers.timed():
        for part in torch.split(torch.arange(answers.unit.start, answers.unit.stop), batch):
            result, _ = recorded.run(model_under_test.images(part), Clean(), ids=model_under_test.data.ids[part])
            answers.put(part, result, work=len(part) * _work(program))


def _run_from_clean(
    clean: _Answers, parts: Sequence[_Answers], model_under_test: ModelUnderTest, *, batch: int
) -> None:
    """Run the clean images once, and under the flips of each part what differs from that."""
    program = clean.program
    batch = max(1, min(batch, _kept_at_once(model_under_test) // program.kept_bytes))
    for places in torch.split(torch.arange(clean.unit.start, clean.unit.stop), batch):
        ids = model_under_test.data.ids[places]
        with clean.timed():
            kept = run_and_keep(program, model_under_test.images(places), Clean(), ids=ids)
            clean.put(places, kept.result, work=len(places) * _work(program))
        for part in parts:
            with part.timed():
                flips = trace(program, part.unit.setting.faults(part.unit.trial), ids)
                part.count(places, _counted(flips, ids))
                touched = {site: _counted(some, ids) for site, some in flips.by_site().items()}
                resuming = Resuming(Clean())
                again = rerun(kept, Faulty(resuming, flips), touched=touched, resuming=resuming)
                part.put(places, again.result, work=again.work)
                part.reach(places, again.reached)


def _run_protected(answers: _Answers, protection: Protection, model_under_test: ModelUnderTest, *, batch: int) -> None:
    """Run all images: one that no flip hits may be hit in its checks, and is checked like any other."""
    setting, program = answers.unit.setting, answers.program
    inner = Clean() if setting.clean else Faulty(Clean(), setting.faults(answers.unit.trial))
    machine = Residual(protection.on(inner))
    with answers.timed():
        for places in torch.split(torch.arange(answers.unit.start, answers.unit.stop), batch):
            ids = model_under_test.data.ids[places]
            answers.put(
                places,
                run(program, model_under_test.images(places), machine, ids=ids),
                work=len(places) * _work(program),
            )
            answers.enter(machine.accounts.values())
            if isinstance(inner, Faulty):
                answers.count(places, inner.counts)


def _run_upset(answers: _Answers, model_under_test: ModelUnderTest, *, batch: int) -> None:
    """Run the images whose upset reaches a word, or, where there is a protection, all: these are all checked.

    Where a code of the memory detects the upset, the inference stops: there is no answer, whatever a run would give.
    """
    unit, program, protection = answers.unit, answers.program, answers.unit.setting.protection
    every = torch.arange(unit.start, unit.stop)
    with answers.timed():
        upsets = _upsets(answers, Clean(), device=model_under_test.device)
        machine: Machine = upsets
        protected, reached = None, torch.ones(len(unit), dtype=torch.bool)
        ids = model_under_test.data.ids[every]
        if protection is None:
            reached = sum(upsets.touched(ids).values(), torch.zeros(len(unit), dtype=torch.bool))
        elif unit.setting.fault_model is not None and unit.setting.fault_model.stored:
            protected = Residual(protection.on(Clean()))
            machine = _upsets(answers, protected, device=model_under_test.device)
        else:
            machine = protected = Residual(protection.on(upsets))
        answers.count(every, torch.ones(len(unit), dtype=torch.int64))
        stopped = stops(upsets, ids)
        if protection is None:
            reached = reached & ~stopped
        for places in torch.split(every[reached], batch):
            if len(places) == 0:  # `split` of no images yields one empty part
                continue
            ids, images = model_under_test.data.ids[places], model_under_test.images(places)
            answers.put(places, run(program, images, machine, ids=ids), work=len(places) * _work(program))
            if protected is not None:
                answers.enter(protected.accounts.values())
        answers.stop(every[stopped])


def stops(upsets: UpsetMachine, ids: Tensor) -> Tensor:
    """Whether a code detects the upset of each of the images `ids` [B] int64: bool [B]."""
    drawn = upsets.drawn(ids)
    return torch.tensor([image in drawn and detected(drawn[image][1]) for image in ids.tolist()], dtype=torch.bool)


def _upsets(answers: _Answers, inner: Machine, *, device: torch.device) -> UpsetMachine:
    setting, trial = answers.unit.setting, answers.unit.trial
    assert setting.fault_model is not None
    check_host(device, setting.fault_model)
    places = places_of(answers.program, setting.fault_model, where=setting.where)
    return UpsetMachine(inner, places, seed=setting.seed, trial=trial)


def _run_faulty(whole: _Answers, parts: Sequence[_Answers], model_under_test: ModelUnderTest, *, batch: int) -> None:
    """Run the images that a flip hits, and under the faults of the parts what differs from that."""
    unit, program = whole.unit, whole.program
    expected = unit.setting.flips_expected
    if parts:
        room.check_room(expected, rate=unit.setting.ber, bytes_a_flip=BYTES_A_FLIP_KEPT)
        batch = max(
            1,
            min(
                batch,
                _kept_at_once(model_under_test) // program.kept_bytes,
                int(room.DRAWN_AT_ONCE / max(1.0, expected)),
            ),
        )
    elif expected * min(batch, len(unit)) > room.DRAWN_AT_ONCE or (
        model_under_test.device.type == "cuda" and expected > SPARES_FEW
    ):
        _run_all(whole, model_under_test, batch=batch)
        return
    group = max(batch, min(len(unit), int(room.DRAWN_AT_ONCE / max(1.0, expected))))
    for places in torch.split(torch.arange(unit.start, unit.stop), group):
        with whole.timed():
            flips = trace(program, unit.setting.faults(unit.trial), model_under_test.data.ids[places])
            hit = places[_counted(flips, model_under_test.data.ids[places]) > 0]
        for here in torch.split(hit, batch):
            if len(here) == 0:  # `split` of no images yields one empty part
                continue
            ids = model_under_test.data.ids[here]
            with whole.timed():
                mine, images = flips.only(ids.numpy()), model_under_test.images(here)
                whole.count(here, _counted(mine, ids))
                machine = Faulty(Clean(), mine)
                if not parts:
                    whole.put(here, run(program, images, machine, ids=ids), work=len(here) * _work(program))
                    continue
                kept = run_and_keep(program, images, machine, ids=ids)
                whole.put(here, kept.result, work=len(here) * _work(program))
            for part in parts:
                with part.timed():
                    _run_part(part, here, kept, flips=mine)


def _kept_at_once(model_under_test: ModelUnderTest) -> int:
    if model_under_test.device.type != "cuda":
        return KEPT_AT_ONCE
    return max(KEPT_AT_ONCE, torch.cuda.mem_get_info(model_under_test.device)[0] // 4)


def _run_all(whole: _Answers, model_under_test: ModelUnderTest, *, batch: int) -> None:
    """Run all images, for few are not hit by so many flips: the machine draws them itself."""
    unit, program, faults = whole.unit, whole.program, whole.unit.setting.faults(whole.unit.trial)
    machine: Machine = Faulty(Clean(), faults, patches=patches_of(program, faults.where))
    recorded = _recorded(program, replace(faults, seed=0, trial=0), batch)
    with whole.timed():
        for places in torch.split(torch.arange(unit.start, unit.stop), batch):
            result, did = recorded.run(model_under_test.images(places), machine, ids=model_under_test.data.ids[places])
            whole.put(places, result, work=len(places) * _work(program))
            assert isinstance(did, Faulty)
            whole.count(places, did.counts)


@lru_cache(maxsize=2)
def _recorded(program: Program, faults: Faults, batch: int) -> DeviceGraph:
    """What is recorded of a program under such faults, kept from trial to trial: it holds the memory of a batch."""
    del faults
    return DeviceGraph(program, batch=batch)


def _run_part(part: _Answers, places: Tensor, kept: KeptRun, *, flips: Flips) -> None:
    """Run again what differs without the flips that a part spares; an image that spares all is clean."""
    program, faults = part.program, part.unit.setting.faults(part.unit.trial)
    chosen = exposed(flips, program.costs, faults, patches=patches_of(program, faults.where))
    remaining = flips.take(chosen)
    counts = _counted(remaining, kept.ids)
    part.count(places, counts)
    hit = counts > 0
    touched = {site: (_counted(gone, kept.ids) > 0) & hit for site, gone in flips.take(~chosen).by_site().items()}
    again = rerun(kept, Faulty(Clean(), remaining), touched=touched)
    result = RunResult(logits=again.result.logits.cpu()[hit], non_finite=again.result.non_finite[hit])
    part.put(places[hit], result, work=again.work)


def _counted(flips: Flips, ids: Tensor) -> Tensor:
    """The number of flips [B] int64 of each of the images `ids` [B]."""
    return torch.from_numpy(flips.per_image(ids.numpy()))
