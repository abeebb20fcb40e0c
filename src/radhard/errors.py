"""The exceptions of radhard: each message names the value, the place and the fix.

A message names an option as the command line writes it, `--max-loss`. Python reads the argument's name in its place.
"""

import keyword
import re


class RadhardError(Exception):
    """Any error that radhard raises on purpose.

    >>> str(InputError("--max-loss -1: give percent from 0 on"))
    'max_loss -1: give percent from 0 on'
    """

    def __str__(self) -> str:
        return in_python(super().__str__())

    @property
    def on_command_line(self) -> str:
        """The message with options as the command line writes them."""
        return super().__str__()


class InputError(RadhardError, ValueError):
    """A value given by the user is not one that the field allows."""


class ModelError(RadhardError):
    """A model is unknown, does not fit its checkpoint, or cannot be built."""


class CaptureError(RadhardError):
    """A model cannot be turned into a program: torch.export refused it, or an operator is not known."""


class StoreError(RadhardError):
    """A store is not one of ours, of another schema, or damaged."""


class OutputError(RadhardError):
    """A file that a command is to write cannot be written."""


class BackendError(RadhardError):
    """No integer back end proved itself exact on this machine."""


class DeviceMemoryError(RadhardError):
    """The memory of a device ran out."""


class IncompleteError(RadhardError):
    """The part of one shard is done, and what follows depends on the parts of the others."""


class StoppedError(RadhardError):
    """Whoever was asked whether to go on said no."""


class WorkerError(RadhardError):
    """Processes that run the jobs of a campaign cannot be started or reached, or met an error that is none of ours."""


class FaultError(RadhardError):
    """A hardened model found words that it can neither trust nor repair."""


_OPTION = re.compile(r"`[^`]*`|(?<![\w/.=-])--([a-z][a-z0-9]*(?:-[a-z0-9]+)*)")  # in backticks: a command


def in_python(text: str) -> str:
    """The text with `--max-loss` as `max_loss`: what Python calls it. Commands in backticks stay as they are."""

    def argument(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        name = found[1].replace("-", "_")
        return f"{name}_" if keyword.iskeyword(name) else name

    return _OPTION.sub(argument, text)


def as_option(name: str) -> str:
    """`max_loss` -> `--max-loss`."""
    return "--" + name.rstrip("_").replace("_", "-")


def one_line(text: str) -> str:
    """A message on one line: line breaks become blanks, and what else acts on a terminal is shown."""
    return shown(" ".join(part.strip() for part in text.splitlines() if part.strip()))


def shown(text: str) -> str:
    """The text with control characters as their escapes, so that a name that holds them is seen and does not act."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
