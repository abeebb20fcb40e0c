"""Traces: the flips of a run as a table in a file, to list, edit, write by hand and replay."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor

from radhard.faults.faulty import Faulty
from radhard.faults.flips import Flips
from radhard.machine import Clean
from radhard.program import Program, RunResult, identities, run
from radhard.words import Words

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
    from radhard.faults.trace_table import write_table

    return write_table(iter([flips] if isinstance(flips, Flips) else flips), path, files=files, most=MOST_ROWS)


def flip_rows(flips: Flips, *, files: Mapping[int, str] | None = None) -> list[dict[str, object]]:
    """The rows that `write_trace` writes, as dicts by column."""
    from radhard.faults.trace_table import to_table

    rows: list[dict[str, object]] = to_table(flips, files).to_pylist()
    return rows


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
    from radhard.faults.trace_table import flips_in, read_table

    return flips_in(read_table(path), path, trial=trial, words=words)


def flips_of(rows: Iterable[Mapping[str, object]], *, trial: int | None = None, words: Words | None = None) -> Flips:
    """Rows of a table, as dicts by column: what `read_trace` reads of a file. Errors are the same.

    >>> from radhard.faults import flips_of
    >>> flips_of([{"trial": 0, "image": 0, "site": "head", "kind": "add", "index": 5, "bit": 31}]).bit.tolist()
    [31]
    """
    from radhard.faults.trace_table import flips_in, table_of

    return flips_in(table_of(rows), "of rows", trial=trial, words=words)


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
