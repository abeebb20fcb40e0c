"""What `radhard vulnerability` runs and shows: studies at given bit error rates, or at those that cost a loss."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from radhard.analysis.intervals import Interval
from radhard.analysis.operating import operating_point
from radhard.analysis.vulnerability import Study, explore, loss, passes, so_far, vulnerability
from radhard.campaign.bench import Bench, faulty_setting
from radhard.campaign.components import By, take_apart
from radhard.campaign.counted import count
from radhard.campaign.execute import Progress, execute
from radhard.campaign.executor import Executor
from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.rates import whole_curve
from radhard.campaign.store import Store
from radhard.cli.live import Course, accuracy_so_far, follow, percent
from radhard.faults import Where
from radhard.machine import Kind
from radhard.machine.device import device_name
from radhard.report.factors import Explored, explored_record, factors_table, summary, write_factors
from radhard.report.heatmap import draw_heatmap
from radhard.report.patches import Image, heatmap_data
from radhard.report.vulnerability import draw_vulnerability, vulnerability_data
from radhard.version import VERSION
from radhard.words import Words

FRAGILE = 30
"""How many times lower than the range of the zoo's models a loss is searched: small models fail at fewer flips."""

MOST = 0.5
"""At this rate a word is noise; at a higher one faults would begin to restore it."""


@dataclass(frozen=True, kw_only=True)
class Explorer:
    """A model's studies: all that they share but the bit error rate."""

    bench: Bench
    recipe: str
    by: By
    grid: tuple[int, int] | None
    only: tuple[str, ...]
    kinds: frozenset[Kind]
    where: Where
    seed: int
    words: Words
    images: int
    trials: int
    chunk: int
    until_width: float | None
    store: Store
    executor: Executor
    course: Course
    console: Console

    def at(self, ber: float) -> Explored:
        """The factors at a rate."""
        study = self._study(ber)
        progress = explore(study, self.store, executor=self.executor, bench=self.bench)

        def describe(state: Progress) -> str:
            known = so_far(study, state, store=self.store)
            name = next((c.name for c in study.parts.components if c.protected == state.unit.setting), "")
            return accuracy_so_far(state) if known is None else f"factor of {name} {percent(known)}"

        follow(progress, course=self.course, console=self.console, so_far=describe)
        found, bench = vulnerability(study, store=self.store), self.bench
        return Explored(found=found, pixels=bench.pixels, device=device_name(bench.device))

    def at_loss(self, points: float) -> Explored:
        """The factors at the rate that costs so much accuracy, as a share of all answers."""
        bits = self._setting(0.0).bits
        lowest, highest = whole_curve(bits, recipe=self.recipe, points=2)
        self._study(lowest)  # what is wrong with the selection is told before the search
        found = operating_point(points, lost_at=self._lost_at, lowest=lowest / FRAGILE, highest=min(highest, MOST))
        searched = sum(passes(self._campaign(ber), self._setting(ber), store=self.store) for ber, _ in found.tried)
        return replace(self.at(found.ber), point=found, searched=searched)

    def _lost_at(self, ber: float) -> Interval:
        setting, campaign = self._setting(ber), self._campaign(ber)
        progress = execute(campaign, self.store, executor=self.executor, bench=self.bench)
        follow(progress, course=replace(self.course, model=f"{self.course.model}, searching"), console=self.console)
        clean = count(campaign, setting.without_faults(), store=self.store)
        return loss(count(campaign, setting, store=self.store).tally, clean=clean.tally)

    def _campaign(self, ber: float) -> Campaign:
        return Campaign(settings=(self._setting(ber),), images=self.images, trials=self.trials, chunk=self.chunk)

    def _setting(self, ber: float) -> Setting:
        return faulty_setting(
            self.bench,
            self.recipe,
            ber=ber,
            kinds=self.kinds,
            where=self.where,
            seed=self.seed,
            words=self.words,
        )

    def _study(self, ber: float) -> Study:
        return Study(
            parts=take_apart(self.bench, self._setting(ber), by=self.by, only=self.only, grid=self.grid),
            images=self.images,
            trials=self.trials,
            chunk=self.chunk,
            until_width=self.until_width,
        )


def show_tables(explored: Sequence[Explored], *, console: Console) -> None:
    """Print the factors at each rate, the most vulnerable component first, and what they are worth."""
    for one in explored:
        console.print(factors_table(one))
        for line in summary(one):
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def show_json(explored: Sequence[Explored], *, command: str) -> None:
    """Print one JSON object: what made it, and a record for each rate."""
    record = {"radhard": VERSION, "command": command, "points": [explored_record(one) for one in explored]}
    typer.echo(json.dumps(record, allow_nan=False))


def writers(explored: Sequence[Explored], *, images: Sequence[Image]) -> dict[str, Callable[[Path], None]]:
    """What writes the factors and the figure, by option; patches are drawn beside the first of mean `images`."""

    def draw(file: Path) -> None:
        if explored[0].found.study.parts.grid is not None:
            draw_heatmap(heatmap_data(explored, image=images[0]), file)
        else:
            draw_vulnerability(vulnerability_data(explored), file)

    return {"csv": lambda file: write_factors(explored, file), "plot": draw}
