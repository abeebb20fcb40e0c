"""Failure rates as JSON and CSV."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from radhard.analysis.accelerator import NOT_MODELLED
from radhard.analysis.fmeda import Fit, Fmeda, FmedaPart, Ground
from radhard.analysis.intervals import Interval
from radhard.analysis.raw_rate import ber_of, fit_per_megabit
from radhard.analysis.safety_target import Reached, SafetyTarget, TargetName, needed
from radhard.hardware import Npu
from radhard.protection import Plan
from radhard.report.avf_record import RateRecord


class FitRecord(TypedDict):
    """Failures in 10^9 hours, and the limits that hold for all parts at once."""

    value: float
    low: float
    high: float


class FmedaPartRecord(TypedDict):
    """A part: its bits, raw FIT, duty, safe share, the DC of the plan, and the FIT that are left.

    `ber`: what the raw rate is a bit and cycle. `coverage`: that of the part's own code. Of `upsets` injected at useful
    cycles, `wrong` gave a wrong answer, `silent` of these with the plan on and no alarm; null where nothing was
    injected. `..._from`: "measured" on this model, "exact" (a closed form), "stated" by the hardware file, "assumed",
    or "none".
    """

    part: str
    bits: int
    fit_per_mbit: float
    ber: float
    raw: float
    duty: float
    duty_from: Ground
    safe: RateRecord
    safe_from: Ground
    coverage: float
    dc: RateRecord
    dc_from: Ground
    residual: FitRecord
    upsets: int | None
    wrong: int | None
    silent: int | None


class RawRateRecord(TypedDict):
    """A class of parts: its raw rate, what that is a bit and cycle, where it is from, and what that assumes."""

    name: str
    fit_per_mbit: float
    ber: float
    source: str
    assumes: str


class NeedRecord(TypedDict):
    """The parts that must be covered further for the target, and the share of what is left of them that must go."""

    parts: list[str]
    dc: float


class SafetyTargetRecord(TypedDict):
    """A target: at least `spfm`, at most `fit`, and so at most `budget` FIT here; whether it is met.

    `share`: the residual FIT, by their upper limit, of those that the target allows a whole item. `needed`: null where
    the target is met.
    """

    name: TargetName
    standard: str
    spfm: float
    fit: float
    budget: float
    share: float
    verdict: Reached
    needed: NeedRecord | None


class FitStudyRecord(TypedDict):
    """The FMEDA of an accelerator that runs a model, for transient faults.

    `busy`: the share of time in which the array works, `cycles` an inference. `plan_ber`, `plan_fit_per_mbit`: the bit
    error rate of the plan, and the raw rate that it would mean at the clock; null without a plan.
    """

    model: str
    recipe: str
    program: str
    data: str
    hardware: str
    source: str
    assumes: list[str]
    clock: float
    inferences_per_second: float | None
    cycles: int
    busy: float
    images: int
    trials: int
    seed: int
    device: str
    plan_ber: float | None
    plan_fit_per_mbit: float | None
    rates: list[RawRateRecord]
    parts: list[FmedaPartRecord]
    raw: float
    residual: FitRecord
    spfm: RateRecord
    target: SafetyTargetRecord
    not_modelled: list[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class FitStudy:
    """What was measured, on what, and for which target."""

    model: str
    recipe: str
    program: str
    data: str
    npu: Npu
    cycles: int
    busy: float
    images: int
    trials: int
    seed: int
    device: str
    plan: Plan | None
    fmeda: Fmeda
    target: SafetyTarget


def fit_study_record(found: FitStudy) -> FitStudyRecord:
    """The record of a model in `radhard fit --json`."""
    npu, plan, fmeda = found.npu, found.plan, found.fmeda
    return {
        "model": found.model,
        "recipe": found.recipe,
        "program": found.program,
        "data": found.data,
        "hardware": npu.name,
        "source": npu.source,
        "assumes": list(npu.assumes),
        "clock": npu.clock,
        "inferences_per_second": npu.inferences_per_second,
        "cycles": found.cycles,
        "busy": found.busy,
        "images": found.images,
        "trials": found.trials,
        "seed": found.seed,
        "device": found.device,
        "plan_ber": None if plan is None else plan.ber,
        "plan_fit_per_mbit": None if plan is None else fit_per_megabit(plan.ber, npu.clock),
        "rates": [
            {
                "name": name,
                "fit_per_mbit": rate.fit_per_mbit,
                "ber": ber_of(rate.fit_per_mbit, npu.clock),
                "source": rate.source,
                "assumes": rate.assumes,
            }
            for name, rate in npu.rates.items()
        ],
        "parts": [part_record(part, clock=npu.clock) for part in fmeda.parts],
        "raw": fmeda.raw,
        "residual": _fit(fmeda.residual),
        "spfm": _rate(fmeda.spfm),
        "target": _target(found.target, fmeda),
        "not_modelled": list(NOT_MODELLED),
    }


def part_record(part: FmedaPart, *, clock: float) -> FmedaPartRecord:
    """The record of a part."""
    return {
        "part": part.name,
        "bits": part.bits,
        "fit_per_mbit": part.fit_per_mbit,
        "ber": ber_of(part.fit_per_mbit, clock),
        "raw": part.raw,
        "duty": part.duty,
        "duty_from": part.duty_from,
        "safe": _rate(Interval(rate=1 - part.avf.rate, low=1 - part.avf.high, high=1 - part.avf.low)),
        "safe_from": part.avf_from,
        "coverage": part.coverage,
        "dc": _rate(part.dc),
        "dc_from": part.dc_from,
        "residual": _fit(part.residual),
        "upsets": part.upsets,
        "wrong": part.wrong,
        "silent": part.silent,
    }


def fit_rows(found: FitStudyRecord) -> list[dict[str, object]]:
    """One flat row a part."""
    rows = []
    for part in found["parts"]:
        row: dict[str, object] = {"model": found["model"], "recipe": found["recipe"], "hardware": found["hardware"]}
        for name, value in part.items():
            if isinstance(value, dict):
                row |= {name if end in ("rate", "value") else f"{name}_{end}": each for end, each in value.items()}
            else:
                row[name] = value
        rows.append(row)
    return rows


def write_fit(found: Sequence[FitStudyRecord], path: Path) -> None:
    """Write the rows of all models."""
    rows = [row for one in found for row in fit_rows(one)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _target(target: SafetyTarget, fmeda: Fmeda) -> SafetyTargetRecord:
    need = needed(fmeda, target)
    return {
        "name": target.name,
        "standard": target.standard,
        "spfm": target.spfm,
        "fit": target.fit,
        "budget": target.budget(fmeda),
        "share": fmeda.residual.high / target.fit,
        "verdict": target.verdict(fmeda),
        "needed": None if need is None else {"parts": list(need.parts), "dc": need.dc},
    }


def _fit(rate: Fit) -> FitRecord:
    return {"value": rate.value, "low": rate.low, "high": rate.high}


def _rate(interval: Interval) -> RateRecord:
    rate = None if math.isnan(interval.rate) else interval.rate
    return {"rate": rate, "low": interval.low, "high": interval.high}


def fit_headline(found: FitStudyRecord) -> str:
    """`fashion-vit, int8, on my NPU: 0.01 FIT (0 - 0.05) of 78.6 raw are left; ASIL-D met`."""
    left, target = found["residual"], found["target"]
    return (
        f"{found['model']}, {found['recipe']}, on {found['hardware']}: {left['value']:.3g} FIT "
        f"({left['low']:.3g} - {left['high']:.3g}) of {found['raw']:.3g} raw are left; {target['name'].upper()} "
        f"{target['verdict']}"
    )
