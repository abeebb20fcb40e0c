"""Progress on stderr while a campaign runs: units, images a second, time left, accuracy so far."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from radhard.analysis.intervals import clustered
from radhard.campaign.execute import Progress


def output() -> Console:
    """Standard output: as wide as the terminal, or wide enough for any table where it is none."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


@contextmanager
def waiting(text: str, *, console: Console) -> Iterator[None]:
    """Show `text` and a turning sign while the work within goes on, if the console is a terminal."""
    if console.is_terminal:
        with console.status(text):
            yield
    else:
        yield


def follow(progress: Iterable[Progress], *, console: Console) -> None:
    """Run a campaign to its end, and draw its progress if the console is a terminal."""
    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)
        for state in progress:
            bar.update(task, completed=state.done, total=state.total, description=describe(state))


def describe(state: Progress) -> str:
    """`412 images/s, 0:01:10 left, BER 1e-08: accuracy 78.1 % (76.0 - 80.2)`."""
    minutes, seconds = divmod(round(state.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{state.images_per_second:,.0f} images/s, {hours}:{minutes:02}:{seconds:02} left"
    if state.tally.n == 0:
        return text
    so_far = clustered(state.tally.correct, trials=state.tally.trials)
    return (
        f"{text}, {state.unit.setting.recipe}, BER {state.unit.setting.ber:.2g}: accuracy "
        f"{100 * so_far.rate:.1f} % ({100 * so_far.low:.1f} - {100 * so_far.high:.1f})"
    )
