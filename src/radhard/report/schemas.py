"""JSON schemas of all commands' output: `python -m radhard.report.schemas FOLDER` writes them."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radhard.analysis.claims.claim import JudgementRecord
from radhard.json_schema import Schema, schema_of
from radhard.report.anatomy import AnatomyRecord
from radhard.report.avf_record import AvfRecord
from radhard.report.blocks import BlocksRecord
from radhard.report.configurations.record import ComparedRecord, EvaluatedRecord
from radhard.report.coverage import CoverageRecord
from radhard.report.fit_record import FitStudyRecord
from radhard.report.plan_record import PlannedRecord
from radhard.report.replay import ReplayRecord
from radhard.report.reproduced import ReproducedRecord
from radhard.report.sample_size import SampleSizeRecord
from radhard.report.store import KeptRecord, StoreRecord
from radhard.report.study import StudyRecord
from radhard.report.sweep import SweepRecord
from radhard.report.vulnerability_record import VulnerabilityRecord
from radhard.report.zoo import FormRecord, ShippedRecord

RECORDS: Mapping[str, Any] = {
    "study": StudyRecord,
    "sweep": SweepRecord,
    "vulnerability": VulnerabilityRecord,
    "avf": AvfRecord,
    "fit": FitStudyRecord,
    "sample-size": SampleSizeRecord,
    "inspect": AnatomyRecord | CoverageRecord,
    "blocks": BlocksRecord,
    "replay": ReplayRecord,
    "plan": PlannedRecord,
    "evaluate": EvaluatedRecord,
    "compare": ComparedRecord,
    "reproduce": ReproducedRecord,
    "models": ShippedRecord,
    "store": StoreRecord,
}
"""The record of a model, by command."""

BESIDE: Mapping[str, Mapping[str, tuple[Any, str]]] = {
    "reproduce": {
        "claims": (list[JudgementRecord], "The paper's claims, each judged for a model or a product."),
        "files": (list[str], "What was written."),
    },
    "models": {"names": (list[FormRecord], "The forms that a model's name can have.")},
    "store": {
        "damaged": (list[str], "What is wrong with the store."),
        "results": (list[KeptRecord], "The results that the store keeps, the oldest first."),
    },
}
"""What a command says beside its models: by key, its type and what it holds."""

SKIPPED = "Jobs that ended their workers again and again, where there are any: their images are missing."


def command_schema(command: str) -> Schema:
    """The schema of what `radhard COMMAND --json` prints."""
    record = schema_of(RECORDS[command])
    definitions = record.pop("$defs")
    beside: Schema = {}
    for key, (kind, text) in BESIDE.get(command, {}).items():
        own = schema_of(kind)
        definitions |= own.pop("$defs")
        beside[key] = {"description": text, **own}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"radhard {command} --json",
        "type": "object",
        "properties": {
            "radhard": {"description": "The version that made it.", "type": "string"},
            "command": {"description": "The command line.", "type": "string"},
            "settings": {"description": "What the command was told, by option, defaults too.", "type": "object"},
            "models": {"description": "A record for each model.", "type": "array", "items": record},
            "skipped": {"description": SKIPPED, "type": "array", "items": {"type": "string"}},
            **beside,
        },
        "required": ["radhard", "command", "settings", "models", *beside],
        "additionalProperties": False,
        "$defs": definitions,
    }


def text_of(schema: Schema) -> str:
    """The schema as its file has it."""
    return json.dumps(schema, indent=1) + "\n"


def write_schemas(folder: Path) -> None:
    """Write COMMAND.json for each command."""
    folder.mkdir(parents=True, exist_ok=True)
    for command in RECORDS:
        (folder / f"{command}.json").write_text(text_of(command_schema(command)))


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
