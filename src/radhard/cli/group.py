"""How the command line ends: an error of ours is one message and exit code 2, not a traceback."""

import logging
import shlex
from typing import Any

import typer
from typer.core import TyperGroup

from radhard.errors import RadhardError


class Commands(TyperGroup):
    """Typer's group of commands; takes `--debug` anywhere on the line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the command line for records of results; put `--debug` first, where the group reads it."""
        ctx.meta["command"] = shlex.join(["radhard", *args])
        if "--debug" in args:
            args = ["--debug", *(arg for arg in args if arg != "--debug")]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. A RadhardError is told on stderr, unless --debug lets it through."""
        for noisy in ("torchao", "torch.utils._pytree"):  # on import, of parts that radhard does not use
            logging.getLogger(noisy).setLevel(logging.ERROR)
        try:
            return super().invoke(ctx)
        except RadhardError as error:
            if ctx.params.get("debug"):
                raise
            typer.echo(f"radhard: {error}", err=True)
            raise typer.Exit(2) from error
