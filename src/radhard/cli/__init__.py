"""The command line: each command parses its options, calls one verb and prints. Imports are late, so help is fast."""

import os

from radhard.cli.commands import app
from radhard.cli.ending import end_cleanly


def main() -> None:
    """Entry point of `radhard`.

    OpenMP's threads spin while they wait for each other, and on cores that other processes use they wait long: a
    sweep was seen to take eight times as long. Asked to sleep instead, they do; this must be said before torch loads.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    end_cleanly()
    app()
