"""The worker process, `python -m radhard.campaign.workers.process`: receives jobs from one driver and runs them.

It takes orders over one connection and ends when the driver ends, whatever ended that: the other connection then has
no writer any more.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from multiprocessing.connection import Connection
from typing import Any

READY, DONE, FAILED, MEMORY = "ready", "done", "failed", "memory"


def out_of_memory_here(error: BaseException) -> bool:
    """Whether the memory of this process, not of a GPU, ran out."""
    return isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error) or "allocate memory" in str(error)


def serve(connection: Connection) -> None:
    """Take a model under test, settings and orders from the driver until it has no more."""
    from radhard.campaign.workers.parcel import Shelf, packed, unpacked

    shelf = Shelf()
    connection.send((READY, b""))
    while True:
        try:
            content = connection.recv_bytes()
        except EOFError:
            return
        try:
            message: Any = unpacked(content)
            del content
            model_under_test, parts, settings, order = message
            del message
            if model_under_test is not None:
                shelf.put(model_under_test, parts)
            del parts
            shelf.settings.update(settings)
            reply = DONE, packed(shelf.run(order))
        except Exception as error:
            kind = MEMORY if out_of_memory_here(error) else FAILED
            reply = kind, packed((type(error).__name__, getattr(error, "on_command_line", str(error))))
        connection.send(reply)


def _end_with(lifeline: int) -> None:
    """Wait for the driver to end, then end at once: nobody wants the result."""
    with contextlib.suppress(OSError):
        os.read(lifeline, 1)
    os._exit(0)


def main(connection: int, lifeline: int) -> None:
    """Serve the driver at the other end of two file descriptors."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the driver says what is to end
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    for noisy in ("torchao", "torch.utils._pytree"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    import torch

    if threads := os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(threads))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the driver is gone
        serve(Connection(connection))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
