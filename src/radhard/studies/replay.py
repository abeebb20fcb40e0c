"""The verb `replay`: a model under exactly the faults of a table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.replay import Replayed, replay_upsets
from radhard.campaign.replay import replay as run_again
from radhard.errors import InputError
from radhard.faults import Flips, flips_of, read_trace
from radhard.hardware import UpsetRows, read_upsets, upsets_of
from radhard.hardware.upset_table import MARK
from radhard.report.replay import ReplayRecord, replay_record
from radhard.studies.data import Data
from radhard.studies.model import Model
from radhard.studies.options import DataOptions, ModelOptions, RunOptions
from radhard.studies.progress import Report
from radhard.studies.request import Request, check_only
from radhard.studies.result import Result
from radhard.studies.trace import Trace, UpsetTrace
from radhard.studies.under_test import recipe_of
from radhard.words import Words

Table = str | Path | Trace | UpsetTrace | Flips | Iterable[Mapping[str, object]]
"""A file, what `radhard.trace` gave, flips, or rows of either as dicts: trial, image, site, kind, index, bit."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ReplayResult(Result):
    """The images that the faults of a `trial` hit, run with and without these; `replayed` has their logits.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.arange(480.0).reshape(40, 3, 2, 2)
    >>> rh.replay(model, images, trace=rh.trace(model, images, ber=1e-3))
    <ReplayResult: Sequential, int8, trial 0: ... flips in ... images, ... of them answered otherwise>
    """

    replayed: Replayed
    model_under_test: ModelUnderTest
    recipe: str
    trial: int

    @property
    def logits(self) -> Tensor:
        """Float32 [B, K], under the faults; `replayed` has the clean ones, and which images they are of."""
        return self.replayed.logits

    @property
    def headline(self) -> str:
        """`fashion-vit, int8, trial 0: 103 flips in 10 images, 2 of them answered otherwise`."""
        records = self.replayed.records()
        changed = sum(each["clean"] != each["prediction"] for each in records)
        flips = sum(each["flips"] for each in records)
        return (
            f"{self.model_under_test.model}, {self.recipe}, trial {self.trial}: {flips:,} flips in "
            f"{len(records):,} images, {changed:,} of them answered otherwise"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row an image."""
        return [dict(record) for record in self.replayed.records()]

    def to_dict(self) -> ReplayRecord:
        """The record of the model in `radhard replay --json`."""
        return replay_record(
            self.replayed, model_under_test=self.model_under_test, recipe=self.recipe, trial=self.trial
        )


def replay(
    model: Model,
    data: Data | None = None,
    *,
    trace: Table,
    trial: int | None = None,
    words: Words | None = None,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> ReplayResult:
    """Run the images that a table of faults names, under exactly these faults. `run` sets batch and device only.

    `trial` selects one trial of a table with several. `words` are the words of the run that a .csv file or rows come
    from, if they were not the default. InputError for a row that names an image, site, operation or bit that does not
    exist; other errors are those of `under_test` and of `read_trace`.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.arange(480.0).reshape(40, 3, 2, 2)
    >>> first = rh.trace(model, images, ber=1e-3).rows()[:1]
    >>> [row["flips"] for row in rh.replay(model, images, trace=first).rows()]
    [1]
    """
    request = Request.of(
        model, data, model_options=model_options, data_options=data_options, run=run, progress=progress
    )
    check_only(request.run, ("batch", "device"), verb="replay")
    found = _table(trace, trial=trial, words=words)
    model_under_test = request.under_test(images=None)
    recipe = recipe_of(model_under_test, request.model_options)
    batch = request.run.batch
    if isinstance(found, Flips):
        replayed = run_again(model_under_test, found, recipe=recipe, batch=batch)
    else:
        replayed = replay_upsets(model_under_test, found, recipe=recipe, batch=batch)
    return ReplayResult(replayed=replayed, model_under_test=model_under_test, recipe=recipe, trial=found.trial)


def _table(trace: Table, *, trial: int | None, words: Words | None) -> Flips | UpsetRows:
    """What a table holds: upsets, if it names their fault model, or flips."""
    found = None
    if isinstance(trace, str | Path):
        found = read_upsets(trace, trial=trial)
    elif isinstance(trace, UpsetTrace):
        found = upsets_of(trace.rows(), trial=trial)
    elif not isinstance(trace, Trace | Flips):
        trace = list(trace)
        found = upsets_of(trace, trial=trial) if any(MARK in row for row in trace) else None
    if found is None:
        assert not isinstance(trace, UpsetTrace)
        return _flips(trace, trial=trial, words=words)
    if words is not None:
        raise InputError(f"--words {words.name}: a table of upsets has no words of operations; leave it out")
    return found


def _flips(
    trace: str | Path | Trace | Flips | Iterable[Mapping[str, object]], *, trial: int | None, words: Words | None
) -> Flips:
    if isinstance(trace, str | Path):
        return read_trace(trace, trial=trial, words=words)
    if not isinstance(trace, Trace | Flips):
        return flips_of(trace, trial=trial, words=words)
    flips = trace.flips if isinstance(trace, Trace) else trace
    if trial not in (None, flips.trial):
        raise InputError(f"--trial {trial}: the faults that are given are those of trial {flips.trial}; leave it out")
    if words not in (None, flips.words):
        raise InputError(f"--words {words}: the faults that are given are in words {flips.words.name}; leave it out")
    return flips
