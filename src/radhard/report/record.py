"""The JSON envelope that all commands share, and the record of a setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from radhard.campaign.experiment import Setting
from radhard.version import VERSION
from radhard.words import Words


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """What a command prints by --json: the command line, its settings, a record for each model, and what is `beside`.

    `settings`: all that it was told, as `radhard.studies.settings.settings_of` makes it.
    """

    command: str
    settings: Mapping[str, object]
    models: Sequence[Mapping[str, object]]
    beside: Mapping[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON: who made it, too."""
        return {
            "radhard": VERSION,
            "command": self.command,
            "settings": dict(self.settings),
            "models": list(self.models),
            **self.beside,
        }


class WordsRecord(TypedDict):
    """The words of products and of running sums, such as `int16` and `int32`."""

    product: str
    accumulator: str


def words_record(words: Words) -> WordsRecord:
    """The words that faults are in."""
    return WordsRecord(product=words.product.name, accumulator=words.accumulator.name)


class FaultModelRecord(TypedDict, total=False):
    """The fault model of one upset an inference, as the command line writes it; left out of flips of operations."""

    fault_model: str


def fault_model_record(setting: Setting) -> FaultModelRecord:
    """The fault model, if there is one: then `kinds` is empty, and `exposed_bits` counts its bits."""
    text = setting.fault_model_text
    return {} if text is None else {"fault_model": text}


def measure_of(setting: Setting) -> str:
    """What losses and factors are of: `accuracy`, or, without labels, `kept`: one less the SDC rate of top-1."""
    return "accuracy" if setting.labelled else "kept"
