"""Termination signals: a command cleans up as it does on Ctrl-C."""

import signal
import threading
from types import FrameType


class Ended(BaseException):
    """Signal `number` asked the process to end. No error: no `except Exception` may go on after it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_cleanly() -> None:
    """Let SIGTERM and SIGHUP unwind the process, so that temporary files and stores are closed; main thread only.

    A signal that the process was started to ignore, as by nohup, stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # there is no SIGHUP on Windows
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # while it cleans up
    raise Ended(number)
