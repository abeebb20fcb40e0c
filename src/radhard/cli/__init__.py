"""The command line: parse, call one function, print. Commands import what they need, so that help is fast."""

from radhard.cli.commands import app


def main() -> None:
    """Entry point of `radhard`."""
    app()
