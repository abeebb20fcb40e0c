"""How the values of option fields are written in TOML and read from it, by the types of the fields."""

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from radhard.errors import InputError

Read = Callable[[Any, Path], Any]
"""A value of TOML and the folder of its file -> the field's value. ValueError says what is to be written instead."""


@dataclass(frozen=True, kw_only=True)
class KeyForm:
    """How a field is read from TOML, and `written` as TOML with paths relative to a folder, or absolute outside it."""

    read: Read
    write: Callable[[Any, Path], object]


def form_of(field: "Field[Any]") -> KeyForm:
    """The form of a field of an options dataclass. InputError for a type that has none."""
    if field.name in _BY_NAME:
        return _BY_NAME[field.name]
    if isinstance(field.type, str):
        if field.type not in _NAMED:
            raise InputError(f"{field.name}: a study's file has no form for {field.type}")
        return _NAMED[field.type]
    return _plain(field.type, name=field.name)


def _plain(kind: Any, *, name: str) -> KeyForm:
    if isinstance(kind, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is Literal:
        return KeyForm(read=lambda value, _: _one_of(value, get_args(kind)), write=_same)
    if get_origin(kind) is tuple:
        inner = _plain(get_args(kind)[0], name=name)
        return KeyForm(
            read=lambda value, folder: tuple(inner.read(each, folder) for each in _list(value)),
            write=lambda values, folder: [inner.write(each, folder) for each in values],
        )
    if kind in _KINDS:
        return _KINDS[kind]
    raise InputError(f"{name}: a study's file has no form for {kind}")


def text(value: Any, folder: Path | None = None) -> str:
    """A text as it is."""
    del folder
    if not isinstance(value, str) or not value:
        raise ValueError('write a text in quotes, such as "name"')
    return value


def path(value: Any, folder: Path) -> Path:
    """A path, from the folder of the file on."""
    return folder / text(value)


def name_or_path(value: Any, folder: Path) -> str:
    """A name, or where there is such a file or folder beside the study's file, its path; FILE.py:FUNCTION, too."""
    file, colon, function = text(value).partition(".py:")
    if colon and (folder / f"{file}.py").is_file():
        return f"{folder / file}.py:{function}"
    return str(folder / value) if (folder / value).exists() else str(value)


def written_path(value: str | Path, folder: Path) -> str:
    """A path as a file in `folder` has it: relative if it is inside, else absolute."""
    whole, home = Path(value).resolve(), folder.resolve()
    return str(whole.relative_to(home)) if whole.is_relative_to(home) else str(whole)


def written_name(value: str, folder: Path) -> str:
    """A name as it is; that of a file or folder as `written_path` has it."""
    file, colon, function = value.partition(".py:")
    if colon and Path(f"{file}.py").is_file():
        return f"{written_path(f'{file}.py', folder)}:{function}"
    return written_path(value, folder) if Path(value).exists() else value


def _same(value: Any, folder: Path) -> Any:
    del folder
    return value


def _truth(value: Any, _: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false")
    return value


def _whole(value: Any, _: Path | None = None) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("write a whole number, such as 100")
    return value


def _number(value: Any, _: Path | None = None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise ValueError("write a number, such as 0.5")
    return float(value)


def _one_of(value: Any, known: tuple[Any, ...]) -> Any:
    if value not in known:
        raise ValueError(f"write one of {', '.join(map(repr, known))}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError('write a list, such as ["name"]')
    return value


def _shape(value: Any, _: Path) -> tuple[int, int, int]:
    if not isinstance(value, list) or len(value) != 3 or min(map(_whole, value)) < 1:
        raise ValueError("write [channels, height, width], such as [3, 224, 224]")
    return value[0], value[1], value[2]


def _numbers(value: Any, _: Path) -> tuple[float, ...]:
    return tuple(map(_number, _list(value)))


def _resize(value: Any, _: Path) -> Any:
    if value == "none":
        return value
    edges = value if isinstance(value, list) else [value]
    if not 1 <= len(edges) <= 2 or min(map(_whole, edges)) < 1:
        raise ValueError('write pixels of the shorter edge, such as 248, of both, such as [32, 32], or "none"')
    return tuple(edges) if isinstance(value, list) else value


def _kinds(value: Any, _: Path) -> frozenset[Any]:
    from radhard.machine import KINDS

    return frozenset(_one_of(each, KINDS) for each in _list(value))


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("write a table, such as { name = value }")
    return dict(value)


def _words(value: Any, _: Path) -> Any:
    from radhard.words import Words

    return Words.from_dict(_table(value))


def _anatomy(value: Any, folder: Path) -> Any:
    from radhard.program import Overrides, read_overrides

    return read_overrides(path(value, folder)) if isinstance(value, str) else Overrides.from_dict(_table(value))


def _weights(value: Any, _: Path) -> Any:
    from radhard.analysis.overhead import Weights

    given = _table(value)
    if unknown := sorted(given.keys() - {"mul", "add", "cmp"}):
        raise ValueError(f"{unknown[0]!r} is none of mul, add, cmp")
    return Weights(**{key: _number(each) for key, each in given.items()})


def _of_memory(value: Any, folder: Path) -> str:
    if not isinstance(value, str):
        raise InputError(f"calibration is a {type(value).__name__} in memory, which a study's file cannot name")
    return written_name(value, folder)


def _count_alone(value: Any, _: Path) -> int:
    if not isinstance(value, int):
        raise InputError("workers that are open have no place in a study's file: give their number")
    return value


_TEXT = KeyForm(read=text, write=lambda value, _: str(value))

_KINDS: Mapping[Any, KeyForm] = {
    str: _TEXT,
    bool: KeyForm(read=_truth, write=_same),
    int: KeyForm(read=_whole, write=_same),
    float: KeyForm(read=_number, write=_same),
    Path: KeyForm(read=path, write=written_path),
}

_BY_NAME: Mapping[str, KeyForm] = {"labels": KeyForm(read=name_or_path, write=written_name)}
"""Texts that may be a file's name."""

_NAMED: Mapping[str, KeyForm] = {
    "ImageShape | None": KeyForm(read=_shape, write=lambda value, _: list(value)),
    "int | PixelSize | Literal['none'] | None": KeyForm(
        read=_resize, write=lambda value, _: list(value) if isinstance(value, tuple) else value
    ),
    "Overrides | None": KeyForm(read=_anatomy, write=lambda value, _: value.as_dict()),
    "str | InMemory | None": KeyForm(read=name_or_path, write=_of_memory),
    "frozenset[Kind]": KeyForm(read=_kinds, write=lambda value, _: sorted(value)),
    "Words": KeyForm(read=_words, write=lambda value, _: value.as_dict()),
    "int | Workers | None": KeyForm(read=_whole, write=_count_alone),
    "str | Method": KeyForm(read=text, write=lambda value, _: value if isinstance(value, str) else value.title),
    "Sequence[str | Method]": KeyForm(
        read=lambda value, _: tuple(map(text, _list(value))),
        write=lambda values, _: [each if isinstance(each, str) else each.title for each in values],
    ),
    "Weights": KeyForm(read=_weights, write=lambda value, _: dict(vars(value))),
}
"""Types that are not imported where options are declared, by how they are written there."""
