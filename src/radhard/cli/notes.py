"""Where a command prints: results on stdout, notes on stderr, one line each."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, RenderableType

from radhard.errors import shown

if TYPE_CHECKING:
    from radhard.cli.options import OutputOptions
    from radhard.report.record import Envelope
    from radhard.studies.result import Result

_WIDEST = 10_000  # columns, enough for any table: it takes as many as its longest lines


class Lines(Console):
    """A console on which a line break or an escape sequence within a text, as a name may hold, is shown, not obeyed."""

    def print(self, *objects: Any, **how: Any) -> None:
        """Print the objects, texts on one line."""
        super().print(*(shown(each) if isinstance(each, str) else each for each in objects), **how)


def output(*, width: int | None = None) -> Console:
    """Standard output: of a `width`, or as wide as the terminal; where it is none, as COLUMNS says, else 80 columns."""
    return Lines(width=width)


def notes() -> Console:
    """Standard error, text as it is: no markup, and nothing is wrapped, for a reader may be a program."""
    return Lines(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def show(parts: Iterable[RenderableType], *, options: "OutputOptions | None" = None) -> None:
    """Print results: tables, and sentences as they are, which are not wrapped."""
    console = output(width=_WIDEST if options is not None and options.wide else None)
    for part in parts:
        if isinstance(part, str):
            console.print(part, highlight=False, markup=False, soft_wrap=True)
        else:
            console.print(part)


def show_json(envelope: "Envelope") -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(envelope.as_dict(), allow_nan=False))


def show_results(
    results: "Sequence[Result]",
    ctx: typer.Context,
    *,
    output: "OutputOptions",
    settings: Mapping[str, object],
    parts: Callable[[], Iterable[RenderableType]],
) -> None:
    """Print results as one JSON object where the output is that, else their `parts`: tables and sentences."""
    from radhard.report.record import Envelope

    skipped = [job for result in results for job in result.skipped]
    if skipped:
        notes().print(
            f"{len(skipped)} job{'s' if len(skipped) > 1 else ''} ended their workers again and again: their images "
            "are missing from the result, and the same command tries them again (--json names them)"
        )
    if output.json_:
        records = [result.to_dict() for result in results]
        beside = {"skipped": skipped} if skipped else {}
        show_json(Envelope(command=ctx.meta["command"], settings=settings, models=records, beside=beside))
    else:
        show(parts(), options=output)
