"""Option names and help headings of the fields of `radhard.studies.options`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
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

ORDER = MODEL, DATA, FAULTS, PROTECTION, RUN, OUTPUT = "Model", "Data", "Faults", "Protection", "Run", "Output"
"""The headings of a command's help, from the top."""

PANELS: Mapping[type, str] = {
    ModelOptions: MODEL,
    DataOptions: DATA,
    FaultOptions: FAULTS,
    PlanOptions: PROTECTION,
    CompareOptions: PROTECTION,
    RunOptions: RUN,
}
"""The heading of a group's options."""

ELSEWHERE: Mapping[tuple[type, str], str] = {(PlanOptions, "judge"): RUN, (CompareOptions, "select"): RUN}
"""The options of a group that stand under another heading."""

_WEIGHTS = "mul=1,add=1,cmp=1"


@dataclass(frozen=True, kw_only=True)
class Notation:
    """A field's value is `read` from a `form` that Typer knows.

    `default`: the field's own default as it is written, where that is not the same.

    `read` raises InputError for what cannot be read.
    """

    read: Callable[[Any], Any]
    form: type = str
    default: str | None = None


SPELLED: Mapping[tuple[type, str], Notation] = {
    (ModelOptions, "input_shape"): Notation(read=parse.shape),
    (ModelOptions, "mean"): Notation(read=parse.mean),
    (ModelOptions, "std"): Notation(read=parse.std),
    (ModelOptions, "resize"): Notation(read=parse.edges),
    (ModelOptions, "anatomy"): Notation(read=parse.anatomy, form=Path),
    (DataOptions, "calibration"): Notation(read=str),
    (FaultOptions, "kinds"): Notation(read=parse.kinds, default="mul,add"),
    (FaultOptions, "words"): Notation(read=parse.words, default="product=int16,accumulator=int32"),
    (PlanOptions, "scheme"): Notation(read=str),
    (PlanOptions, "weights"): Notation(read=parse.weights, default=_WEIGHTS),
    (CompareOptions, "schemes"): Notation(read=parse.schemes, default=",".join(BASELINES)),
    (CompareOptions, "weights"): Notation(read=parse.weights, default=_WEIGHTS),
    (RunOptions, "until_width"): Notation(read=parse.width, form=float),
    (RunOptions, "workers"): Notation(read=int, form=int),
    (RunOptions, "shard"): Notation(read=parse.fraction, default="1/1"),
}
"""What is not listed, Typer reads by the field's type: texts, numbers, paths, choices, and tuples of these."""

COMPLETED: Mapping[tuple[type, str], Callable[[str], list[str]]] = {
    (ModelOptions, "recipe"): completion.recipes,
    (PlanOptions, "scheme"): completion.schemes,
    (CompareOptions, "schemes"): completion.schemes,
    (RunOptions, "device"): completion.devices,
}
"""What a shell offers for a field."""
