"""Runs the units that a campaign still lacks: clean outcomes, then the trials; each unit is stored when done."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from radhard.campaign.derived import contradiction
from radhard.campaign.executor import Executor, Skipped
from radhard.campaign.experiment import Campaign, Unit
from radhard.campaign.measure import Job
from radhard.campaign.model_under_test import ModelUnderTest, descriptions, made_by
from radhard.campaign.outcomes import Outcome, Tally, add, empty_tally
from radhard.campaign.store import Key, Provenance, Store
from radhard.errors import InputError

Group = tuple[Unit, ...]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Part `index` (from 1) `of` a campaign that is split by hand: every `of`-th of what is measured together."""

    index: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.of:
            raise InputError(f"shard {self.index}/{self.of}: the first number goes from 1 to the second")

    def share(self, groups: Iterable[Group]) -> list[Group]:
        """The units that fall to this shard, by the position of what is measured together."""
        return list(groups)[self.index - 1 :: self.of]


WHOLE = Shard()


@dataclass(frozen=True, kw_only=True)
class Progress:
    """After `unit` was stored: units `done` of `total`, the pace, the time left, its setting's `tally`."""

    unit: Unit
    done: int
    total: int
    images_per_second: float
    seconds_left: float
    tally: Tally


@dataclass(kw_only=True)
class _Pace:
    """How long units of each setting take, and what that says of those to come."""

    began: float = field(default_factory=time.perf_counter)
    images: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    latest: str = ""

    def note(self, unit: Unit, seconds: float) -> None:
        """Note the seconds that a unit took."""
        self.latest = unit.setting.digest
        self.images += len(unit)
        sums = self.seconds.setdefault(self.latest, [0.0, 0.0])
        sums[0] += seconds
        sums[1] += len(unit)

    def expected(self, images_of: Mapping[str, int]) -> float:
        """Seconds for so many images of each setting; one not seen yet is taken to be like the latest."""
        worked = sum(seconds for seconds, _ in self.seconds.values())
        efficiency = (time.perf_counter() - self.began) / worked if worked else 1.0
        rates = {digest: seconds / images for digest, (seconds, images) in self.seconds.items()}
        total = sum(n * rates.get(digest, rates.get(self.latest, 0.0)) for digest, n in images_of.items())
        return total * efficiency

    def images_per_second(self) -> float:
        """Images done for each second since the start."""
        return self.images / max(time.perf_counter() - self.began, 1e-9)


