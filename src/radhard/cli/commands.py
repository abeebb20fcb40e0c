"""The list of commands, and how they end: every error is one line on stderr and an exit code.

Exit codes: 0; 1 where the reader of stdout went away; 2 for any error; 128 + n where signal n ended the command.
"""

import errno
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from radhard.cli.avf import avf
from radhard.cli.blocks import blocks
from radhard.cli.cache import cache
from radhard.cli.compare import compare
from radhard.cli.demo import demo
from radhard.cli.ending import Ended
from radhard.cli.evaluate import evaluate
from radhard.cli.fit import fit
from radhard.cli.harden import harden
from radhard.cli.image_export import export
from radhard.cli.inspection import inspect
from radhard.cli.limits import CheckedCommand
from radhard.cli.merge import merge
from radhard.cli.plan import plan
from radhard.cli.plot import plot
from radhard.cli.quantize import quantize
from radhard.cli.replay import replay
from radhard.cli.report import report
from radhard.cli.reproduce import reproduce
from radhard.cli.sample_size import sample_size
from radhard.cli.serve import serve
from radhard.cli.signature import Command, command
from radhard.cli.store import store
from radhard.cli.study import study
from radhard.cli.sweep import sweep
from radhard.cli.trace import trace
from radhard.cli.train import train
from radhard.cli.vulnerability import vulnerability
from radhard.cli.zoo import models
from radhard.errors import IncompleteError, RadhardError, one_line
from radhard.studies.command_line import command_line
from radhard.version import VERSION

TRACEBACK = "RADHARD_TRACEBACK"
"""The environment variable that lets errors through, like --debug."""

_UsageError: type[Any] = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "UsageError")


class Commands(TyperGroup):
    """Typer's group of commands; takes `--debug` anywhere on the line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the command line for records of results; put `--debug` first, where the group reads it."""
        ctx.meta["command"] = shlex.join(["radhard", *args])
        command_line.set(ctx.meta["command"])
        if "--debug" in args:
            args = ["--debug", *(arg for arg in args if arg != "--debug")]
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run a command line to its exit. What it misuses is told like any other error."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except _UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # the help
                sys.exit(error.exit_code)
            command = error.ctx.command_path if error.ctx is not None else "radhard"
            message = error.format_message().rstrip(".")
            typer.echo(f"radhard: {one_line(message)}; `{command} --help` lists what there is", err=True)
            sys.exit(error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. An error is told on stderr, unless --debug lets it through."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, Ended) as end:
            _stop(ctx, end)
        except Exception as error:
            if (behind := _signal_behind(error)) is not None:
                _stop(ctx, behind)
            if ctx.params.get("debug") or os.environ.get(TRACEBACK) or not _ours(error):
                raise
            typer.echo(f"radhard: {one_line(message_of(error))}", err=True)
            _let_go_of_stdout(error)
            raise typer.Exit(0 if isinstance(error, IncompleteError) else 2) from error


def message_of(error: Exception) -> str:
    """What to say of an error: its own message if it is radhard's, else what it is and what to do."""
    if isinstance(error, RadhardError):
        return error.on_command_line
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error):
        return (
            "memory ran out: run fewer images at a time (--batch), take a lower --ber, or a machine with more memory "
            f"({error or 'MemoryError'})"
        )
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'standard output'}: {error.strerror}"
    return (
        f"unexpected {type(error).__name__}: {error}. This is a bug of radhard: please report the command line, this "
        f"line and, if you can, the files; {TRACEBACK}=1 in the environment shows where it was raised"
    )


def _ours(error: Exception) -> bool:
    """Whether an error is to be told here, not one of those by which typer ends a command."""
    ends = isinstance(error, typer.Exit | typer.Abort | _UsageError)
    return not ends and not (isinstance(error, OSError) and error.errno == errno.EPIPE)


def _signal_behind(error: BaseException | None) -> BaseException | None:
    """The signal that made an error: compiled loops that it interrupts raise a SystemError from it."""
    while error is not None and not isinstance(error, KeyboardInterrupt | Ended):
        error = error.__cause__
    return error


def _stop(ctx: Any, end: BaseException) -> NoReturn:
    """Say what an interrupted command leaves, and exit as a shell expects it of a process that a signal ended."""
    number = end.number if isinstance(end, Ended) else signal.SIGINT.value
    how = "stopped" if number == signal.SIGINT else f"ended by signal {number}"
    typer.echo(f"radhard: {how}; {_kept(ctx)}", err=True)
    raise typer.Exit(128 + number) from end


def _kept(ctx: Any) -> str:
    """What an interrupted command leaves: what is in its store, and how to go on."""
    store = ctx.meta.get("store")
    if store is None:
        return "nothing is kept"
    if store == "":
        return "nothing is kept: with --store FILE, a command that is stopped goes on where it was"
    return f"what was measured is kept in {store}{_units_in(store)}; the same command goes on from there"


def _units_in(store: str) -> str:
    """` (1,234 units of work)`; nothing if that cannot be read now."""
    from radhard.campaign.store import Store

    try:
        with Store(Path(store), mode="salvage") as opened:
            return f" ({len(opened.keys()):,} units of work)"
    except Exception:  # it is said on the way out: nothing may go wrong here
        return ""


def _let_go_of_stdout(error: Exception) -> None:
    """Where stdout cannot be written, what it holds back must not fail again at the end of the process."""
    if isinstance(error, OSError) and error.filename is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"radhard {VERSION}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="What soft errors do to a vision model, and how to harden it.",
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="on an error, show where it was raised")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """What soft errors do to a vision model, and how to harden it."""
    del debug, version  # the group and the callback read them


_COMMANDS: dict[str, tuple[Command, ...]] = {
    "Begin": (demo, study, models, inspect),
    "Measure": (sweep, vulnerability, avf, fit, sample_size, trace, replay, plot, reproduce),
    "Protect": (blocks, plan, evaluate, compare, harden),
    "Report": (report, serve),
    "Scales, stores, weights": (quantize, store, export, merge, cache, train),
}

for heading, group in _COMMANDS.items():
    for each in group:
        app.command(cls=CheckedCommand, rich_help_panel=heading)(command(each))
