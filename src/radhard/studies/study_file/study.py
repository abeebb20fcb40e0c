"""A study: a model, its data and all options, as one value that a file carries from command to command."""

import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypedDict, cast

from radhard.errors import InputError
from radhard.studies.options import (
    CompareOptions,
    DataOptions,
    FaultOptions,
    ModelOptions,
    PlanOptions,
    RunOptions,
)
from radhard.studies.study_file.key_forms import KeyForm, form_of, name_or_path, text, written_name
from radhard.toml_text import toml_text
from radhard.version import VERSION

TABLES: Mapping[str, type] = {
    "model": ModelOptions,
    "data": DataOptions,
    "faults": FaultOptions,
    "run": RunOptions,
    "plan": PlanOptions,
    "compare": CompareOptions,
}
"""The options of each table of the file."""

ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "program_digest": ("digests", "program"),
    "data_digest": ("digests", "data"),
}
"""Fields of options that stand in another table: its name, and theirs in it."""

LEFT_OUT = frozenset({"shard", "no_cache"})
"""Fields that are of one command alone."""

_NAME = "name"


class Told(TypedDict):
    """The options that all verbs take."""

    model_options: ModelOptions
    data_options: DataOptions
    faults: FaultOptions
    run: RunOptions


@dataclass(frozen=True, kw_only=True)
class Study:
    """What is studied and how. `model`, `data`: names or paths; None where they were given in memory.

    `made_by`: the version of radhard that wrote it.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import radhard as rh
    >>> study = rh.Study(model="fashion-vit", run=rh.RunOptions(images=50, trials=1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     study.write(Path(folder, "study.toml"))
    ...     rh.Study.read(Path(folder, "study.toml")) == study
    True
    """

    model: str | None = None
    data: str | None = "fashion-mnist"
    model_options: ModelOptions = field(default_factory=ModelOptions)
    data_options: DataOptions = field(default_factory=DataOptions)
    faults: FaultOptions = field(default_factory=FaultOptions)
    run: RunOptions = field(default_factory=RunOptions)
    plan_options: PlanOptions = field(default_factory=PlanOptions)
    compare_options: CompareOptions = field(default_factory=CompareOptions)
    made_by: str = VERSION

    @property
    def options(self) -> Told:
        """What every verb takes: `rh.sweep(study.model, study.data, **study.options)`."""
        return Told(model_options=self.model_options, data_options=self.data_options, faults=self.faults, run=self.run)

    @classmethod
    def read(cls, file: str | Path) -> "Study":
        """Read a study's file. Paths in it are from its folder on. InputError names the key, the value and the fix."""
        file = Path(file)
        values = _tables(file)
        known = {"radhard", *TABLES, *(table for table, _ in ELSEWHERE.values())}
        _check_known(values, known, place=str(file))
        made_by = _checked(values.get("radhard", VERSION), KeyForm(read=_text, write=_text), place=f"{file}: radhard")
        options: dict[str, Any] = {}
        for name, group in TABLES.items():
            options[attribute(name)] = _read_group(values, name, group, file=file)
        named = KeyForm(read=name_or_path, write=written_name)
        names = {
            each: _checked(values[each][_NAME], named, place=f"{file}: [{each}] {_NAME}", folder=file.parent)
            for each in ("model", "data")
            if _NAME in values.get(each, {})
        }
        return cls(made_by=made_by, model=names.get("model"), data=names.get("data"), **options)

    def write(self, file: str | Path) -> None:
        """Write it. InputError for what only lives in memory, such as images that calibrate."""
        file = Path(file)
        tables: dict[str, dict[str, object]] = {name: {} for name in (*TABLES, "digests")}
        for name, value in (("model", self.model), ("data", self.data)):
            if value is not None:
                tables[name][_NAME] = written_name(value, file.parent)
        for name, group in TABLES.items():
            options = getattr(self, attribute(name))
            for each in _fields(group):
                if each.name not in stated(options):
                    continue
                value = getattr(options, each.name)
                table, key = ELSEWHERE.get(each.name, (name, each.name.rstrip("_")))
                tables[table][key] = form_of(each).write(value, file.parent)
        found = {name: values for name, values in tables.items() if values}
        comment = "# A study of radhard: every command takes it by --study, Python by radhard.Study.read.\n"
        file.write_text(comment + toml_text({"radhard": self.made_by, **found}), encoding="utf-8")


def attribute(table: str) -> str:
    """The field of `Study` that a table of its file is."""
    return "faults" if table == "faults" else "run" if table == "run" else f"{table}_options"


def stated(options: Any) -> frozenset[str]:
    """The fields of options that a file states: not those that are None, False or empty."""
    values = {each.name: getattr(options, each.name) for each in _fields(type(options))}
    return frozenset(name for name, value in values.items() if not (value is None or value is False or value == ()))


def _fields(group: type) -> "list[Field[Any]]":
    return [each for each in fields(cast("Any", group)) if each.name not in LEFT_OUT]


def _tables(file: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"study {file} cannot be read: {error.strerror}; check the path") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"study {file} is no TOML: {str(error).splitlines()[0]}") from error
    for name, value in found.items():
        if name != "radhard" and not isinstance(value, dict):
            raise InputError(f"{file}: {name} = {value!r} stands outside the tables; put it in one, such as [model]")
    return found


def _read_group(values: Mapping[str, Any], name: str, group: type, *, file: Path) -> Any:
    own = {each.name.rstrip("_"): each for each in _fields(group) if each.name not in ELSEWHERE}
    extra = {_NAME} if name in ("model", "data") else set()
    given = values.get(name, {})
    _check_known(given, {*own, *extra}, place=f"{file}: [{name}]")
    wanted = [(name, key, each) for key, each in own.items()]
    wanted += [(*ELSEWHERE[each.name], each) for each in _fields(group) if each.name in ELSEWHERE]
    _check_known(values.get("digests", {}), {key for _, key in ELSEWHERE.values()}, place=f"{file}: [digests]")
    found: dict[str, Any] = {}
    for table, key, each in wanted:
        if key not in values.get(table, {}):
            continue
        place = f"{file}: [{table}] {key}"
        value = _checked(values[table][key], form_of(each), place=place, folder=file.parent)
        least = each.metadata.get("least")
        if least is not None and value < least:
            raise InputError(f"{place} is {value}; it is at least {least}")
        found[each.name] = value
    return group(**found)


def _checked(value: Any, form: KeyForm, *, place: str, folder: Path = Path()) -> Any:
    try:
        return form.read(value, folder)
    except InputError as error:
        raise InputError(f"{place}: {error.on_command_line}") from error
    except ValueError as error:
        raise InputError(f"{place} is {value!r}; {error}") from error


def _check_known(given: Mapping[str, Any], known: set[str], *, place: str) -> None:
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
            raise InputError(f"{place} has {key!r}, which is not known; {fix}")


def _text(value: Any, folder: Path) -> str:
    return text(value, folder)
