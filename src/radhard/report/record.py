"""The JSON envelope that all commands share, and the record of a setting."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from radhard.campaign.experiment import Setting
from radhard.version import VERSION
from radhard.words import Words


class Envelope(TypedDict):
    """What a command prints by --json: who made it, the command line, its settings, and a record for each model."""

    radhard: str
    command: str
    settings: dict[str, object]
    models: list[Mapping[str, Any]]


def envelope(command: str, settings: Mapping[str, object], models: Sequence[Mapping[str, Any]]) -> Envelope:
    """The JSON of a command. `settings`: all that it was told, as `radhard.studies.settings.settings_of` makes it."""
    return Envelope(radhard=VERSION, command=command, settings=dict(settings), models=list(models))


class WordsRecord(TypedDict):
    """The words of products and of running sums, such as `int16` and `int32`."""

    product: str
    accumulator: str


def words_record(words: Words) -> WordsRecord:
    """The words that faults are in."""
    return WordsRecord(product=words.product.name, accumulator=words.accumulator.name)


def measure_of(setting: Setting) -> str:
    """What losses and factors are of: `accuracy`, or, without labels, `kept`: one less the SDC rate of top-1."""
    return "accuracy" if setting.labelled else "kept"
