"""Whether what is asked for is the study that a folder holds, and how it goes on."""

from dataclasses import fields, replace
from pathlib import Path

from radhard.errors import InputError, as_option
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.study_file.study import Study


def check_same(asked: Study, before: Study, *, file: Path, trials: int | None) -> None:
    """Raise InputError if something is asked for otherwise than the study of a folder has it."""
    for name in ("model", "data"):
        new, old = getattr(asked, name), getattr(before, name)
        if new != old and (new is None or old is None or not _same_path(new, old)):
            raise InputError(f"{name} {new}: {file} is a study of {old}; give another folder by --out")
    if trials is not None and trials != before.run.trials:
        raise _other("trials", trials, before.run.trials, file=file)
    for group, unset in (
        ("model_options", ModelOptions()),
        ("data_options", DataOptions()),
        ("faults", FaultOptions()),
        ("run", RunOptions()),
    ):
        new, old = getattr(asked, group), getattr(before, group)
        for each in fields(new):
            value, was = getattr(new, each.name), getattr(old, each.name)
            free = group == "run" and each.name not in ("images", "batch", "device")
            if not free and value != getattr(unset, each.name) and value != was and not _same_path(value, was):
                raise _other(each.name, value, was, file=file)


def _other(name: str, new: object, old: object, *, file: Path) -> InputError:
    return InputError(f"{as_option(name)} {new}: in {file} it is {old}; leave it out, or give another folder by --out")


def _same_path(new: object, old: object) -> bool:
    if not isinstance(new, str | Path) or not isinstance(old, str | Path):
        return isinstance(new, tuple) and isinstance(old, tuple) and list(map(str, new)) == list(map(str, old))
    return Path(new).resolve() == Path(old).resolve()


def going_on(before: Study, asked: Study) -> Study:
    """The study of the folder, run by the workers that are asked for."""
    run = replace(before.run, workers=asked.run.workers, cluster=asked.run.cluster, store=asked.run.store)
    return replace(before, run=run)
