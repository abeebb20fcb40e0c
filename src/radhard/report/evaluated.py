"""What conditions gave on one model, as records for other programs: JSON and CSV."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from radhard.analysis.conditions import Outcome, Trials
from radhard.analysis.intervals import Interval
from radhard.analysis.overhead import Spent, Weights
from radhard.campaign.experiment import Setting
from radhard.errors import InputError

_OBJECTS: Mapping[str, type[Interval] | type[Spent]] = {"loss": Interval, "gain": Interval, "overhead": Spent}


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The `outcomes` of one model's conditions, measured `on` the same images.

    `weights` are those of overheads, `batch` is how many images ran at once, `plan` the file of the plan that was
    evaluated, `clean` the accuracy of each recipe with no fault and no protection. InputError unless all outcomes are
    of one program on the same data.
    """

    outcomes: tuple[Outcome, ...]
    weights: Weights
    on: Trials
    batch: int = 1
    plan: str | None = None
    clean: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.outcomes:
            raise InputError("no outcome was evaluated: give one or more conditions")
        start = self.outcomes[0].condition
        first = start.setting.without_faults()
        for outcome in self.outcomes:
            other = outcome.condition.setting.without_faults()
            if other != first:
                raise InputError(
                    f"condition {outcome.condition.name!r} is of {_program(other)}, {start.name!r} of "
                    f"{_program(first)}: evaluate each program and its data apart"
                )

    @property
    def setting(self) -> Setting:
        """That of the first outcome at the highest rate: which program and data, which faults and words."""
        return max((outcome.condition.setting for outcome in self.outcomes), key=lambda setting: setting.ber)

    @property
    def model(self) -> str:
        """The model's name."""
        return self.setting.model

    @property
    def names(self) -> tuple[str, ...]:
        """The conditions' names, in the order in which they were first met."""
        return tuple(dict.fromkeys(outcome.condition.name for outcome in self.outcomes))

    @property
    def own(self) -> tuple[int, int] | None:
        """Multiplications and additions of the model itself an image; None if nothing protected was measured."""
        spent = next((outcome.spent for outcome in self.outcomes if outcome.spent is not None), None)
        return None if spent is None else (spent.own_mul, spent.own_add)


def conditions_record(evaluated: Evaluated) -> dict[str, Any]:
    """What was evaluated of a model -> JSON values: how it was measured, and each condition at each BER."""
    setting, on, own = evaluated.setting, evaluated.on, evaluated.own
    return {
        "model": setting.model,
        "recipe": setting.recipe,
        "program": setting.program,
        "data": setting.data,
        "data_digest": setting.data_digest,
        "plan": evaluated.plan,
        "kinds": sorted(setting.kinds),
        "seed": setting.seed,
        "words": setting.words.as_dict(),
        "weights": vars(evaluated.weights),
        "batch": evaluated.batch,
        "images": on.images,
        "trials": on.trials,
        "own_operations": None if own is None else {"mul": own[0], "add": own[1]},
        "clean": dict(evaluated.clean),
        "conditions": [outcome.as_dict() for outcome in evaluated.outcomes],
    }


def write_conditions(models: Sequence[Evaluated], path: Path) -> None:
    """Write one row a model, condition and BER, with a column for each field of an interval and of the overhead.

    What was not measured is empty.
    """
    rows = [row for evaluated in models for row in _rows(evaluated)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _rows(evaluated: Evaluated) -> Iterator[dict[str, Any]]:
    setting = evaluated.setting
    place = {"model": setting.model, "recipe": setting.recipe, "data": setting.data, "images": evaluated.on.images}
    for outcome in evaluated.outcomes:
        row: dict[str, Any] = dict(place)
        for name, value in outcome.as_dict().items():
            parts = [field.name for field in fields(_OBJECTS[name])] if name in _OBJECTS else []
            row |= {f"{name}_{part}": None if value is None else value[part] for part in parts} or {name: value}
        yield row


def _program(setting: Setting) -> str:
    return f"{setting.model} ({setting.recipe}, {setting.program[:12]}) on {setting.data}"
