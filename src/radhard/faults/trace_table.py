"""The table of a trace as Arrow has it: written, read, checked row by row. pyarrow takes half a second to import."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pyarrow import compute

from radhard.errors import InputError
from radhard.faults.faults import check_words
from radhard.faults.flips import Column, Flips
from radhard.machine import KINDS
from radhard.words import Words

COLUMNS = ("trial", "image", "site", "kind", "index", "bit")


def write_table(parts: Iterator[Flips], path: str | Path, *, files: Mapping[int, str] | None, most: int) -> int:
    """Write the flips of all parts as one table of at most so many rows, as `traces.write_trace` says."""
    count = 0
    first = next(parts, None)
    if first is None:
        raise InputError("a trace of no part: give one, be it empty")
    schema = to_table(first, files).schema
    if _suffix(path) == ".csv":
        writer = pyarrow.csv.CSVWriter(str(path), schema)
    else:
        schema = schema.with_metadata({"words": first.words.name})
        writer = pyarrow.parquet.ParquetWriter(str(path), schema)
    with writer:
        for part in chain([first], parts):
            count += len(part)
            if count > most:
                raise InputError(f"a trace of more than {most:,} rows: take a lower rate, fewer images or sites")
            writer.write_table(to_table(part, files).replace_schema_metadata(schema.metadata))
    return count


def to_table(flips: Flips, files: Mapping[int, str] | None) -> pa.Table:
    """A row a flip; with the path of each image, if `files` has them."""
    table = pa.table(
        {
            "trial": np.full(len(flips), flips.trial, dtype=np.int64),
            "image": flips.image,
            "site": pa.DictionaryArray.from_arrays(flips.site.astype(np.int32), list(flips.sites)).cast(pa.string()),
            "kind": pa.DictionaryArray.from_arrays(flips.kind.astype(np.int32), list(KINDS)).cast(pa.string()),
            "index": flips.index,
            "bit": flips.bit,
        }
    )
    if files:
        table = table.append_column("file", pa.array([files[image] for image in flips.image.tolist()], pa.string()))
    return table


def table_of(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Rows as dicts by column -> their table. InputError if they make none."""
    try:
        return pa.Table.from_pylist([dict(row) for row in rows])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"rows of a trace: they make no table: {error}; give dicts of {', '.join(COLUMNS)}") from error


def flips_in(table: pa.Table, path: str | Path, *, trial: int | None, words: Words | None) -> Flips:
    """The flips of one trial of a table. InputError names the `path`, the row and what is wrong with it."""
    for name in COLUMNS:
        if (times := table.column_names.count(name)) != 1:
            state = f"{times} times" if times else "missing"
            raise InputError(f"trace {path}: column {name!r} is {state}; a trace has the columns {', '.join(COLUMNS)}")
    column = {name: _whole(table, name, path) for name in ("trial", "image", "index", "bit")}
    kind, site = (_texts(table, name, path) for name in ("kind", "site"))
    kinds = compute.index_in(kind, pa.array(KINDS)).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    if (wrong := kinds < 0).any():
        row = int(wrong.argmax())
        raise InputError(
            f"trace {path}, row {row + 1}: kind {kind[row].as_py()!r} is not a kind of operation; choose from "
            f"{', '.join(KINDS)}"
        )
    trials = np.unique(column["trial"])
    if trial is None and len(trials) > 1:
        raise InputError(f"trace {path} holds trials {trials[0]} to {trials[-1]}: say which one to replay")
    chosen = int(trials[0]) if trial is None and len(trials) else trial or 0
    keep = column.pop("trial") == chosen
    names = site.dictionary_encode()
    column.update(kind=kinds, site=names.indices.to_numpy(zero_copy_only=False).astype(np.int64))
    found = {name: values[keep] for name, values in column.items()}
    known = words or _stored_words(table, path) or Words()
    try:
        check_words(known)
    except InputError as error:
        raise InputError(f"trace {path}: {error}") from error
    flips = Flips(sites=tuple(names.dictionary.to_pylist()), trial=chosen, words=known, **found)
    _check_distinct(flips, path)
    return flips


def read_table(path: str | Path) -> pa.Table:
    """The table of a file; of a .csv every column as text, for a site's name may look like a number."""
    suffix = _suffix(path)
    if not Path(path).is_file():
        raise InputError(f"trace {path}: there is no such file")
    try:
        if suffix == ".parquet":
            with pyarrow.parquet.ParquetFile(str(path)) as file:
                table = file.read(use_threads=False)
        else:
            types = dict.fromkeys(COLUMNS, pa.string())
            how = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=False)
            table = pyarrow.csv.read_csv(str(path), convert_options=how)
        _ = table.column_names  # fails where a name is no text
        return table
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise InputError(f"trace {path}: not a readable {suffix[1:]} table: {error}") from error


def _texts(table: pa.Table, name: str, path: str | Path) -> pa.StringArray:
    """A column of texts, one a row."""
    column = table.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not len(column):
        return pa.array([], pa.string())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise InputError(f"trace {path}: column {name!r} holds {column.type} values, not texts")
    if column.null_count:
        row = int(column.is_null().to_numpy().argmax())
        raise InputError(f"trace {path}, row {row + 1}: there is no {name}")
    try:
        column.validate(full=True)
    except pa.ArrowException as error:
        raise InputError(f"trace {path}: column {name!r} is damaged: {error}") from error
    return pa.concat_arrays([chunk.cast(pa.string()) for chunk in column.chunks])


def _whole(table: pa.Table, name: str, path: str | Path) -> Column:
    """A column of whole numbers from 0 to 2^63 - 1 -> int64 [F]."""
    column = table.column(name)
    if not len(column):
        return np.empty(0, np.int64)
    if pa.types.is_string(column.type):
        column = compute.utf8_trim_whitespace(column)
        right = compute.match_substring_regex(column, r"^[0-9]{1,18}$")
    elif pa.types.is_integer(column.type):
        signed = pa.types.is_signed_integer(column.type)
        least = compute.greater_equal(column, 0) if signed else compute.is_valid(column)
        most = pa.scalar(2**63 - 1).cast(column.type, safe=False) if column.type == pa.uint64() else None
        right = least if most is None else compute.and_(least, compute.less_equal(column, most))
    else:
        right = pa.chunked_array([pa.array(np.zeros(len(column), bool))])
    wrong = ~right.fill_null(False).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        value = column[row].as_py()
        said = "(nothing)" if value in (None, "") else value
        raise InputError(f"trace {path}, row {row + 1}: {name} {said} is not a whole number from 0 up")
    found: Column = column.cast(pa.int64()).to_numpy()
    return found


def _stored_words(table: pa.Table, path: str | Path) -> Words | None:
    stored = (table.schema.metadata or {}).get(b"words")
    if stored is None:
        return None
    try:
        return Words.from_dict(dict(pair.split("=", 1) for pair in stored.decode().split(",")))
    except ValueError as error:  # no pairs, no UTF-8, no words
        raise InputError(
            f"trace {path}: its words {stored!r} are none; they are written like {Words().name} (--words says others)"
        ) from error


def _check_distinct(flips: Flips, path: str | Path) -> None:
    rows = np.stack([flips.image, flips.site, flips.kind, flips.index, flips.bit], axis=1)
    _, first, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        row = int(first[counts > 1][0])
        raise InputError(
            f"trace {path}: the flip of row {row + 1} stands there twice, which would undo it; remove both rows or one"
        )


def _suffix(path: str | Path) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise InputError(f"trace {path}: the file name must end in .csv or .parquet")
    return suffix
