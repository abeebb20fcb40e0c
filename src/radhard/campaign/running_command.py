"""What the command that fills a store is doing: a small file beside the store, for whoever watches.

The store itself is not touched: what it holds does not depend on how often a run was interrupted. The file is there
while the command runs. After a kill it stays, and the process that it names is gone.
"""

import json
import os
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from radhard import strict_json

EVERY = 0.5
"""Seconds between two writings."""


@dataclass(frozen=True, kw_only=True)
class RunningCommand:
    """A `command` that has done units `done` of `total` of a `task` (a part of it, or ""), of a model.

    `seconds_left`: for this task. `known`: what is known of the setting just measured, such as `accuracy 78.1 %`.
    `host`, `process`: where it runs. `at`: when it said so, in seconds since 1970.

    >>> running = RunningCommand(command="radhard sweep vit", model="vit", done=3, total=12, seconds_left=90.0)
    >>> running.share, running.alive
    (0.25, True)
    """

    command: str
    model: str
    done: int
    total: int
    seconds_left: float
    task: str = ""
    known: str = ""
    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)
    at: float = field(default_factory=time.time)

    @property
    def share(self) -> float:
        """The part that is done, from 0 to 1."""
        return self.done / self.total if self.total else 1.0

    @property
    def alive(self) -> bool:
        """Whether it runs still; of another machine's that cannot be told, and it is taken to."""
        if self.host != socket.gethostname():
            return True
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it is another user's
            return True
        return True


@dataclass(kw_only=True)
class RunningFile:
    """The file beside a store, written now and then, and taken away at the end."""

    store: Path
    _next: float = 0.0
    _last: RunningCommand | None = None

    def tell(self, running: RunningCommand) -> None:
        """Write it, unless that was done just now. OSError if it cannot be written."""
        if time.monotonic() < self._next and running.done < running.total:
            return
        draft = running_path(self.store).with_suffix(f".{running.process}")
        draft.write_text(json.dumps(asdict(running), allow_nan=False), encoding="utf-8")
        os.replace(draft, running_path(self.store))
        self._next, self._last = time.monotonic() + EVERY, running

    def end(self) -> None:
        """Take the file away, unless another process has written it since."""
        if self._last is not None and read_running(self.store) == self._last:
            running_path(self.store).unlink(missing_ok=True)


def running_path(store: Path) -> Path:
    """`run.db.running` of a store `run.db`."""
    return store.with_name(f"{store.name}.running")


def read_running(store: Path) -> RunningCommand | None:
    """What the command that fills a store says that it is doing; None where none says anything that can be read."""
    try:
        values: Any = strict_json.loads(running_path(store).read_text(encoding="utf-8"))
        found = RunningCommand(**values)
    except (OSError, ValueError, TypeError):  # there is none, or none of this version's
        return None
    return found if _sound(found) else None


def _sound(found: RunningCommand) -> bool:
    """Whether a file that anybody may have written holds what it should."""
    texts = (found.command, found.model, found.task, found.known, found.host)
    counts, seconds = (found.done, found.total, found.process), (found.seconds_left, found.at)
    return (
        all(isinstance(text, str) for text in texts)
        and all(type(count) is int and count >= 0 for count in counts)
        and all(isinstance(each, int | float) and not isinstance(each, bool) for each in seconds)
        and 0 < found.process < 2**31
    )
