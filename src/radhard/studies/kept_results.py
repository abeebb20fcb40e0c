"""Keeps the result of a verb in the store that it measured into, for the report."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radhard.campaign.results import KeptResult, keep_result
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.machine.device import device_name
from radhard.program import Program
from radhard.program.coverage import coverage
from radhard.report.coverage import coverage_record
from radhard.studies.command_line import command_line
from radhard.studies.progress import Note
from radhard.studies.result import Result
from radhard.studies.settings import json_of, settings_of

if TYPE_CHECKING:
    from radhard.studies.request import Request

_RESOURCES = ("batch", "workers", "cluster", "store", "journal", "shard", "no_cache")
"""Settings that no result depends on: two runs that differ in these alone have the same result."""


def keep(result: Result, store: Store, *, verb: str, request: "Request", program: Program, **own: object) -> None:
    """Keep a result, and what of its `program` is exposed, if the user named a store and no image is missing.

    `own`: what the verb was told beside its options.
    """
    run = request.run
    if run.store is None or run.shard != (1, 1) or result.skipped:
        return
    record = dict(result.to_dict())
    model = str(record["model"])
    if not store.writable:
        request.report(Note(model=model, line=f"store {run.store} cannot be written: the result is not kept in it"))
        return
    settings = _settings(request, **own)
    found = {verb: (settings, record), "inspect": _exposed(program, settings)}
    for name, (asked, recorded) in found.items():
        keep_result(
            store,
            KeptResult(
                verb=name,
                model=model,
                settings=asked,
                record=recorded,
                command=command_line.get() if name == verb else "",
                device=str(record.get("device") or device_name(program.device)),
                made=datetime.now(UTC).isoformat(timespec="milliseconds"),
            ),
        )


def _settings(request: "Request", **own: object) -> dict[str, Any]:
    """The options of a request, but for those that no result depends on; what is in memory by its type."""
    run = replace(request.run, workers=None)
    data = request.data if isinstance(request.data, str | Path) or request.data is None else _name(request.data)
    calibration = request.data_options.calibration
    if calibration is not None and not isinstance(calibration, str):
        request = replace(request, data_options=replace(request.data_options, calibration=_name(calibration)))
    settings = settings_of(
        request.model_options,
        request.data_options,
        request.faults,
        run,
        data=data,
        **{name: _told(value, name=name) for name, value in own.items()},
    )
    return {name: value for name, value in settings.items() if name not in _RESOURCES}


def _exposed(program: Program, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `radhard inspect --coverage` records of a program, and its settings."""
    kept = ("kinds", "layer", "module", "operator", "site", "except", "words")
    asked = {"coverage": True, "recipe": program.recipe, **{name: settings[name] for name in kept}}
    return asked, dict(coverage_record(coverage(program), torch_macs=None))


def _told(value: object, *, name: str) -> object:
    """A value that has no JSON is told by its type."""
    try:
        return json_of(value, name=name)
    except InputError:
        return _name(value)


def _name(value: object) -> str:
    return f"<{type(value).__name__} in memory>"
