"""Option names and help headings of the fields of `radhard.studies.options`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radhard.cli import completion, parse
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions

ORDER = MODEL, DATA, FAULTS, PROTECTION, RUN, OUTPUT = "Model", "Data", "Faults", "Protection", "Run", "Output"
"""The headings of a command's help, from the top."""

PANELS: Mapping[type, str] = {ModelOptions: MODEL, DataOptions: DATA, FaultOptions: FAULTS, RunOptions: RUN}


@dataclass(frozen=True, kw_only=True)
class Notation:
    """A field's value is `read` from a `form` that Typer knows; `default`: the field's own default, as it is written.

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
    (RunOptions, "until_width"): Notation(read=parse.width, form=float),
    (RunOptions, "workers"): Notation(read=int, form=int),
    (RunOptions, "shard"): Notation(read=parse.fraction, default="1/1"),
}
"""What is not listed, Typer reads by the field's type: texts, numbers, paths, choices, and tuples of these."""

COMPLETED: Mapping[tuple[type, str], Callable[[str], list[str]]] = {
    (ModelOptions, "recipe"): completion.recipes,
    (RunOptions, "device"): completion.devices,
}
"""What a shell offers for a field."""
