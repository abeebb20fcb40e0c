"""A plan as the record of `radhard plan --json`."""

from typing import Any, TypedDict

from radhard.protection import Plan


class PlannedRecord(TypedDict):
    """What was planned for a model, and where it was measured; `plan` is what the plan's file has."""

    model: str
    device: str
    plan: dict[str, Any]


def planned_record(plan: Plan, *, device: str) -> PlannedRecord:
    """A plan -> JSON values."""
    return {"model": plan.model, "device": device, "plan": plan.as_dict()}