class _Run:
    """One execution of a campaign: what is wanted, and what is known so far of each of its settings."""

    def __init__(
        self, campaign: Campaign, store: Store, executor: Executor, *, model_under_test: ModelUnderTest | None
    ) -> None:
        self.store, self.executor = store, executor
        self.made_by = {} if model_under_test is None else made_by(model_under_test)
        self.programs = {} if model_under_test is None else descriptions(model_under_test)
        self.labels = None if model_under_test is None else model_under_test.data.labels.numpy()
        self.clean: dict[Key, Outcome] = {}
        self.whole = campaign.whole
        self.pace = _Pace()
        self.nothing = empty_tally(campaign.images)
        self.tallies = {setting.digest: self.nothing for setting in campaign.settings}
        self.done = self.total = 0
        self.images_left: dict[str, int] = {}

    def want(self, units: Iterable[Unit], *, sign: int = 1) -> None:
        """Add units to what is left to do; with sign -1 take them away again."""
        for unit in units:
            self.total += sign
            digest = unit.setting.digest
            self.images_left[digest] = self.images_left.get(digest, 0) + sign * len(unit)

    def count(self, unit: Unit, outcome: Outcome) -> None:
        """Count an outcome that is in the store."""
        digest = unit.setting.digest
        self.done += 1
        self.images_left[digest] -= len(unit)
        if digest in self.tallies:
            self.tallies[digest] = add(self.tallies[digest], outcome, start=unit.start)

    def check(self, unit: Unit, outcome: Outcome) -> None:
        """Raise StoreError if an outcome that the store held contradicts what follows from others and the labels."""
        clean = None if unit.setting.reference else self._clean(unit)
        labels = None if self.labels is None else self.labels[unit.start : unit.stop]
        if wrong := contradiction(unit, outcome, clean=clean, labels=labels):
            raise self.store.damaged(unit.key, wrong)

    def _clean(self, unit: Unit) -> Outcome | None:
        """The clean outcome of the same images, if it is known."""
        clean = unit.without_faults()
        if clean.key not in self.clean and (known := self.store.outcome(clean)) is not None:
            self.clean[clean.key] = known
        return self.clean.get(clean.key)

    def run(self, groups: Iterable[Group]) -> Iterator[Progress | Skipped]:
        """Count the units that the store holds; measure and store the others."""
        missing: list[Group] = []
        for group in groups:
            lacking = []
            for unit in group:
                if (outcome := self.store.outcome(unit)) is None:
                    lacking.append(unit)
                else:
                    self.check(unit, outcome)
                    self.count(unit, outcome)
            if lacking:
                missing.append(tuple(lacking))
        wanted = {unit for group in missing for unit in group}
        for group in [group for group in missing if not self.comparable(group)]:
            missing.remove(group)
            self.want(group, sign=-1)
            why = "the job of the clean outcome of its images was skipped"
            yield Skipped(job=Job(units=group, clean=None), ends=0, why=why)
        for done in self.executor.run(map(self.job, missing)):
            if isinstance(done, Skipped):
                self.want((unit for unit in done.job.units if unit in wanted), sign=-1)
                yield done
                continue
            for unit, measured in zip(done.job.units, done.measured, strict=True):
                how = Provenance(
                    seconds=measured.seconds,
                    passes=measured.passes,
                    made_by=done.made_by or self.made_by.get(unit.setting.program, "{}"),
                )
                described = self.programs.get(unit.setting.program, "")
                self.store.write(unit, measured.outcome, provenance=how, program=described)
                if unit not in wanted:  # a whole that was known already, and has come out the same again
                    continue
                self.count(unit, measured.outcome)
                self.pace.note(unit, measured.seconds)
                yield Progress(
                    unit=unit,
                    done=self.done,
                    total=self.total,
                    images_per_second=self.pace.images_per_second(),
                    seconds_left=self.pace.expected(self.images_left),
                    tally=self.tallies.get(unit.setting.digest, self.nothing),
                )

    def comparable(self, units: Group) -> bool:
        """Whether units are clean themselves, or the clean outcome of their images is known."""
        return units[0].setting.reference or self._clean(units[0]) is not None

    def job(self, units: Group) -> Job:
        """Units with the clean outcome that they are compared with, and the whole of the faults to start from."""
        first = units[0]
        if first.setting.reference:
            return Job(units=units, clean=None)
        if self.whole is not None and first.setting != self.whole:
            start = first.without_faults() if self.whole.reference else replace(first, setting=self.whole)
            units = (start, *units)
        return Job(units=units, clean=self._clean(first))


def execute(
    campaign: Campaign,
    store: Store,
    *,
    executor: Executor,
    shard: Shard = WHOLE,
    model_under_test: ModelUnderTest | None = None,
) -> Iterator[Progress | Skipped]:
    """Measure the units that the store lacks and store each; yields after every one, and every job that is skipped.

    `model_under_test`: what is kept of each result's program, and the labels that outcomes in the store are
    compared with.
    Raises InputError if a shard is asked for together with a stop rule, which must see whole trials.
    """
    if campaign.stop is not None and shard.of > 1:
        raise InputError(
            f"shard {shard.index}/{shard.of} together with the stop rule {campaign.stop.name}: a shard does "
            "not see whole trials, so it cannot tell when to stop; leave one of the two out"
        )
    work = _Run(campaign, store, executor, model_under_test=model_under_test)
    every = shard.share(campaign.groups())
    clean = {unit.without_faults().key: unit.without_faults() for group in every for unit in group}
    faulty = [tuple(unit for unit in group if not unit.setting.reference) for group in every]
    work.want([*clean.values(), *(unit for group in faulty for unit in group)])
    yield from work.run((unit,) for unit in clean.values())
    if campaign.stop is None:
        yield from work.run(faulty)
        return
    for trial in range(campaign.trials):
        yield from work.run(tuple(unit for unit in group if unit.trial == trial) for group in faulty)
        enough = {s.digest for s in campaign.settings if campaign.stop.reached(work.tallies[s.digest])}
        dropped = {u for group in faulty for u in group if u.setting.digest in enough and u.trial > trial}
        work.want(dropped, sign=-1)
        faulty = [tuple(unit for unit in group if unit not in dropped) for group in faulty]
