"""Progress events of a verb: frozen values passed to a callback. A verb prints nothing itself."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from radhard.analysis.intervals import Interval, clustered
from radhard.campaign.execute import Progress
from radhard.campaign.executor import Skipped
from radhard.campaign.running_command import RunningCommand, RunningFile
from radhard.errors import in_python
from radhard.studies.command_line import command_line

Known = Callable[[Progress], str]
"""What is known so far, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something on the way of a verb, of the model of this name; "" where it is of none."""

    model: str


@dataclass(frozen=True, kw_only=True)
class Note(Event):
    """One sentence on what was assumed, left out or found of a model, its images or a store.

    `line` names options as the command line writes them, `text` as Python does.

    >>> import radhard as rh
    >>> rh.Note(model="fashion-vit", line="all 40 images are taken (--images)").text
    'all 40 images are taken (images)'
    """

    line: str

    @property
    def text(self) -> str:
        """The sentence, for a reader who calls from Python."""
        return in_python(self.line)


@dataclass(frozen=True, kw_only=True)
class Preparing(Event):
    """The model is being captured and calibrated; `done` of `total` images are decoded, 0 of 0 before the first.

    >>> import radhard as rh
    >>> rh.Preparing(model="fashion-vit", done=5, total=10).done
    5
    """

    done: int = 0
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class Measuring(Event):
    """Units `done` of `total` of a `task`, the pace in images a second, the time left in seconds.

    `task` names a part of a study, such as `searching`, or is empty. `recipe` and `ber`, or `flips` an inference, are
    those of the unit just done, `known` what its outcomes say so far, such as `accuracy 78.1 % (76.0 - 80.2)`, or "".

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> events = []
    >>> result = rh.sweep(model, torch.arange(480.0).reshape(40, 3, 2, 2), ber=1e-4, progress=events.append)
    >>> [event.done == event.total for event in events if isinstance(event, rh.Measuring)][-1]
    True
    """

    task: str
    done: int
    total: int
    images_per_second: float
    seconds_left: float
    recipe: str
    ber: float
    known: str
    flips: int = 0


@dataclass(frozen=True, kw_only=True)
class JobSkipped(Event):
    """A job that ended its worker several times and is not tried again: its images are missing from the result.

    >>> import radhard as rh
    >>> rh.JobSkipped(model="vit", job="vit, int8, BER 1e-07, trial 3, images 200 to 399", why="killed").job
    'vit, int8, BER 1e-07, trial 3, images 200 to 399'
    """

    job: str
    why: str


Report = Callable[[Event], None]


@dataclass(kw_only=True)
class Watched:
    """What a verb tells, passed on to `report`; the jobs that were `skipped` on the way.

    `beside`: the file beside the store, which says the same to whoever watches the store.
    """

    report: Report
    skipped: list[str] = field(default_factory=list)
    beside: RunningFile | None = None

    def __call__(self, event: Event) -> None:
        """Pass an event on."""
        if isinstance(event, JobSkipped):
            self.skipped.append(f"{event.job}: {event.why}")
        if isinstance(event, Measuring) and self.beside is not None:
            self._tell(event, self.beside)
        self.report(event)

    def _tell(self, event: Measuring, beside: RunningFile) -> None:
        running = RunningCommand(
            command=command_line.get(), model=event.model, task=event.task, done=event.done, total=event.total,
            seconds_left=event.seconds_left, known=event.known,
        )  # fmt: skip
        try:
            beside.tell(running)
        except OSError as error:  # the run does not need it
            self.beside = None
            line = f"how far it is cannot be written beside store {beside.store}, for `radhard serve`: {error.strerror}"
            self.report(Note(model=event.model, line=line))

    @contextmanager
    def beside_store(self, store: Path | None) -> Iterator[None]:
        """Say how far it is beside the `store`, too, until the end of the block."""
        self.beside = before = None if store is None else RunningFile(store=store)
        try:
            yield
        finally:
            self.beside = None
            if before is not None:
                before.end()


def silent(event: Event) -> None:
    """Tell nobody."""
    del event


def accuracy_so_far(state: Progress) -> str:
    """`accuracy 78.1 % (76.0 - 80.2)`: that of the setting just measured; nothing if it is not known."""
    if state.tally.n == 0:
        return ""
    tally = state.tally
    if not state.unit.setting.labelled:
        return f"SDC {percent(clustered(tally.sdc, trials=tally.trials))}"
    return f"accuracy {percent(clustered(tally.correct, trials=tally.trials))}"


def percent(interval: Interval) -> str:
    """`78.1 % (76.0 - 80.2)`."""
    return f"{100 * interval.rate:.1f} % ({100 * interval.low:.1f} - {100 * interval.high:.1f})"


def follow(
    states: Iterable[Progress | Skipped], *, model: str, report: Report, task: str = "", known: Known = accuracy_so_far
) -> None:
    """Run a campaign to its end and report each of its units."""
    for state in states:
        if isinstance(state, Skipped):
            report(JobSkipped(model=model, job=state.name, why=state.reason))
            continue
        report(
            Measuring(
                model=model,
                task=task,
                done=state.done,
                total=state.total,
                images_per_second=state.images_per_second,
                seconds_left=state.seconds_left,
                recipe=state.unit.setting.recipe,
                ber=state.unit.setting.ber,
                known=known(state),
                flips=state.unit.setting.flips,
            )
        )
