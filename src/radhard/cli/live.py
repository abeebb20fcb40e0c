"""Progress on the console: a spinner during preparation, a bar during trials, notes on stderr."""

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.status import Status
from rich.table import Column

from radhard.cli.options import ProgressOptions
from radhard.errors import IncompleteError, StoppedError
from radhard.studies.model import cache_of, loaded_model
from radhard.studies.options import ModelOptions
from radhard.studies.progress import Event, JobSkipped, Measuring, Note, Preparing, Report

if TYPE_CHECKING:
    from radhard.studies.study.study_events import FittedAgain, Scheduled, StepEnded

T = TypeVar("T")

MINUTE, HOUR = 60.0, 3600.0
"""Seconds between lines where there is no terminal; of a run before which a terminal is asked."""


@dataclass(frozen=True, kw_only=True)
class Position:
    """Where a command is: at `model`, the `place`-th (from 1) `of` those that it sweeps; `began` in seconds."""

    model: str
    place: int = 1
    of: int = 1
    began: float = field(default_factory=time.perf_counter)

    @property
    def name(self) -> str:
        """`fashion-vit`, or `fashion-vit (2 of 6)`."""
        return self.model if self.of == 1 else f"{self.model} ({self.place} of {self.of})"

    def seconds_left(self, here: float) -> float:
        """`here` seconds are left for this model; those to come are taken to last as long as these on average."""
        each = (time.perf_counter() - self.began + here) / self.place
        return here + each * (self.of - self.place)


@contextmanager
def waiting(text: str, *, console: Console) -> Iterator[None]:
    """Show `text` and a turning sign while the work within goes on, if the console is a terminal."""
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        yield


class _Watch:
    """Draws one model's events on a console that is a terminal, and prints its notes, each sentence once."""

    def __init__(self, position: Position, *, console: Console, told: set[str], asked: ProgressOptions) -> None:
        self._position, self._console, self._told, self._asked = position, console, told, asked
        self._estimated, self._logged = False, time.monotonic()
        self._status: Status | None = None
        self._bar: Bar | None = None
        self._task: str | None = None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Measuring) and (event.ber > 0 or event.flips) and not self._estimated:
            self._estimate(event)
        if isinstance(event, JobSkipped):
            self._tell(f"skipped: {event.job}: {event.why}")
        elif self._asked.quiet:
            return
        elif isinstance(event, Note):
            self._tell(event.line)
        elif not self._console.is_terminal:
            self._log(event)
        elif isinstance(event, Preparing):
            self._prepare(event)
        elif isinstance(event, Measuring):
            self._measure(event)

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._console.print(text, soft_wrap=True, markup=False, highlight=False)

    def _estimate(self, event: Measuring) -> None:
        """Say how long it will take, from the first unit with faults; ask a terminal if that is over an hour.

        StoppedError if the answer is no.
        """
        self._estimated = True
        left = self._position.seconds_left(event.seconds_left)
        if left > MINUTE and not self._asked.quiet:
            self._tell(f"{self._position.name}: about {clock(left)} for {event.total - event.done:,} units of work")
        if left > HOUR and not self._asked.yes:
            self.end()
            _ask(left, console=self._console, fix="fewer --images or --trials take less")

    def _log(self, event: Event) -> None:
        """A line a minute where there is no terminal."""
        if isinstance(event, Measuring) and time.monotonic() - self._logged >= MINUTE:
            self._logged = time.monotonic()
            text = f"{event.done:,}/{event.total:,} {describe(event, position=self._position)}"
            self._console.print(text, soft_wrap=True, markup=False, highlight=False)

    def end(self) -> None:
        """Take away what is drawn."""
        if self._status is not None:
            self._status.stop()
        if self._bar is not None:
            self._bar.stop()
        self._status = self._bar = None

    def _prepare(self, event: Preparing) -> None:
        text = f"{self._position.name}: capturing and calibrating"
        if event.total:
            text += f": {event.done:,} of {event.total:,} images decoded"
        if self._status is None:
            self.end()
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(text)

    def _measure(self, event: Measuring) -> None:
        if self._bar is None or self._task != event.task:
            self.end()
            whole = Column(no_wrap=True)
            columns = (
                BarColumn(bar_width=24 if self._console.width > 100 else 10, table_column=whole),
                MofNCompleteColumn(table_column=Column(no_wrap=True)),
                TextColumn(
                    "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
                ),
            )
            bar = Bar(*columns, console=self._console, transient=True, refresh_per_second=1, expand=True)
            self._bar, self._task = bar, event.task
            self._bar.add_task("", total=None)
            self._bar.start()
        text = describe(event, position=self._position)
        self._bar.update(self._bar.task_ids[0], completed=event.done, total=event.total, description=text)


