"""Why a program is not written, or not read."""

from radhard.errors import RadhardError


class UnsavableError(RadhardError):
    """A program holds what a file cannot, such as an operator of the user's own."""


class UnreadableError(RadhardError):
    """A file is no program, is one of another format, or is damaged."""
