"""What commands print by --json, held against the schema of the command."""

import json
from typing import Any

from jsonschema import Draft202012Validator

from radhard.report.schemas import BESIDE, command_schema
from radhard.version import VERSION


def envelope_of(command: str, text: str) -> dict[str, Any]:
    """The one JSON object of a command's output, valid by the command's schema."""
    found: dict[str, Any] = json.loads(text)
    beside = list(BESIDE.get(command, {}))
    assert list(found) == ["radhard", "command", "settings", "models", *beside]
    assert found["radhard"] == VERSION
    assert found["command"].startswith(f"radhard {command}")
    Draft202012Validator(command_schema(command)).validate(found)
    return found
