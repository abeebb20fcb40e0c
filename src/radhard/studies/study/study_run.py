"""A study as it runs: prepared, timed, told what is to come, step by step, written down."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from radhard.campaign.model_under_test import ModelUnderTest
from radhard.errors import InputError
from radhard.program import write_calibration
from radhard.report.study import State, StudyRecord, StudyStepRecord
from radhard.studies.command_line import command_line
from radhard.studies.data import Data
from radhard.studies.model import Model
from radhard.studies.progress import Report
from radhard.studies.request import Request
from radhard.studies.study.extent import LEAST, Extent, clock, fit
from radhard.studies.study.pace import Clock, Pace, at_rate, measure_pace
from radhard.studies.study.study_events import FittedAgain, Scheduled, StepEnded, StepExpected
from radhard.studies.study.study_folder import StudyFolder
from radhard.studies.study.study_step import Here, StepSkipped, StudyStep
from radhard.studies.study.study_steps import MEASURED, THIRD, with_needed
from radhard.studies.study_file.study import Study
from radhard.studies.under_test import recipe_of

BUDGET = 480.0
"""Seconds that a study takes, unless another budget is stated."""


@dataclass(frozen=True, kw_only=True)
class StudyRun:
    """A study that is being done.

    `budget`, `images`, `trials` and `plan_ber`: what was stated, or None. `most`: no more images than these, because
    steps of a run before have so many. `named`: steps that were asked for by name.
    """

    model: Model
    data: Data | None
    study: Study
    folder: StudyFolder
    report: Report
    clock: Clock
    began: float
    budget: float | None
    images: int | None
    most: int | None
    trials: int | None
    named: Sequence[str]
    plan_ber: float | None

    def run(self, chosen: Sequence[StudyStep]) -> StudyRecord:
        """Everything: prepare, measure the pace, say what is to come, do the steps, and write it down."""
        here = self._prepared()
        done = frozenset(path.stem for path in self.folder.step("x").parent.glob("*.json"))
        steps = with_needed(chosen, done=done, rate_stated=self.plan_ber is not None)
        left = [step for step in steps if step.name not in done]
        unable = {step.name: why for step in left if (why := _unable(step, here))}
        able = [step for step in left if step.name not in unable]
        most = _most(self.most, _available(here))
        pace = self._pace(here, images=self.images or most) if any(step.measures for step in able) else None
        images, trials = self.images or self.most or 1, self.trials or 1
        extent = Extent(images=images, trials=trials, seconds={}, left_out={})
        if pace is not None:
            extent = self._extent(able, pace, most=most, trials=self.trials)
        extent = replace(extent, left_out={**unable, **extent.left_out})
        run = replace(here.study.run, images=self.most or extent.images, trials=extent.trials)
        here = replace(here, study=replace(here.study, run=run), images=run.images)
        self._write(here.study)
        self.report(self._scheduled(here, left, extent, done=done & {step.name for step in chosen}))
        records: list[StudyStepRecord] = []
        earlier = self._earlier()
        for step in steps:
            if step.name in done:
                records.append(earlier.get(step.name) or step_record(step, here, state="done", line="done before"))
                continue
            records.append(self._step(step, here, extent))
            self.report(StepEnded(model=here.model_under_test.model, step=records[-1]))
            self._summary(here, extent, records)
            if step.name == "points" and pace is not None:
                extent = self._fitted_again(here, able[able.index(step) + 1 :], pace, extent)
        return self._summary(here, extent, records)

    def _extent(
        self, left: Sequence[StudyStep], pace: Pace, *, most: int, trials: int | None, begun: bool = False
    ) -> Extent:
        """What fits into the time that is left; once steps have `begun`, too little time is passed, not refused."""
        seconds = BUDGET if self.budget is None else self.budget
        stated = self.budget is not None and not begun
        spent = self.clock() - self.began
        if stated and spent >= seconds:
            raise InputError(
                f"--budget {clock(seconds)}: capturing, calibrating and timing the model took {clock(spent)} already: "
                f"give --budget {math.ceil((spent + seconds) / 60)}m or more"
            )
        # of a budget that nobody stated, steps have half, however long it took to prepare them
        usable = max(seconds - spent, 0.0 if begun or stated else seconds / 2)
        workers = self.study.run.workers
        return fit(
            left,
            pace,
            budget=usable,
            stated=stated,
            spent=seconds - usable,
            available=most,
            named=self.named,
            images=self.images,
            trials=trials,
            workers=workers if isinstance(workers, int) else 1,
        )

    def _fitted_again(self, here: Here, left: Sequence[StudyStep], pace: Pace, extent: Extent) -> Extent:
        """The extent for the steps that are left, once their rate is known: before it, the pace was that of a guess."""
        ber = here.known_ber
        if ber is None or not any(step.measures for step in left):
            return extent
        again = self._pace(here, images=extent.images, known=pace)
        found = self._extent(left, again, most=extent.images, trials=extent.trials, begun=True)
        found = replace(
            found, seconds={**extent.seconds, **found.seconds}, left_out={**extent.left_out, **found.left_out}
        )
        self.report(
            FittedAgain(
                model=here.model_under_test.model,
                ber=ber,
                images=found.images,
                before=extent.images,
                left_out=tuple((name, why) for name, why in found.left_out.items() if name not in extent.left_out),
                seconds=sum(found.seconds.get(step.name, 0.0) for step in left),
            )
        )
        return found

    def _prepared(self) -> Here:
        """The model under test, with its scales in a file that later verbs take, and digests that it must have."""
        study = self.study
        first = self._under_test(study, self.model)
        recipe = recipe_of(first, study.model_options)
        found = first.programs[recipe].calibration
        options = study.model_options
        if found is not None and not options.scales:
            self.folder.write(self.folder.scales, lambda draft: write_calibration(found, draft))
            options = replace(options, scales=(self.folder.scales,))
        options = replace(options, recipe=recipe, program_digest=first.programs[recipe].digest)
        data_options = replace(study.data_options, data_digest=first.data.digest)
        model: Model = self.model
        if isinstance(model, nn.Module | ExportedProgram) and "float" in first.programs:
            model = first.programs["float"]  # captured once
            options = replace(options, anatomy=None)
        study = replace(study, model_options=options, data_options=data_options)
        return Here(
            given=self.model,
            model=model,
            data=self.data,
            study=study,
            folder=self.folder,
            model_under_test=first,
            recipe=recipe,
            plan_ber=self.plan_ber,
            report=self.report,
        )

    def _request(self, study: Study, model: Model) -> Request:
        return Request.of(
            model, self.data, model_options=study.model_options, data_options=study.data_options, faults=study.faults,
            run=study.run, progress=self.report,
        )  # fmt: skip

    def _under_test(self, study: Study, model: Model) -> ModelUnderTest:
        return self._request(study, model).under_test(images=None)

    def _pace(self, here: Here, *, images: int, known: Pace | None = None) -> Pace:
        """The pace of the model; where it is `known`, what depends on the rate of plans is measured again.

        Of `images` the steps that take the longest have a third: so many are measured at a time.
        """
        few = max(LEAST, int(images * THIRD))
        request = self._request(here.study, here.model)
        start, ber = self.clock(), here.known_ber
        with request.resources() as resources:
            set_up = request.set_up(resources, images=None)
            opening = self.clock() - start
            if known is not None and ber is not None:
                return at_rate(known, set_up, ber=ber, schemes=MEASURED, images=few, clock=self.clock)
            return measure_pace(set_up, schemes=MEASURED, opening=opening, images=few, ber=ber, clock=self.clock)

    def _write(self, study: Study) -> None:
        calibration = study.data_options.calibration
        if calibration is not None and not isinstance(calibration, str):  # in memory, as the data then are
            study = replace(study, data_options=replace(study.data_options, calibration=None))
        workers = study.run.workers
        run = replace(study.run, workers=workers if isinstance(workers, int) else None)
        self.folder.write(self.folder.file, replace(study, run=run).write)

    def _scheduled(self, here: Here, left: Sequence[StudyStep], extent: Extent, *, done: frozenset[str]) -> Scheduled:
        expected = [
            StepExpected(
                name=step.name,
                does=step.does,
                images=step.images(extent.images, least=LEAST),
                seconds=extent.seconds[step.name],
            )
            for step in left
            if step.name in extent.seconds
        ]
        return Scheduled(
            model=here.model_under_test.model,
            images=extent.images,
            trials=extent.trials,
            available=len(here.model_under_test.data),
            steps=tuple(expected),
            left_out=tuple(extent.left_out.items()),
            done=tuple(sorted(done)),
            seconds=extent.total,
            folder=str(self.folder.path),
        )

    def _step(self, step: StudyStep, here: Here, extent: Extent) -> StudyStepRecord:
        """Do a step, or say why it is skipped."""
        images, start = step.images(extent.images, least=LEAST), self.clock()
        own = replace(here, study=replace(here.study, run=replace(here.study.run, images=images)))
        estimated = extent.seconds.get(step.name)

        def skipped(why: str) -> StudyStepRecord:
            return step_record(step, own, state="skipped", line=why, estimated=estimated, seconds=self.clock() - start)

        if step.name in extent.left_out:
            return skipped(extent.left_out[step.name])
        missing = [need for need in step.needs if not self.folder.step(need).is_file()]
        if missing and not (here.plan_ber is not None and missing == ["points"]) and len(missing) == len(step.needs):
            return skipped(f"step {missing[0]} has no result")
        try:
            with torch.no_grad(), _called(f"study --study {self.folder.file} --only {step.name}"):
                found = step.run(own)
        except (StepSkipped, InputError) as why:  # nothing to measure here, with the reason; no number is made up
            text = why.on_command_line if isinstance(why, InputError) else str(why)
            return skipped(text)
        if found.drawn is not None:
            found.drawn.plot(self.folder.figure(step.name))
        if found.envelope is None:
            return step_record(step, own, state="done", line=found.line, seconds=self.clock() - start)
        self.folder.write_json(self.folder.step(step.name), found.envelope.as_dict())
        return step_record(
            step, own, state="done", line=found.line, estimated=estimated, seconds=self.clock() - start,
            command=found.envelope.command, file=str(self.folder.step(step.name).relative_to(self.folder.path)),
        )  # fmt: skip

    def _earlier(self) -> dict[str, StudyStepRecord]:
        """The records of steps of a run before."""
        if not self.folder.summary.is_file():
            return {}
        models: Any = self.folder.read(self.folder.summary).get("models") or [{}]
        return {step["name"]: step for step in models[0].get("steps", ()) if step["state"] == "done"}

    def _summary(self, here: Here, extent: Extent, steps: Sequence[StudyStepRecord]) -> StudyRecord:
        under = here.model_under_test
        record = StudyRecord(
            model=under.model,
            recipe=here.recipe,
            data=under.data.name,
            program=under.programs[here.recipe].digest,
            data_digest=under.data.digest,
            labelled=here.labelled,
            images=here.images or extent.images,
            trials=extent.trials,
            budget=self.budget,
            estimated=extent.total,
            seconds=self.clock() - self.began,
            plan_ber=here.plan_ber,
            folder=str(self.folder.path),
            steps=list(steps),
        )
        envelope = here.envelope(f"study --study {self.folder.file}", record)
        self.folder.write_json(self.folder.summary, envelope.as_dict())
        return record


def _unable(step: StudyStep, here: Here) -> str:
    """Why a step cannot be done with these images; "" if it can."""
    count = len(here.model_under_test.data)
    if step.apart and count < 3 * LEAST:
        return f"{count} images are too few: {3 * LEAST} at least evaluate, choose and judge"
    return ""


def _available(here: Here) -> int:
    """How many images can evaluate while as many others choose and as many judge; of few all, as nothing is planned."""
    count = len(here.model_under_test.data)
    return count // 3 if count >= 3 * LEAST else count


def _most(most: int | None, available: int) -> int:
    return available if most is None else min(most, available)


def step_record(
    step: StudyStep,
    here: Here,
    *,
    state: State,
    line: str,
    estimated: float | None = None,
    seconds: float | None = None,
    command: str = "",
    file: str = "",
) -> StudyStepRecord:
    """A step as its study records it."""
    return StudyStepRecord(
        name=step.name,
        does=step.does,
        state=state,
        line=line,
        images=here.study.run.images or 0,
        trials=here.study.run.trials,
        estimated=estimated,
        seconds=seconds,
        command=command,
        file=file,
    )


@contextmanager
def _called(line: str) -> Iterator[None]:
    """Results that are kept within are told to be of this command line."""
    token = command_line.set(f"radhard {line}")
    try:
        yield
    finally:
        command_line.reset(token)
