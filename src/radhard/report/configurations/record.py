"""Accuracy, or agreement, and overhead of configurations, as JSON and CSV."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypedDict

from radhard.analysis.configurations import ConfigurationOutcome, Evaluation
from radhard.analysis.intervals import Interval, Rates
from radhard.analysis.judging import CheckRecord, TargetCheck
from radhard.analysis.noninferiority import Differences
from radhard.analysis.overhead import Spent, SpentRecord, Weights, own_operations
from radhard.analysis.pairs import Pair, PairRecord
from radhard.campaign.experiment import Setting
from radhard.machine.device import device_name
from radhard.models.data.pixels import PixelsRecord
from radhard.report.record import FaultModelRecord, fault_model_record, measure_of


class OutcomeRecord(TypedDict):
    """What a configuration gave at one bit error rate; what is not known is null.

    Of images without labels that is `accuracy`, its limits, and what is of it: what counts is `changed`.
    """

    configuration: str
    note: str
    ber: float | None
    trials: int
    n: int
    accuracy: float | None
    low: float | None
    high: float | None
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    changed: float | None
    non_finite: float | None
    flips_expected: float
    flips: float | None
    ended: str
    changed_low: float
    changed_high: float
    flips_an_inference: int | None
    sdc: float | None
    sdc_low: float
    sdc_high: float
    critical: float | None
    critical_low: float | None
    critical_high: float | None
    due: float | None
    due_low: float
    due_high: float
    loss: Rates
    differing: Annotated[dict[str, Any], Differences]
    gain: Rates | None
    overhead: Annotated[SpentRecord, Spent] | None
    sites: int


class OwnOperations(TypedDict):
    """The model's own operations an image."""

    mul: int
    add: int


class ConfigurationsRecord(FaultModelRecord):
    """What was evaluated of a model: how it was measured, and each configuration at each bit error rate.

    `measure`: what losses, gains and differences are of, `accuracy` or, without labels, `kept` (agreement).
    """

    model: str
    recipe: str
    program: str
    data: str
    data_digest: str
    calibrated_on: str
    pixels: PixelsRecord | None
    labelled: bool
    measure: str
    device: str
    kinds: list[str]
    where: dict[str, Any]
    seed: int
    anatomy: dict[str, dict[str, str]]
    words: dict[str, str]
    weights: Annotated[dict[str, Any], Weights]
    images: int
    trials: int
    chunk: int
    own_operations: OwnOperations
    configurations: list[Annotated[dict[str, Any], OutcomeRecord]]


class EvaluatedRecord(ConfigurationsRecord):
    """Plans on images that did not choose them, and whether their targets are met there."""

    checks: list[CheckRecord]


class ComparedRecord(ConfigurationsRecord):
    """Schemes under the same faults, and each beside the reference."""

    pairs: list[PairRecord]


_OBJECTS: Mapping[str, type[Interval | Spent | Differences]] = {
    "loss": Interval,
    "differing": Differences,
    "gain": Interval,
    "overhead": Spent,
}


def configurations_record(evaluation: Evaluation) -> ConfigurationsRecord:
    """What was evaluated of a model -> JSON values."""
    setting, on, model_under_test = setting_of(evaluation), evaluation.on, evaluation.model_under_test
    mul, add = own_operations(model_under_test.program_of(setting).costs)
    return {
        "model": setting.model,
        "recipe": setting.recipe,
        "program": setting.program,
        "data": setting.data,
        "data_digest": setting.data_digest,
        "calibrated_on": model_under_test.calibrated_on,
        "pixels": None if model_under_test.pixels is None else model_under_test.pixels.as_dict(),
        "labelled": setting.labelled,
        "measure": measure_of(setting),
        "device": device_name(model_under_test.device),
        "kinds": sorted(setting.kinds),
        **fault_model_record(setting),
        "where": setting.where.as_dict(),
        "seed": setting.seed,
        "anatomy": setting.overrides.as_dict(),
        "words": setting.words.as_dict(),
        "weights": vars(evaluation.weights),
        "images": on.images,
        "trials": on.trials,
        "chunk": on.chunk,
        "own_operations": {"mul": mul, "add": add},
        "configurations": [outcome.as_dict() for outcome in evaluation.outcomes],
    }


def evaluated_record(evaluation: Evaluation, checks: Sequence[TargetCheck]) -> EvaluatedRecord:
    """The same, with the check of each plan's target."""
    return {**configurations_record(evaluation), "checks": [check.as_dict() for check in checks]}


def compared_record(evaluation: Evaluation) -> ComparedRecord:
    """The same, with the pairs."""
    return {**configurations_record(evaluation), "pairs": [one.as_dict() for one in evaluation.pairs]}


def write_configurations(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Write the rows of all evaluations; what was not measured is empty."""
    rows = [row for evaluation in evaluations for row in configurations_rows(evaluation)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def setting_of(evaluation: Evaluation) -> Setting:
    """That of the outcome at the highest rate: which program and data, which faults and words."""
    return max((outcome.configuration.setting for outcome in evaluation.outcomes), key=lambda setting: setting.amount)


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome's JSON values, objects taken apart: `loss` becomes `loss_rate`, `loss_low`, `loss_high`."""
    row: dict[str, Any] = {}
    for name, value in values.items():
        parts = [field.name for field in fields(_OBJECTS[name])] if name in _OBJECTS else []
        row |= {f"{name}_{part}": None if value is None else value[part] for part in parts} or {name: value}
    return row


def configurations_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """One row a configuration and BER, with a column for each field of an interval and of the overhead.

    What was not measured is None. Where configurations were paired, a row also has its difference to the reference.
    """
    setting = setting_of(evaluation)
    place = {
        "model": setting.model, "measure": measure_of(setting), "recipe": setting.recipe, "data": setting.data,
        "images": evaluation.on.images,
    }  # fmt: skip
    pairs = {(one.configuration, one.amount): one for one in evaluation.pairs}

    def paired(outcome: ConfigurationOutcome) -> dict[str, Any]:
        return _paired(pairs.get((outcome.configuration.name, outcome.configuration.amount))) if pairs else {}

    return [{**place, **flat(outcome.as_dict()), **paired(outcome)} for outcome in evaluation.outcomes]


def _paired(found: Pair | None) -> dict[str, Any]:
    names = ("reference", "difference", "difference_low", "difference_high", "equivalence_low", "equivalence_high")
    if found is None:
        return dict.fromkeys((*names, "equivalence_level", "margin", "relation"))
    difference, limits = found.difference, found.limits
    values = (found.reference, difference.rate, difference.low, difference.high, limits.low, limits.high)
    return {
        **dict(zip(names, values, strict=True)),
        "equivalence_level": found.level,
        "margin": found.margin,
        "relation": found.relation,
    }
