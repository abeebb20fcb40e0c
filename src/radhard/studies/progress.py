"""Progress events of a verb: frozen values passed to a callback. A verb prints nothing itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from radhard.analysis.intervals import Interval, clustered
from radhard.campaign.execute import Progress
from radhard.campaign.executor import Skipped

Known = Callable[[Progress], str]
"""What is known so far, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """One sentence on what was assumed, left out or found of a model, its images or a store.

    >>> import torch
    >>> import radhard as rh
    >>> draw = torch.Generator().manual_seed(0)
    >>> nn = torch.nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=draw)  # normalised as the model takes them
    >>> labels = model(images).argmax(1)
    >>> notes = []
    >>> result = rh.sweep(model, (images, labels), ber=1e-4, run=rh.RunOptions(trials=1), progress=notes.append)
    >>> any(isinstance(event, rh.Note) for event in notes)
    True
    """

    model: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Preparing:
    """The model is being captured and calibrated; `done` of `total` images are decoded, 0 of 0 before the first.

    >>> import torch
    >>> import radhard as rh
    >>> draw = torch.Generator().manual_seed(0)
    >>> nn = torch.nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=draw)  # normalised as the model takes them
    >>> labels = model(images).argmax(1)
    >>> events = []
    >>> result = rh.sweep(model, (images, labels), ber=1e-4, run=rh.RunOptions(trials=1), progress=events.append)
    >>> all(event.done <= event.total for event in events if isinstance(event, rh.Preparing))
    True
    """

    model: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """Units `done` of `total` of a `task`, the pace in images a second, the time left in seconds.

    `task` names a part of a study, such as `searching`, or is empty. `recipe` and `ber` are those of the unit just
    done, `known` what its outcomes say so far, such as `accuracy 78.1 % (76.0 - 80.2)`, or empty.

    >>> import torch
    >>> import radhard as rh
    >>> draw = torch.Generator().manual_seed(0)
    >>> nn = torch.nn
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=draw)  # normalised as the model takes them
    >>> labels = model(images).argmax(1)
    >>> events = []
    >>> result = rh.sweep(model, (images, labels), ber=1e-4, run=rh.RunOptions(trials=1), progress=events.append)
    >>> [event.done == event.total for event in events if isinstance(event, rh.Measuring)][-1]
    True
    """

    model: str
    task: str
    done: int
    total: int
    images_per_second: float
    seconds_left: float
    recipe: str
    ber: float
    known: str


@dataclass(frozen=True, kw_only=True)
class JobSkipped:
    """A job that ended its worker several times and is not tried again: its images are missing from the result.

    >>> import radhard as rh
    >>> rh.JobSkipped(model="vit", job="vit, int8, BER 1e-07, trial 3, images 200 to 399", why="killed").job
    'vit, int8, BER 1e-07, trial 3, images 200 to 399'
    """

    model: str
    job: str
    why: str


Event = Note | Preparing | Measuring | JobSkipped
Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """Tell nobody."""
    del event


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
    states: Iterable[Progress | Skipped], *, model: str, report: Report, task: str = "", known: Known = accuracy_so_far
) -> None:
    """Run a campaign to its end and report each of its units."""
    for state in states:
        if isinstance(state, Skipped):
            report(JobSkipped(model=model, job=state.name, why=state.told))
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
            )
        )
