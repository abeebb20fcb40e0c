"""The verb `write_report`: one HTML page of what a study or a store has found."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from radhard.errors import InputError, OutputError
from radhard.report.page.document import document
from radhard.report.page.page import kept_in, page_of


def write_report(source: str | Path, *, out: str | Path) -> Path:
    """Write a self-contained page of the results in `source` to the file `out`, and return its path.

    `source`: a store; a study's file, whose `store` is read; or a folder that holds one of these. InputError for
    another source, for a store without a result and without the extra `report`; StoreError for a damaged one.

    >>> import tempfile, torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))  # as the model takes them
    >>> folder = Path(tempfile.mkdtemp())
    >>> run = rh.RunOptions(trials=1, store=folder / "run.db")
    >>> result = rh.sweep(model, (images, model(images).argmax(1)), ber=1e-3, run=run)
    >>> rh.write_report(folder / "run.db", out=folder / "report.html").name
    'report.html'
    """
    source, out = Path(source), Path(out)
    kept = kept_in(stores_of(source))
    if not kept.results:
        raise InputError(
            f"{source} holds no result yet: run `radhard sweep`, vulnerability, avf, plan, evaluate or compare to its "
            "end with --store; outcomes of older versions become results when the same command runs again"
        )
    text = document(page_of(kept, source=f"From {source.name}"))
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"--out {out} cannot be written: {error.strerror or error}") from error
    return out


def stores_of(source: Path) -> tuple[Path, ...]:
    """The stores of a source: itself, those that a study's file names, those in a folder. InputError for none."""
    if source.is_dir():
        study = source / "study.toml"
        found = stores_of(study) if study.is_file() else tuple(sorted(source.glob("*.db")))
        if not found:
            raise InputError(f"{source}: the folder holds neither a study.toml nor a store (*.db)")
        return found
    if not source.is_file():
        raise InputError(f"{source}: there is no such store, study or folder; check the path")
    if source.suffix != ".toml":
        return (source,)
    try:
        values = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{source} is no TOML: {error}") from error
    found = tuple(source.parent / name for name in _stores(values))
    if not found:
        raise InputError(f'{source} names no store: add a line store = "run.db"')
    return found


def _stores(values: Mapping[str, object]) -> Iterator[str]:
    """The texts that are called `store`, at the top and in tables."""
    for name, value in values.items():
        if name == "store" and isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _stores(value)
