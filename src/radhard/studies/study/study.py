"""The verb `study`: from a model to a report and a hardened file, in one folder, which a run after a kill goes on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from radhard.protection import read_method
from radhard.report.study import StudyRecord
from radhard.studies.data import Data
from radhard.studies.model import Model
from radhard.studies.open_workers import with_open_workers
from radhard.studies.options import CompareOptions, DataOptions, FaultOptions, ModelOptions, PlanOptions, RunOptions
from radhard.studies.progress import Report, silent
from radhard.studies.request import check_only
from radhard.studies.result import Result
from radhard.studies.study.going_on import check_same, going_on
from radhard.studies.study.pace import Clock
from radhard.studies.study.protecting import plan_options as default_limits
from radhard.studies.study.study_folder import StudyFolder
from radhard.studies.study.study_run import StudyRun
from radhard.studies.study.study_steps import wanted
from radhard.studies.study_file.study import Study

SCHEMES = ("lb-abft:policy=leave", "lb-abft", "standard-abft", "row-abft", "tmr")
"""The schemes that a study compares, unless others are stated: the paper's first."""

_RUN = ("batch", "device", "journal", "workers", "cluster")
_CHUNK = 25
"""Images a unit: what a kill loses at most."""


@dataclass(frozen=True, kw_only=True, repr=False)
class StudyResult(Result):
    """What became of each step, and the folder that holds everything.

    >>> import tempfile, torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Linear(8, 4)).eval()
    >>> images = torch.randn(60, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = rh.study(model, (images, labels), out=folder, only=["sweep"])
    >>> [row["name"] for row in result.rows()]
    ['sweep']
    """

    record: StudyRecord

    @property
    def headline(self) -> str:
        """`fashion-vit, int8: 10 steps done, 1 skipped, in study`."""
        done = sum(step["state"] == "done" for step in self.record["steps"])
        left = len(self.record["steps"]) - done
        return f"{self.record['model']}, {self.record['recipe']}: {done} steps done, {left} skipped, in {self.folder}"

    @property
    def folder(self) -> Path:
        """Where everything is."""
        return Path(self.record["folder"])

    def next_lines(self) -> list[str]:
        """What there is to read now, and what to type next."""
        folder = StudyFolder(path=self.folder)
        found = [f"The report is {folder.page}."] if folder.page.is_file() else []
        if folder.hardened.is_file():
            found.append(f"The hardened model is {folder.hardened}: torch.export.load after `import radhard.kernels`.")
        found.append(f"Every command goes on from here: `radhard vulnerability --study {folder.file} --by site`.")
        return found

    def rows(self) -> list[dict[str, object]]:
        """One row a step."""
        return [dict(step) for step in self.record["steps"]]

    def to_dict(self) -> StudyRecord:
        """The record of the model in `radhard study --json`."""
        return self.record


def study(
    model: Model,
    data: Data | None = None,
    *,
    out: str | Path = "study",
    budget: float | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    plan_ber: float | None = None,
    images: int | None = None,
    trials: int | None = None,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    plan_options: PlanOptions | None = None,
    compare_options: CompareOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
    clock: Clock = time.perf_counter,
) -> StudyResult:
    """Study a model in the folder `out`, in about `budget` seconds (default: 480): measure, plan, compare, harden.

    `only` and `skip` name steps. Images and trials follow from the budget, unless `images` or `trials` say them; they
    and all options are in `out`/study.toml. Steps that are done there are not done again, and what the store there
    holds is not measured again. A step that has nothing to measure is skipped, which is recorded with its reason.
    `plan_ber` is the rate to plan for (default: the one that costs 10 points). `progress` is told what is going to be
    done (`Scheduled`). InputError for a folder that holds another study and for a budget in which nothing fits; other
    errors are those of the verbs.

    >>> import tempfile, torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 8), torch.nn.Linear(8, 4)).eval()
    >>> images = torch.randn(60, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> labels = model(images).argmax(1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rh.study(model, (images, labels), out=folder, only=["sweep", "points"])
    <StudyResult: Sequential, int8: 2 steps done, 0 skipped, in ...>
    """
    began, run = clock(), run or RunOptions()
    check_only(run, _RUN, verb="study")
    folder, chosen = StudyFolder(path=Path(out)), wanted(only=only, skip=skip)
    asked = Study(
        model=str(model) if isinstance(model, str | Path) else None,
        data="fashion-mnist" if data is None else str(data) if isinstance(data, str | Path) else None,
        model_options=model_options or ModelOptions(),
        data_options=data_options or DataOptions(),
        faults=faults or FaultOptions(),
        run=replace(run, store=folder.store, images=images, chunk=_CHUNK),
        plan_options=plan_options or default_limits(),
        compare_options=compare_options or CompareOptions(schemes=SCHEMES),
    )  # fmt: skip
    for scheme in asked.compare_options.schemes:
        _ = read_method(scheme) if isinstance(scheme, str) else scheme
    before = Study.read(folder.file) if folder.file.is_file() else None
    if before is not None:
        check_same(asked, before, file=folder.file, trials=trials)
        asked = going_on(before, asked)
    folder.make()
    with with_open_workers(asked.run) as opened:
        work = StudyRun(
            model=model,
            data=data,
            study=replace(asked, run=opened),
            folder=folder,
            report=progress or silent,
            clock=clock,
            began=began,
            budget=budget,
            images=images,
            most=None if before is None else before.run.images,
            trials=trials if before is None else before.run.trials,
            named=only,
            plan_ber=plan_ber,
        )
        return StudyResult(record=work.run(chosen))
