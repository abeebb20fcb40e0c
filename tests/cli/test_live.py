"""What a command tells while it measures: a bar that stays at 80 columns, a line a minute, an estimate, a question."""

import io
import re
import time
from dataclasses import replace

import pytest
from rich.console import Console

from radhard.cli import live
from radhard.cli.live import Position, clock, watching
from radhard.cli.options import ProgressOptions
from radhard.errors import StoppedError
from radhard.studies.progress import Event, JobSkipped, Measuring, Note, Preparing

UNIT = Measuring(
    model="fashion-vit", task="", done=412, total=1300, images_per_second=1234.5, seconds_left=70.0, recipe="int8",
    ber=1e-8, known="accuracy 78.1 % (76.0 - 80.2)",
)  # fmt: skip
SKIPPED = JobSkipped(model="fashion-vit", job="trial 3, images 0 to 9", why="3 workers ended with it")


def told(*events: Event, terminal: bool = False, width: int = 80, answer: str = "", **options: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width)
    console.input = lambda text: (out.write(str(text)), answer)[1]  # type: ignore[assignment,method-assign,return-value]
    with watching(Position(model="fashion-vit"), console=console, asked=ProgressOptions(**options)) as report:
        for event in events:
            report(event)
    return out.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_bar_and_the_counts_stay_on_one_line_at_any_width(width: int) -> None:
    out = told(UNIT, replace(UNIT, known="x" * 300), terminal=True, width=width)
    assert "412/1300" in out
    assert "━" in out
    line = next(line for line in out.splitlines() if "412/1300" in line)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line)
    assert len(shown) <= width
    assert "images/s" in line


def test_without_a_terminal_there_is_a_line_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    clocks = iter([now, now + 10, now + 61, now + 61, now + 70, now + 125, now + 125])
    monkeypatch.setattr(live.time, "monotonic", lambda: next(clocks))
    out = told(*[replace(UNIT, done=n) for n in (1, 2, 3, 4)])
    lines = [line for line in out.replace("\n", " ").split("fashion-vit: 1,234") if line]
    assert "2/1,300" in out
    assert "4/1,300" in out
    assert "3/1,300" not in out
    assert lines


def test_quiet_tells_of_skipped_jobs_alone() -> None:
    out = told(Note(model="fashion-vit", line="assumed"), Preparing(model="fashion-vit"), UNIT, SKIPPED, quiet=True)
    assert " ".join(out.split()) == "skipped: trial 3, images 0 to 9: 3 workers ended with it"


def test_the_first_unit_with_faults_gives_an_estimate() -> None:
    clean = replace(UNIT, ber=0.0, seconds_left=5.0)
    out = told(clean, replace(UNIT, seconds_left=600.0), replace(UNIT, seconds_left=900.0))
    assert out.count("about 0:10:00 for 888 units of work") == 1
    assert "0:15:00 for" not in out


@pytest.mark.parametrize("answer", ["n", "No", "q"])
def test_a_terminal_is_asked_before_more_than_an_hour(answer: str) -> None:
    long = replace(UNIT, seconds_left=2 * 3600.0)
    with pytest.raises(StoppedError, match="yes does not ask"):
        told(long, terminal=True, answer=answer)


def test_who_agrees_or_says_yes_before_or_is_no_terminal_goes_on() -> None:
    long = replace(UNIT, seconds_left=2 * 3600.0)
    assert "Go on?" in told(long, long, terminal=True, answer="y")
    assert "Go on?" in told(long, terminal=True, answer="")
    assert "Go on?" not in told(long, terminal=True, yes=True)
    assert "Go on?" not in told(long)
    assert "Go on?" not in told(replace(UNIT, seconds_left=3500.0), terminal=True)


def test_hours_minutes_and_seconds() -> None:
    assert clock(3723.4) == "1:02:03"
