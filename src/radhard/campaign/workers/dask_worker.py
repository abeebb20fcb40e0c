"""The side of a Dask worker: a model under test on its shelf, and the task that runs a job. Needs `distributed`."""

import threading
from collections.abc import Mapping
from typing import Any

import torch
from distributed.diagnostics.plugin import WorkerPlugin

from radhard.campaign.workers.parcel import PartList, Shelf, packed, unpacked
from radhard.errors import WorkerError
from radhard.version import VERSION

VERSIONS = {"radhard": VERSION, "torch": torch.__version__}
_SHELF, _ONE_JOB = Shelf(), threading.Lock()
_RECEIVED: dict[str, tuple[PartList, Mapping[str, bytes]]] = {}


class SendParts(WorkerPlugin):  # type: ignore[misc]
    """The plugin that brings a model under test to each worker's process, to those that come later, too."""

    def __init__(self, part_list: PartList, parts: Mapping[str, bytes]) -> None:
        self.part_list, self.parts, self.versions = part_list, dict(parts), dict(VERSIONS)
        self.name = f"radhard-{part_list.digest}"

    def teardown(self, worker: Any) -> None:
        """Let it go."""
        del worker
        _RECEIVED.pop(self.part_list.digest, None)

    def setup(self, worker: Any) -> None:
        """Keep it until the first job: Dask's own work waits for what is done here."""
        del worker
        _RECEIVED[self.part_list.digest] = self.part_list, self.parts


def run_order(content: bytes) -> bytes:
    """Run a packed order with its settings, one at a time in a process: what came out, packed.

    WorkerError if this process has other versions than the driver, which may compute something else.
    """
    versions, settings, order = unpacked(content)
    if versions != VERSIONS:
        here, there = (", ".join(f"{name} {number}" for name, number in v.items()) for v in (VERSIONS, versions))
        raise WorkerError(f"a worker has {here}, the command has {there}: install the same versions on both")
    with _ONE_JOB:
        if order.model_under_test not in _SHELF.models_under_test:
            _SHELF.put(*_RECEIVED[order.model_under_test])
        _SHELF.settings.update(settings)
        return packed(_SHELF.run(order))
