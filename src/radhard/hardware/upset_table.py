"""Upsets as a table: one row an image, with the place of its upset and what is wrong by it; written, read, replayed.

Columns: `fault_model`, `trial`, `image`, `site`, those of the fault model's upsets, then what the place means in the
program, which nothing reads: `words` of the output that depend on it, and `effect` in words.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from radhard.errors import InputError
from radhard.hardware.fault_model import FaultModel, UpsetPlaces, UpsetsByImage, whole
from radhard.hardware.fault_models import fault_model_text, read_fault_model

MARK = "fault_model"
"""The column that tells a table of upsets from one of flips."""
SUFFIXES = (".csv", ".parquet")
UpsetRow = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class UpsetRows:
    """The rows of one trial of a table, of one fault model: by image, the row's number, its site and its columns."""

    fault_model: FaultModel
    trial: int
    rows: Mapping[int, tuple[int, str, Mapping[str, object]]]
    table: str

    def drawn(self, places: UpsetPlaces) -> UpsetsByImage:
        """The upsets. InputError names the row of one that is at no place of the program."""
        found: UpsetsByImage = {}
        for image, (number, site, record) in self.rows.items():
            try:
                found[image] = site, places.upset(site, record, image=image)
            except InputError as error:
                raise InputError(f"{self.table}, row {number}: {error.on_command_line}") from error
        return found


def upset_rows(
    model: FaultModel, places: UpsetPlaces, drawn: UpsetsByImage, *, trial: int, files: Mapping[int, str] | None = None
) -> list[UpsetRow]:
    """A row an image; with the path of each image, if `files` has them."""
    return [
        {
            MARK: fault_model_text(model),
            "trial": trial,
            "image": image,
            "site": site,
            **upset.record(),
            "words": places.words(site, upset),
            "effect": places.told(site, upset),
            **({"file": files[image]} if files else {}),
        }
        for image, (site, upset) in drawn.items()
    ]


def write_upsets(rows: Sequence[UpsetRow], path: str | Path) -> int:
    """Write rows as a .csv or .parquet file -> how many. InputError for another name; OSError as files raise."""
    if _suffix(path) not in SUFFIXES:
        raise InputError(f"trace {path}: the file name must end in .csv or .parquet")
    if _suffix(path) == ".csv":
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [MARK])
            writer.writeheader()
            writer.writerows(rows)
        return len(rows)
    import pyarrow as pa
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.Table.from_pylist(list(rows)), str(path))
    return len(rows)


def read_upsets(path: str | Path, *, trial: int | None = None) -> UpsetRows | None:
    """The upsets of one trial of a file; None for a table without a fault model. InputError for what is no table."""
    if not Path(path).is_file() or _suffix(path) not in SUFFIXES:
        return None  # who reads tables of flips says what is wrong
    if _suffix(path) == ".csv":
        with Path(path).open(newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.DictReader(file)
            if MARK not in (reader.fieldnames or ()):
                return None
            rows: list[Mapping[str, object]] = list(reader)
    else:
        import pyarrow as pa
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(str(path)) as parquet:
                if MARK not in parquet.schema_arrow.names:
                    return None
                rows = parquet.read(use_threads=False).to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"trace {path}: not a readable parquet table: {error}") from error
    return upsets_of(rows, trial=trial, table=f"trace {path}")


def upsets_of(
    rows: Iterable[Mapping[str, object]], *, trial: int | None = None, table: str = "trace of rows"
) -> UpsetRows:
    """The upsets of one trial of rows. InputError names the row, what is wrong with it, and the fix."""
    given = list(rows)
    texts, trials = set[str](), dict[int, None]()
    found: dict[int, tuple[int, str, Mapping[str, object]]] = {}
    for number, row in enumerate(given, start=1):
        try:
            texts.add(str(_column(row, MARK)))
            own = whole(row, "trial")
            image, site = whole(row, "image"), str(_column(row, "site"))
        except InputError as error:
            raise InputError(f"{table}, row {number}: {error.on_command_line}") from error
        trials[own] = None
        if trial is not None and own != trial:
            continue
        if len(trials) == 1 or trial is not None:
            if image in found:
                raise InputError(
                    f"{table}, row {number}: image {image} is upset in row {found[image][0]}, too; an inference has "
                    "one upset: remove one of the two rows"
                )
            found[image] = number, site, row
    if len(texts) > 1:
        raise InputError(f"{table}: upsets of several fault models, {' and '.join(sorted(texts))}; keep those of one")
    if trial is None and len(trials) > 1:
        raise InputError(f"{table} holds trials {min(trials)} to {max(trials)}: say which one to replay (--trial)")
    if not found:
        raise InputError(f"{table}: it holds no upset of trial {trial or 0}: nothing to replay")
    return UpsetRows(
        fault_model=read_fault_model(texts.pop()), trial=next(iter(trials)) if trial is None else trial,
        rows=found, table=table,
    )  # fmt: skip


def _column(row: Mapping[str, object], name: str) -> object:
    if row.get(name) in (None, ""):
        raise InputError(f"there is no {name}; give it")
    return row[name]


def _suffix(path: str | Path) -> str:
    return Path(path).suffix.lower()
