"""The request to a verb, defaults filled in; and its set-up: the model under test, measured into a store."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from radhard.campaign.execute import WHOLE, Progress, Shard, execute
from radhard.campaign.executor import Executor, Skipped, Workers
from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.model_under_test import ModelUnderTest, clean_setting, faulty_setting, upset_setting
from radhard.campaign.shards import sharded
from radhard.campaign.store import Store
from radhard.errors import InputError, as_option
from radhard.faults import Where
from radhard.hardware import FaultModel
from radhard.machine import Kind
from radhard.models.data.splits import Split
from radhard.program import Program
from radhard.protection import Plan
from radhard.studies.data import Data
from radhard.studies.kept_results import keep
from radhard.studies.model import Model
from radhard.studies.open_store import open_store
from radhard.studies.open_workers import open_workers
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.progress import Known, Report, Watched, accuracy_so_far, follow, silent
from radhard.studies.result import Result
from radhard.studies.under_test import recipe_of, under_test

R = TypeVar("R", bound=Result)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Where outcomes are kept, and what runs what is missing."""

    store: Store
    workers: Workers


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """A model under test, of which the `store` holds outcomes, in a recipe, under faults."""

    model_under_test: ModelUnderTest
    recipe: str
    faults: FaultOptions
    run: RunOptions
    store: Store
    workers: Workers
    report: Report

    @property
    def executor(self) -> Executor:
        """Runs what the store lacks, or the part of it that falls to the shard."""
        return sharded(self.workers.on(self.model_under_test, batch=self.run.batch), self.shard)

    @property
    def shard(self) -> Shard:
        """The part of the work that is done."""
        return Shard(index=self.run.shard[0], of=self.run.shard[1])

    def at(self, ber: float) -> Setting:
        """The model with nothing protected, at a rate; at 0 without faults."""
        return clean_setting(self.model_under_test, self.recipe) if ber == 0 else self.exposed(ber)

    def counted(self, flips: int) -> Setting:
        """The model with nothing protected, in which so many bits of each inference flip; at 0 without faults."""
        if not flips:
            return clean_setting(self.model_under_test, self.recipe)
        faults = self.faults
        return faulty_setting(
            self.model_under_test,
            self.recipe,
            flips=flips,
            kinds=faults.kinds,
            where=faults.where,
            seed=faults.seed,
            words=faults.words,
        )

    def upset(self, fault_model: FaultModel) -> Setting:
        """The model with nothing protected, with one upset an inference. InputError where it has no place."""
        faults = self.faults
        return upset_setting(self.model_under_test, self.recipe, fault_model, where=faults.where, seed=faults.seed)

    def exposed(self, ber: float, *, kinds: frozenset[Kind] | None = None, where: Where | None = None) -> Setting:
        """The same, whose exposed bits are counted at rate 0, too; of other kinds or sites than `faults` says."""
        faults = self.faults
        return faulty_setting(
            self.model_under_test,
            self.recipe,
            ber=ber,
            kinds=faults.kinds if kinds is None else kinds,
            where=faults.where if where is None else where,
            seed=faults.seed,
            words=faults.words,
        )

    def execute(self, campaign: Campaign, *, shard: Shard = WHOLE, task: str = "") -> None:
        """Run what the store lacks of a campaign, and report it."""
        executor = self.executor if shard == WHOLE else self.workers.on(self.model_under_test, batch=self.run.batch)
        states = execute(campaign, self.store, executor=executor, shard=shard, model_under_test=self.model_under_test)
        self.follow(states, task=task)

    def follow(self, states: Iterable[Progress | Skipped], *, task: str = "", known: Known = accuracy_so_far) -> None:
        """Run what yields progress to its end, and report it."""
        follow(states, model=self.model_under_test.model, report=self.report, task=task, known=known)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A model, data, and how they are prepared and run; `report` is told of the way."""

    model: Model
    data: Data | None
    model_options: ModelOptions
    data_options: DataOptions
    faults: FaultOptions
    run: RunOptions
    report: Watched

    def __post_init__(self) -> None:
        _ = self.faults.where  # what is wrong with a selection is told before the work

    @classmethod
    def of(
        cls,
        model: Model,
        data: Data | None,
        *,
        model_options: ModelOptions | None,
        data_options: DataOptions | None,
        faults: FaultOptions | None = None,
        run: RunOptions | None,
        progress: Report | None,
    ) -> "Request":
        """What a verb was given, with the default of each option that is None."""
        return cls(
            model=model,
            data=data,
            model_options=model_options or ModelOptions(),
            data_options=data_options or DataOptions(),
            faults=faults or FaultOptions(),
            run=run or RunOptions(),
            report=Watched(report=progress or silent),
        )

    def in_recipe(self, recipe: str) -> "Request":
        """The same, of this recipe."""
        return replace(self, model_options=replace(self.model_options, recipe=recipe))

    def under_test(
        self,
        *,
        images: int | None,
        store: Store | None = None,
        part: Split = "evaluate",
        plans: Mapping[str, Plan] | None = None,
    ) -> ModelUnderTest:
        """The model under test. At least `images` are wanted; the rest is as `under_test` has it."""
        return under_test(
            self.model,
            self.data,
            model_options=self.model_options,
            data_options=self.data_options,
            images=images,
            device=self.run.device,
            store=store,
            plans=plans,
            part=part,
            places=Where(layers=self.faults.layer, modules=self.faults.module),
            progress=self.report,
        )

    @property
    def skipped(self) -> tuple[str, ...]:
        """The jobs that were skipped so far."""
        return tuple(self.report.skipped)

    @contextmanager
    def resources(self) -> Iterator[Resources]:
        """The store and the workers that `run` names, open until the end of the block."""
        with (
            open_store(self.run.store, journal=self.run.journal, progress=self.report) as store,
            open_workers(self.run) as workers,
            self.report.beside_store(store.path if self.run.store is not None and store.writable else None),
        ):
            yield Resources(store=store, workers=workers)

    def kept(self, result: R, resources: Resources, *, verb: str, program: Program, **own: object) -> R:
        """The result, kept in the store that the user named; `own`: what the verb was told beside its options."""
        keep(result, resources.store, verb=verb, request=self, program=program, **own)
        return result

    def set_up(
        self,
        resources: Resources,
        *,
        images: int | None,
        part: Split = "evaluate",
        plans: Mapping[str, Plan] | None = None,
    ) -> SetUp:
        """The model under test, to be measured."""
        return self.on(self.under_test(images=images, store=resources.store, part=part, plans=plans), resources)

    def on(self, model_under_test: ModelUnderTest, resources: Resources) -> SetUp:
        """A model under test, or a part of its images, to be measured."""
        return SetUp(
            model_under_test=model_under_test,
            recipe=recipe_of(model_under_test, self.model_options),
            faults=self.faults,
            run=self.run,
            store=resources.store,
            workers=resources.workers,
            report=self.report,
        )


def check_width(run: RunOptions, *, such_as: str) -> None:
    """Raise InputError for a width of intervals that is none in percentage points."""
    if run.until_width is not None and not 0 < run.until_width <= 100:
        raise InputError(
            f"--until-width {run.until_width:g}: give percentage points above 0 and up to 100, such as {such_as}"
        )


def check_only(run: RunOptions, names: Sequence[str], *, verb: str) -> None:
    """Raise InputError for an option of a run that the verb does not take."""
    unset = RunOptions()
    for each in fields(run):
        value = getattr(run, each.name)
        if each.name not in names and value != getattr(unset, each.name):
            taken = " and ".join(map(as_option, names))
            raise InputError(f"{as_option(each.name)} {value}: {verb} takes {taken} alone; leave it out")
