"""Run one unit of work: which flips meet its images, and what becomes of those that are hit."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from radhard.campaign.bench import Bench
from radhard.campaign.experiment import Unit
from radhard.campaign.outcomes import UNDECIDED, Bools, Ints, Outcome
from radhard.errors import InputError
from radhard.faults import Faulty, draw
from radhard.machine import Clean
from radhard.program import RunResult, run

Counts = npt.NDArray[np.int32] | npt.NDArray[np.int64]

FLIPS_AT_ONCE = 2_000_000
"""About how many flips are held in memory at a time, where a batch alone does not hold more."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A unit of work, and the clean outcome of its images unless the unit itself is clean.

    `whole`: where it is known, their outcome in this trial under faults that include those of the unit.
    """

    unit: Unit
    clean: Outcome | None
    whole: Outcome | None = None


def measure(job: Job, bench: Bench, *, batch: int) -> Outcome:
    """Run a unit on a bench, `batch` images at a time (which changes speed and memory, not the outcome)."""
    if job.unit.setting.clean:
        return _measure_clean(job.unit, bench, batch=batch)
    if job.clean is None:
        raise InputError("a unit with faults is compared with the clean outcome of its images: measure that first")
    return _measure_faulty(job.unit, bench, clean=job.clean, whole=job.whole, batch=batch)


def predictions(logits: Tensor) -> Ints:
    """`logits` float32 [B, K] -> int32 [B]: the first class of the largest logit, UNDECIDED if one is NaN."""
    chosen = logits.nan_to_num(nan=float("inf")).argmax(dim=1)
    return torch.where(logits.isnan().any(dim=1), UNDECIDED, chosen).numpy().astype(np.int32)


def _measure_clean(unit: Unit, bench: Bench, *, batch: int) -> Outcome:
    prediction = np.empty(len(unit), np.int32)
    non_finite = np.empty(len(unit), np.int32)
    for part in torch.split(torch.arange(unit.start, unit.stop), batch):
        result = run(bench.program_of(unit.setting), bench.images(part), Clean(), ids=bench.data.ids[part])
        _put(result, part - unit.start, prediction=prediction, non_finite=non_finite)
    return Outcome(
        prediction=prediction,
        correct=prediction == _labels(unit, bench),
        changed=np.zeros(len(unit), np.bool_),
        non_finite=non_finite,
        flips=np.zeros(len(unit), np.int32),
    )


def rerun(flips: Counts, *, whole: Counts | None) -> Bools:
    """`flips` of B images, those of `whole`, faults that include these -> which images must be run, bool [B].

    None that no flip hits: it is clean. None with as many flips as under `whole`: they are the same ones.
    """
    return flips > 0 if whole is None else (flips > 0) & (flips != whole)


def _measure_faulty(unit: Unit, bench: Bench, *, clean: Outcome, whole: Outcome | None, batch: int) -> Outcome:
    program, faults = bench.program_of(unit.setting), unit.setting.faults(unit.trial)
    prediction, non_finite = clean.prediction.copy(), clean.non_finite.copy()  # right where nothing flips
    counts = np.empty(len(unit), np.int32)
    expected = unit.setting.bits * unit.setting.ber
    group = max(batch, min(len(unit), int(FLIPS_AT_ONCE / max(1.0, expected))))
    for places in torch.split(torch.arange(unit.start, unit.stop), group):
        flips = draw(program, faults, bench.data.ids[places])
        flips_of_image = flips.per_image(bench.data.ids[places].numpy())
        here = (places - unit.start).numpy()
        counts[here] = flips_of_image
        if whole is not None:
            same = here[flips_of_image == whole.flips[here]]
            prediction[same], non_finite[same] = whole.prediction[same], whole.non_finite[same]
        missing = rerun(flips_of_image, whole=None if whole is None else whole.flips[here])
        for part in torch.split(places[torch.from_numpy(missing)], batch):
            if len(part) == 0:  # `split` of no images yields one empty part
                continue
            ids = bench.data.ids[part]
            machine = Faulty(Clean(), flips.only(ids.numpy()))
            result = run(program, bench.images(part), machine, ids=ids)
            _put(result, part - unit.start, prediction=prediction, non_finite=non_finite)
    return Outcome(
        prediction=prediction,
        correct=prediction == _labels(unit, bench),
        changed=prediction != clean.prediction,
        non_finite=non_finite,
        flips=counts,
    )


def _put(result: RunResult, places: Tensor, *, prediction: Ints, non_finite: Ints) -> None:
    prediction[places.numpy()] = predictions(result.logits)
    non_finite[places.numpy()] = result.non_finite.clamp(max=torch.iinfo(torch.int32).max).numpy()


def _labels(unit: Unit, bench: Bench) -> Ints:
    return bench.data.labels[unit.start : unit.stop].numpy().astype(np.int32)
