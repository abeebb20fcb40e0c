"""Traces: the flips of a run as a table in a file, to list, edit, write by hand and replay."""

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from pyarrow import compute
from torch import Tensor

from radhard.errors import InputError
from radhard.faults.faults import check_words
from radhard.faults.faulty import Faulty
from radhard.faults.flips import Column, Flips
from radhard.machine import KINDS, Clean
from radhard.program import Program, RunResult, identities, run
from radhard.words import Words

COLUMNS = ("trial", "image", "site", "kind", "index", "bit")


MOST_ROWS = 100_000_000
"""Rows of a table that is written: some 4 GB of text. A rate that asks for more is one that no reader wants."""


def write_trace(flips: Flips | Iterable[Flips], path: str | Path, *, files: Mapping[int, str] | None = None) -> int:
    """Write the table to `path`, .parquet or .csv: trial, image, site, kind, index, bit, one row a flip -> the rows.

    The flips may come in parts, so that they need not fit into memory together. With `files`, the relative path of each
    image, the table has the column `file`, too; nothing reads it. InputError if a part brings more than MOST_ROWS rows.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> import tempfile
    >>> from radhard.faults import trace
    >>> flips = trace(program, rh.Faults(ber=1e-3, seed=0), torch.arange(2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = rh.write_trace(flips, f"{folder}/faults.csv")
    ...     again = rh.read_trace(f"{folder}/faults.csv")
    >>> rows == len(flips) == len(again)
    True
    """
    parts, count = iter([flips] if isinstance(flips, Flips) else flips), 0
    first = next(parts, None)
    if first is None:
        raise InputError("a trace of no part: give one, be it empty")
    schema = _table(first, files).schema
    if _suffix(path) == ".csv":
        writer = pyarrow.csv.CSVWriter(str(path), schema)
    else:
        schema = schema.with_metadata({"words": first.words.name})
        writer = pyarrow.parquet.ParquetWriter(str(path), schema)
    with writer:
        for part in chain([first], parts):
            count += len(part)
            if count > MOST_ROWS:
                raise InputError(f"a trace of more than {MOST_ROWS:,} rows: take a lower rate, fewer images or sites")
            writer.write_table(_table(part, files).replace_schema_metadata(schema.metadata))
    return count


def flip_rows(flips: Flips, *, files: Mapping[int, str] | None = None) -> list[dict[str, object]]:
    """The rows that `write_trace` writes, as dicts by column."""
    rows: list[dict[str, object]] = _table(flips, files).to_pylist()
    return rows


def _table(flips: Flips, files: Mapping[int, str] | None) -> pa.Table:
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


def read_trace(path: str | Path, *, trial: int | None = None, words: Words | None = None) -> Flips:
    """Read a table that `write_trace` or a hand wrote, in any order of rows and columns.

    `trial` picks the rows of one trial; a file of several needs it. `words` must be those of the run that the
    table came from, where they were not the default. Raises InputError naming the file, the row and the fix.

    >>> import os, tempfile
    >>> from pathlib import Path
    >>> import radhard as rh
    >>> rows = "trial,image,site,kind,index,bit", "0,0,head,add,5,31"  # written by hand
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "hand.csv")
    ...     written = file.write_text(os.linesep.join(rows))
    ...     rh.read_trace(file).bit.tolist()
    [31]
    """
    return _flips(_read(path), path, trial=trial, words=words)


def flips_of(rows: Iterable[Mapping[str, object]], *, trial: int | None = None, words: Words | None = None) -> Flips:
    """Rows of a table, as dicts by column: what `read_trace` reads of a file. Errors are the same.

    >>> from radhard.faults import flips_of
    >>> flips_of([{"trial": 0, "image": 0, "site": "head", "kind": "add", "index": 5, "bit": 31}]).bit.tolist()
    [31]
    """
    try:
        table = pa.Table.from_pylist([dict(row) for row in rows])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"rows of a trace: they make no table: {error}; give dicts of {', '.join(COLUMNS)}") from error
    return _flips(table, "of rows", trial=trial, words=words)


def _flips(table: pa.Table, path: str | Path, *, trial: int | None, words: Words | None) -> Flips:
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


def _read(path: str | Path) -> pa.Table:
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


def replay(program: Program, images: Tensor, flips: Flips, *, ids: Tensor | None = None) -> RunResult:
    """Run `images` [B, ...] float32, identified by `ids` [B] (default 0 ... B - 1), under exactly these flips.

    Raises InputError for a row that hits nothing: of another image, of a check of protection, or of an operation or a
    bit that the program lacks.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> faults = rh.Faults(ber=1e-3, seed=0)
    >>> from radhard.faults import replay, trace
    >>> again = replay(program, images, trace(program, faults, torch.arange(2)))
    >>> torch.equal(again.logits, rh.run(program, images, rh.Faulty(rh.Clean(), faults)).logits)
    True
    """
    flips.check_images(identities(ids, len(images)).numpy())
    flips.check_unprotected()
    return run(program, images, Faulty(Clean(), flips), ids=ids)


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
