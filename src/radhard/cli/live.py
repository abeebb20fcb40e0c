"""Progress on stderr while a campaign runs: units, images a second, time left, accuracy so far."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from radhard.analysis.intervals import Interval, clustered
from radhard.campaign.execute import Progress


@dataclass(frozen=True, kw_only=True)
class Course:
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


def accuracy_so_far(state: Progress) -> str:
    """`accuracy 78.1 % (76.0 - 80.2)`: that of the setting just measured; nothing if it is not known."""
    if state.tally.n == 0:
        return ""
    tally = state.tally
    if not state.unit.setting.labelled:
        return f"SDC {percent(clustered(tally.changed, trials=tally.trials))}"
    return f"accuracy {percent(clustered(tally.correct, trials=tally.trials))}"


def percent(interval: Interval) -> str:
    """`78.1 % (76.0 - 80.2)`."""
    return f"{100 * interval.rate:.1f} % ({100 * interval.low:.1f} - {100 * interval.high:.1f})"


def follow(
    progress: Iterable[Progress],
    *,
    course: Course,
    console: Console,
    so_far: Callable[[Progress], str] = accuracy_so_far,
) -> None:
    """Run a campaign to its end, and draw its progress and what is known `so_far` if the console is a terminal."""
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{course.name}: starting", total=None)
        for state in progress:
            if console.is_terminal:
                text = describe(state, course=course, so_far=so_far)
                bar.update(task, completed=state.done, total=state.total, description=text)


def describe(state: Progress, *, course: Course, so_far: Callable[[Progress], str] = accuracy_so_far) -> str:
    """`fashion-vit: 412 images/s, 0:01:10 left, int8, BER 1e-08: accuracy 78.1 % (76.0 - 80.2)`."""
    minutes, seconds = divmod(round(course.seconds_left(state.seconds_left)), 60)
    hours, minutes = divmod(minutes, 60)
    left = "left" if course.of == 1 else "left for all"
    text = f"{course.name}: {state.images_per_second:,.0f} images/s, {hours}:{minutes:02}:{seconds:02} {left}"
    known = so_far(state)
    return f"{text}, {state.unit.setting.recipe}, BER {state.unit.setting.ber:.2g}: {known}" if known else text


def following(course: Course, *, console: Console) -> Callable[[Iterable[Progress], str], None]:
    """What runs one part of a command after another to its end, each under a name of its own."""

    def run(progress: Iterable[Progress], name: str) -> None:
        follow(progress, course=replace(course, model=f"{course.model}, {name}"), console=console)

    return run
