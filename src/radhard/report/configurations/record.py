"""Accuracy and overhead of configurations, as JSON and CSV."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypedDict

from radhard.analysis.configurations import ConfigurationOutcome, Evaluation
from radhard.analysis.intervals import Interval
from radhard.analysis.judging import TargetCheck, TargetVerdict
from radhard.analysis.noninferiority import Differences
from radhard.analysis.overhead import Spent, Weights, own_operations
from radhard.analysis.pairs import Pair, Relation
from radhard.campaign.experiment import Setting
from radhard.machine.device import device_name
from radhard.models.data.pixels import PixelsRecord


class Rates(TypedDict):
    """A rate and the limits of its interval."""

    rate: float
    low: float
    high: float


class OutcomeRecord(TypedDict):
    """What a configuration gave at one bit error rate; what is not known is null."""

    configuration: str
    note: str
    ber: float
    trials: int
    n: int
    accuracy: float | None
    low: float
    high: float
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
    loss: Rates
    differing: Annotated[dict[str, Any], Differences]
    gain: Rates | None
    overhead: Annotated[dict[str, Any], Spent] | None
    sites: int


class Equivalence(TypedDict):
    """The one-sided limits of a difference, and the margin within which two are equivalent."""

    low: float
    high: float
    level: float
    margin: float


class PairRecord(TypedDict):
    """The accuracy of a configuration minus that of the reference, under the same faults on the same images."""

    configuration: str
    reference: str
    ber: float
    n: int
    difference: Rates
    equivalence: Equivalence
    relation: Relation


class CheckRecord(TypedDict):
    """Whether a plan meets its target on the images that evaluate it."""

    ber: float
    target: float
    verdict: TargetVerdict
    loss: Rates
    level: float
    images: int
    images_needed: int | None


class OwnOperations(TypedDict):
    """The model's own operations an image."""

    mul: int
    add: int


class ConfigurationsRecord(TypedDict):
    """What was evaluated of a model: how it was measured, and each configuration at each bit error rate."""

    model: str
    recipe: str
    program: str
    data: str
    data_digest: str
    calibrated_on: str
    pixels: PixelsRecord | None
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

    checks: list[Annotated[dict[str, Any], CheckRecord]]


class ComparedRecord(ConfigurationsRecord):
    """Schemes under the same faults, and each beside the reference."""

    pairs: list[Annotated[dict[str, Any], PairRecord]]


_OBJECTS: Mapping[str, type[Interval | Spent | Differences]] = {
    "loss": Interval,
    "differing": Differences,
    "gain": Interval,
    "overhead": Spent,
}


def configurations_record(evaluation: Evaluation) -> ConfigurationsRecord:
    """What was evaluated of a model -> JSON values."""
    setting, on, bench = setting_of(evaluation), evaluation.on, evaluation.bench
    mul, add = own_operations(bench.program_of(setting).costs)
    return {
        "model": setting.model,
        "recipe": setting.recipe,
        "program": setting.program,
        "data": setting.data,
        "data_digest": setting.data_digest,
        "calibrated_on": bench.calibrated_on,
        "pixels": None if bench.pixels is None else bench.pixels.as_dict(),
        "device": device_name(bench.device),
        "kinds": sorted(setting.kinds),
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
    return max((outcome.configuration.setting for outcome in evaluation.outcomes), key=lambda setting: setting.ber)


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
    place = {"model": setting.model, "recipe": setting.recipe, "data": setting.data, "images": evaluation.on.images}
    pairs = {(one.configuration, one.ber): one for one in evaluation.pairs}

    def paired(outcome: ConfigurationOutcome) -> dict[str, Any]:
        return _paired(pairs.get((outcome.configuration.name, outcome.configuration.ber))) if pairs else {}

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
