"""A study as JSON and on the terminal: its steps, and the records that no other command has."""

from collections.abc import Sequence
from typing import Literal, TypedDict

from rich.table import Table

from radhard.report.fitted import FittedTable

State = Literal["done", "skipped"]


class OperatingRecord(TypedDict):
    """The rate that costs `loss`, a share of all answers, read off the curve, and its 95 % interval; null: not known.

    Without labels the loss is the share of answers that changed.
    """

    loss: float
    ber: float | None
    low: float | None
    high: float | None


class OperatingPointsRecord(TypedDict):
    """The operating points of a model."""

    model: str
    recipe: str
    measure: str
    clean: float
    points: list[OperatingRecord]


class TimesRecord(TypedDict):
    """Milliseconds of a call at a batch size: the median over the rounds, and the quartiles."""

    batch: int
    median: float
    low: float
    high: float


class LatencyRecord(TypedDict):
    """How long the hardened module takes: beside the same module without protection, and the user's own.

    `ratio`: the median ratio of a round to the former, `low` and `high` its quartiles. `eager`: the user's own module
    as PyTorch runs it, `to_eager` the median ratio to that; null of a program, which is no module of PyTorch's.
    """

    model: str
    recipe: str
    device: str
    threads: int
    plan: str
    sites: int
    rounds: int
    hardened: TimesRecord
    unprotected: TimesRecord
    eager: TimesRecord | None
    ratio: float
    low: float
    high: float
    to_eager: float | None
    file: str


class StudyStepRecord(TypedDict):
    """What became of a step, and why if it was skipped; seconds as `estimated` before and as they were."""

    name: str
    does: str
    state: State
    line: str
    images: int
    trials: int
    estimated: float | None
    seconds: float | None
    command: str
    file: str


class StudyRecord(TypedDict):
    """A study: what it is of, how much of it was measured, and its steps."""

    model: str
    recipe: str
    data: str
    program: str
    data_digest: str
    labelled: bool
    images: int
    trials: int
    budget: float | None
    estimated: float
    seconds: float
    plan_ber: float | None
    folder: str
    steps: list[StudyStepRecord]


def study_table(steps: Sequence[StudyStepRecord], *, title: str) -> Table:
    """One row a step: what came out, or why it was skipped, and how long it took."""
    table = FittedTable(title)
    table.add_column("step")
    table.add_column("s", justify="right")
    table.add_column("what came out")
    for step in steps:
        seconds = "-" if step["seconds"] is None else f"{step['seconds']:,.0f}"
        table.add_row(step["name"], seconds, step["line"] if step["state"] == "done" else f"skipped: {step['line']}")
    return table