@contextmanager
def watching(
    position: Position, *, console: Console, told: set[str] | None = None, asked: ProgressOptions | None = None
) -> Iterator[Report]:
    """What a verb reports to. Notes that were `told` are not told again."""
    watch = _Watch(position, console=console, told=set() if told is None else told, asked=asked or ProgressOptions())
    try:
        yield watch
    finally:
        watch.end()


def of_each(
    models: Mapping[str, ModelOptions],
    verb: Callable[[str, ModelOptions, Report], T],
    *,
    console: Console,
    told: ProgressOptions | None = None,
) -> list[T]:
    """What a `verb` gives for each model in turn, with its options and what it reports to."""
    if len(models) > 1:  # a name that is wrong is told now, not after the models before it
        for model, options in models.items():
            loaded_model(model, options, cache=cache_of(options))
    found: list[T] = []
    incomplete: IncompleteError | None = None
    began, notes = time.perf_counter(), set[str]()
    for place, (model, options) in enumerate(models.items(), start=1):
        position = Position(model=model, place=place, of=len(models), began=began)
        with watching(position, console=console, told=notes, asked=told) as report:
            try:
                found.append(verb(model, options, report))
            except IncompleteError as error:  # this shard has a part of the other models, too
                incomplete = error
        gc.collect()  # a captured graph holds itself in cycles: free this model before the next is captured
    if incomplete is not None:
        raise incomplete
    return found


def tell_schedule(event: "Scheduled", *, console: Console, asked: ProgressOptions) -> None:
    """Say what a study will do; ask a terminal if that takes more than an hour. StoppedError if the answer is no."""
    if not asked.quiet:
        for line in event.lines():
            console.print(line, soft_wrap=True, markup=False, highlight=False)
    if event.seconds > HOUR and not asked.yes:
        _ask(event.seconds, console=console, fix="a smaller --budget takes less")


def tell_step(event: "FittedAgain | StepEnded", *, console: Console, asked: ProgressOptions) -> None:
    """Say what came out of a step of a study, and what that means for the steps after it."""
    if not asked.quiet:
        for line in event.lines():
            console.print(line, soft_wrap=True, markup=False, highlight=False)


def _ask(seconds: float, *, console: Console, fix: str) -> None:
    """Ask a terminal whether to go on. StoppedError if the answer is no."""
    if not console.is_terminal:
        return
    answer = console.input(f"This takes about {clock(seconds)}. Go on? [Y/n] ")
    if answer.strip().lower() not in ("", "y", "yes"):
        raise StoppedError(f"stopped before a long run (--yes does not ask); {fix}")


def clock(seconds: float) -> str:
    """`1:02:30`, hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def describe(event: Measuring, *, position: Position) -> str:
    """`fashion-vit: 412 images/s, 0:01:10 left, int8, BER 1e-08: accuracy 78.1 % (76.0 - 80.2)`."""
    time_left = clock(position.seconds_left(event.seconds_left))
    left = "left" if position.of == 1 else "left for all"
    name = replace(position, model=f"{position.model}, {event.task}" if event.task else position.model).name
    text = f"{name}: {event.images_per_second:,.0f} images/s, {time_left} {left}"
    rate = f"{event.flips} flip{'s' * (event.flips > 1)} an inference" if event.flips else f"BER {event.ber:.2g}"
    return f"{text}, {event.recipe}, {rate}: {event.known}" if event.known else text
