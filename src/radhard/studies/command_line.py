"""The command line that a verb is run by, for the record of its result; empty where it is called from Python."""

from contextvars import ContextVar

command_line: ContextVar[str] = ContextVar("command_line", default="")
