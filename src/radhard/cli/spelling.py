"""Option names and help headings of the fields of `radhard.studies.options`."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from radhard.cli import completion, parse
from radhard.studies.options import (
    BASELINES,
    CompareOptions,
    DataOptions,
    FaultOptions,
    ModelOptions,
    PlanOptions,
    RunOptions,
)
from radhard.studies.reproduction.paper_figures import ReproduceOptions, figures_of

ORDER = MODEL, DATA, FAULTS, PROTECTION, RUN, OUTPUT = "Model", "Data", "Faults", "Protection", "Run", "Output"
"""The headings of a command's help, from the top."""

PANELS: Mapping[type, str] = {
    ModelOptions: MODEL,
    DataOptions: DATA,
    FaultOptions: FAULTS,
    PlanOptions: PROTECTION,
    CompareOptions: PROTECTION,
    RunOptions: RUN,
    ReproduceOptions: RUN,
}
"""The heading of a group's options."""

ELSEWHERE: Mapping[tuple[type, str], str] = {
    (PlanOptions, "judge"): RUN,
    (CompareOptions, "select"): RUN,
    (ReproduceOptions, "grid"): FAULTS,
    (ReproduceOptions, "max_loss"): PROTECTION,
    (ReproduceOptions, "max_overhead"): PROTECTION,
}
"""The options of a group that stand under another heading."""

_WEIGHTS = "mul=1,add=1,cmp=1"


@dataclass(frozen=True, kw_only=True)
class Notation:
    """A field's value is `read` from a `form` that Typer knows.

    `default`: the field's own default as it is written, where that is not the same. `write`: inverse of `read`.

    `read` raises InputError for what cannot be read.
    """

    read: Callable[[Any], Any]
    form: type = str
    default: str | None = None
    write: Callable[[Any], Any] = str


def _listed(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _edges(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _pairs(values: Mapping[str, object]) -> str:
    return _listed(f"{key}={value}" for key, value in values.items())


SPELLED: Mapping[tuple[type, str], Notation] = {
    (ModelOptions, "input_shape"): Notation(read=parse.shape, write=_listed),
    (ModelOptions, "mean"): Notation(read=parse.mean, write=_listed),
    (ModelOptions, "std"): Notation(read=parse.std, write=_listed),
    (ModelOptions, "resize"): Notation(read=parse.edges, write=_edges),
    (ModelOptions, "anatomy"): Notation(read=parse.anatomy, write=lambda value: json.dumps(value.as_dict())),
    (DataOptions, "calibration"): Notation(read=str),
    (FaultOptions, "kinds"): Notation(read=parse.kinds, default="mul,add", write=lambda value: ",".join(sorted(value))),
    (FaultOptions, "words"): Notation(
        read=parse.words, default="product=int16,accumulator=int32", write=lambda value: _pairs(value.as_dict())
    ),
    (PlanOptions, "scheme"): Notation(read=str),
    (PlanOptions, "weights"): Notation(read=parse.weights, default=_WEIGHTS, write=lambda value: _pairs(vars(value))),
    (CompareOptions, "schemes"): Notation(read=parse.schemes, default=",".join(BASELINES), write=_listed),
    (CompareOptions, "weights"): Notation(
        read=parse.weights, default=_WEIGHTS, write=lambda value: _pairs(vars(value))
    ),
    (RunOptions, "until_width"): Notation(read=parse.width, form=float, write=float),
    (RunOptions, "workers"): Notation(read=int, form=int, write=int),
    (RunOptions, "shard"): Notation(read=parse.fraction, default="1/1", write=lambda value: "/".join(map(str, value))),
    (ReproduceOptions, "figures"): Notation(read=figures_of, default="2-5,7-12,14"),
    (ReproduceOptions, "grid"): Notation(read=parse.grid),
}
"""What is not listed, Typer reads by the field's type: texts, numbers, paths, choices, and tuples of these."""

COMPLETED: Mapping[tuple[type, str], Callable[[str], list[str]]] = {
    (ModelOptions, "recipe"): completion.recipes,
    (PlanOptions, "scheme"): completion.schemes,
    (CompareOptions, "schemes"): completion.schemes,
    (RunOptions, "device"): completion.devices,
}
"""What a shell offers for a field."""
