"""The commands of `radhard`."""

from typing import Annotated

import typer

from radhard.cli.blocks import blocks
from radhard.cli.compare import compare
from radhard.cli.demo import demo
from radhard.cli.evaluate import evaluate
from radhard.cli.group import Commands
from radhard.cli.harden import harden
from radhard.cli.inspection import inspect
from radhard.cli.limits import Checked
from radhard.cli.merge import merge
from radhard.cli.plan import plan
from radhard.cli.quantize import quantize
from radhard.cli.replay import replay
from radhard.cli.signature import command
from radhard.cli.store import store
from radhard.cli.sweep import sweep
from radhard.cli.trace import trace
from radhard.cli.train import train
from radhard.cli.vulnerability import vulnerability

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="What soft errors do to a vision model, and how to harden it.",
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="on an error, show where it was raised")] = False,
) -> None:
    """What soft errors do to a vision model, and how to harden it."""
    del debug  # the group reads it


for each in (
    demo,
    inspect,
    quantize,
    sweep,
    vulnerability,
    blocks,
    plan,
    evaluate,
    compare,
    harden,
    trace,
    replay,
    merge,
    store,
    train,
):
    app.command(cls=Checked)(command(each))
