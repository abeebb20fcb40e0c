"""Outcomes image by image as a Parquet or CSV table, written in parts of bounded size."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from radhard.campaign.image_rows import ImageRows, SettingFields
from radhard.errors import InputError

SUFFIXES = (".parquet", ".csv")
GROUP = 131_072
"""Rows of a group of a Parquet file, and of what is in memory at a time."""

_TEXT = pa.dictionary(pa.int32(), pa.string())
_OWN = {"ber": pa.float64(), "seed": pa.int64()}
SCHEMA = pa.schema(
    [
        *((field.name, _OWN.get(field.name, _TEXT)) for field in fields(SettingFields)),
        ("trial", pa.int32()),
        ("image", pa.int64()),
        ("prediction", pa.int32()),
        ("right", pa.bool_()),
        ("changed", pa.bool_()),
        ("sdc", pa.bool_()),
        ("critical_sdc", pa.bool_()),
        ("due", pa.bool_()),
        ("flips", pa.int32()),
        ("non_finite", pa.int32()),
    ]
)
"""Names and types of the columns, as docs/export.md explains them."""

_PLAIN = pa.schema([(field.name, pa.string() if field.type == _TEXT else field.type) for field in SCHEMA])


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...


def write_images(blocks: Iterable[ImageRows], file: str | Path) -> int:
    """Write rows as .parquet or .csv -> how many. InputError for another ending; OSError as files raise."""
    path, count = Path(file), 0
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: the file's name must end in {' or '.join(SUFFIXES)}")
    csv = path.suffix == ".csv"
    open_writer = pyarrow.csv.CSVWriter if csv else pyarrow.parquet.ParquetWriter
    schema = _PLAIN if csv else SCHEMA
    with path.open("wb") as sink, open_writer(sink, schema) as writer:
        for table in tables(blocks):
            writer.write_table(table.cast(schema))
            count += len(table)
    return count


def tables(blocks: Iterable[ImageRows]) -> Iterator[pa.Table]:
    """Blocks of any length -> tables of GROUP rows, the last one of the rest."""
    held: list[ImageRows] = []
    rows = 0
    for block in blocks:
        for part in _parts(block, room=GROUP - rows):
            held.append(part)
            rows += len(part)
            if rows == GROUP:
                yield _table(held)
                held, rows = [], 0
    if held:
        yield _table(held)


def _parts(block: ImageRows, *, room: int) -> Iterator[ImageRows]:
    """A block cut where a table is full: after `room` rows, then after each GROUP."""
    start = 0
    while start < len(block):
        stop = min(len(block), start + room)
        yield block if stop - start == len(block) else block.part(start, stop)
        start, room = stop, GROUP


def _table(blocks: Sequence[ImageRows]) -> pa.Table:
    """The rows of all blocks."""
    lengths = np.array([len(block) for block in blocks])
    columns: list[Any] = []
    for field in fields(SettingFields):
        values = [getattr(block.of, field.name) for block in blocks]
        columns.append(_repeated(values, lengths, kind=SCHEMA.field(field.name).type))
    columns.append(pa.array(np.repeat([block.trial for block in blocks], lengths), pa.int32()))
    columns += [_joined([getattr(block, name) for block in blocks]) for name in ("image", "prediction")]
    columns.append(_masked([(block.right, None) for block in blocks], lengths))
    columns += [_joined([getattr(block, name) for block in blocks]) for name in ("changed", "sdc")]
    columns.append(_masked([(block.critical, block.critical_known) for block in blocks], lengths))
    columns += [_joined([getattr(block, name) for block in blocks]) for name in ("due", "flips", "non_finite")]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _repeated(values: Sequence[Any], lengths: Any, *, kind: pa.DataType) -> pa.Array:
    """Each value as often as its block is long."""
    distinct = list(dict.fromkeys(values))
    places = np.repeat([distinct.index(value) for value in values], lengths).astype(np.int32)
    known = [value for value in distinct if value is not None]
    missing = np.isin(places, [place for place, value in enumerate(distinct) if value is None])
    shift = np.cumsum([value is None for value in distinct])[places].astype(np.int32)
    indices = pa.array(np.where(missing, 0, places - shift), pa.int32(), mask=missing)
    if kind == _TEXT:
        return pa.DictionaryArray.from_arrays(indices, pa.array(known, pa.string()))
    return pa.array(known, kind).take(indices)


def _joined(arrays: Sequence[Any]) -> pa.Array:
    return pa.array(np.concatenate(arrays))


def _masked(pairs: Sequence[tuple[Any, Any]], lengths: Any) -> pa.Array:
    """Booleans, null where a block has none, or where it does not know."""
    values, unknown = [], []
    for (found, known), length in zip(pairs, lengths, strict=True):
        values.append(np.zeros(length, bool) if found is None else found)
        unknown.append(np.full(length, found is None) if found is None or known is None else ~known)
    return pa.array(np.concatenate(values), pa.bool_(), mask=np.concatenate(unknown))
