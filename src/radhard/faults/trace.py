"""Traces: the faults of a run as a table in a file, to list, edit, write by hand and replay."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from torch import Tensor

from radhard.errors import InputError
from radhard.faults.faulty import Faulty
from radhard.faults.flips import Flips
from radhard.machine import KINDS, Clean
from radhard.program import Program, RunResult, run
from radhard.words import Words

COLUMNS = ("trial", "image", "site", "kind", "index", "bit")


def write_trace(flips: Flips, path: str | Path, *, files: Mapping[int, str] | None = None) -> None:
    """Write the table to `path`, .parquet or .csv: trial, image, site, kind, index, bit, one row a flip.

    With `files`, the relative path of each image, the table has the column `file`, too; nothing reads it.
    """
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
    if _suffix(path) == ".csv":
        pyarrow.csv.write_csv(table, str(path))
    else:
        pyarrow.parquet.write_table(table.replace_schema_metadata({"words": flips.words.name}), str(path))


def read_trace(path: str | Path, *, trial: int | None = None, words: Words | None = None) -> Flips:
    """Read a table that `write_trace` or a hand wrote, in any order of rows and columns.

    `trial` picks the rows of one trial; a file of several needs it. `words` must be those of the run that the
    table came from, where they were not the default. Raises InputError naming the file, the row and the fix.
    """
    suffix = _suffix(path)
    if not Path(path).is_file():
        raise InputError(f"trace {path}: there is no such file")
    try:
        table = pyarrow.csv.read_csv(str(path)) if suffix == ".csv" else pyarrow.parquet.read_table(str(path))
    except pa.ArrowInvalid as error:
        raise InputError(f"trace {path}: not a readable {suffix[1:]} table: {error}") from error
    if missing := [name for name in COLUMNS if name not in table.column_names]:
        raise InputError(
            f"trace {path}: column {missing[0]!r} is missing; a trace has the columns {', '.join(COLUMNS)}"
        )
    column = {name: table.column(name).to_pylist() for name in COLUMNS}
    for name in ("trial", "image", "index", "bit"):
        for row, value in enumerate(column[name]):
            if not isinstance(value, int) or value < 0:
                raise InputError(f"trace {path}, row {row + 1}: {name} {value!r} is not a whole number from 0 up")
    for row, kind in enumerate(column["kind"]):
        if kind not in KINDS:
            raise InputError(
                f"trace {path}, row {row + 1}: kind {kind!r} is not a kind of operation; choose from {', '.join(KINDS)}"
            )
    trials = sorted(set(column["trial"]))
    if trial is None and len(trials) > 1:
        raise InputError(f"trace {path} holds trials {trials[0]} to {trials[-1]}: say which one to replay")
    chosen = trials[0] if trial is None and trials else trial or 0
    keep = np.array(column["trial"], dtype=np.int64) == chosen
    sites = tuple(dict.fromkeys(str(site) for site in column["site"]))
    place = {site: number for number, site in enumerate(sites)}
    codes = {
        "image": column["image"],
        "site": [place[str(site)] for site in column["site"]],
        "kind": [KINDS.index(kind) for kind in column["kind"]],
        "index": column["index"],
        "bit": column["bit"],
    }
    found = {name: np.array(values, dtype=np.int64)[keep] for name, values in codes.items()}
    flips = Flips(sites=sites, trial=chosen, words=words or _stored_words(table) or Words(), **found)
    _check_distinct(flips, path)
    return flips


def replay(program: Program, images: Tensor, flips: Flips, *, ids: Tensor | None = None) -> RunResult:
    """Run `images` [B, ...] float32, identified by `ids` [B] (default 0 ... B - 1), under exactly these flips."""
    return run(program, images, Faulty(Clean(), flips), ids=ids)


def _stored_words(table: pa.Table) -> Words | None:
    stored = (table.schema.metadata or {}).get(b"words")
    if stored is None:
        return None
    return Words.from_dict(dict(pair.split("=", 1) for pair in stored.decode().split(",")))


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
