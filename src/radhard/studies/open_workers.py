"""The workers of a verb: this process alone, processes of this machine, or a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from radhard.campaign.executor import ThisProcess, Workers
from radhard.campaign.workers.dask_cluster import DaskWorkers
from radhard.campaign.workers.local import LocalWorkers
from radhard.errors import InputError
from radhard.studies.options import RunOptions


@contextmanager
def open_workers(run: RunOptions) -> Iterator[Workers]:
    """What runs the jobs, until the end of the block; workers that are open already stay so.

    InputError for workers on two places; other errors are those of `LocalWorkers` and `DaskWorkers`.
    """
    if run.workers is not None and run.cluster is not None:
        raise InputError(f"--workers {run.workers} together with --cluster {run.cluster}: give one of the two")
    if run.cluster is not None:
        with DaskWorkers(run.cluster) as cluster:
            yield cluster
    elif run.workers is None:
        yield ThisProcess()
    elif isinstance(run.workers, int):
        with LocalWorkers(run.workers) as workers:
            yield workers
    else:
        yield run.workers


@contextmanager
def with_open_workers(run: RunOptions) -> Iterator[RunOptions]:
    """The options with workers that stay open for several verbs: each then finds them running."""
    with open_workers(run) as workers:
        yield replace(run, workers=None if isinstance(workers, ThisProcess) else workers, cluster=None)
