"""`--study FILE`: on every command that works on a model; the command line goes first; mistakes are told."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from radhard.cli import commands
from radhard.cli.commands import app
from radhard.cli.limits import CheckedCommand
from radhard.cli.options import Models
from radhard.cli.signature import command
from radhard.cli.study_option import written_defaults
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.study_file.study import Study
from tests.studies.test_study_file import FULL

GROUP: Any = typer.main.get_command(app)
WITH_MODEL = sorted(
    name for name, each in GROUP.commands.items() if {p.name for p in each.params} & {"model", "models"}
)
WITHOUT = {"blocks", "train"}
"""A model of block sizes, and names of models to train: none is under test."""


@pytest.mark.parametrize("name", sorted(set(WITH_MODEL) - WITHOUT))
def test_every_command_on_a_model_takes_a_study(name: str, tmp_path: Path) -> None:
    """The model is then not missing: what is complained of comes after it."""
    study = tmp_path / "study.toml"
    Study(model="no-such-model").write(study)
    extra = {
        "plan": ["--ber", "1e-6"], "trace": ["--ber", "1e-6", "--out", str(tmp_path / "t.csv")],
        "replay": ["--trace", str(study)], "evaluate": ["--plan", str(tmp_path)], "harden": ["--plan", str(study)],
        "fit": ["--hardware", "npu-128"],
    }.get(name, [])  # fmt: skip
    result = CliRunner().invoke(app, [name, "--study", str(study), *extra])
    assert result.exit_code == 2
    assert "Missing" not in result.output
    assert "no-such-model" in result.output or name in ("replay", "evaluate", "harden")


def taken(function: Any, *arguments: str) -> Any:
    """What a command is given of a command line; or the error."""
    seen: dict[str, Any] = {}

    def record(**values: Any) -> None:
        seen.update(values)

    record.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    small = typer.Typer()
    small.command(cls=CheckedCommand)(command(record))
    result = CliRunner().invoke(small, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return seen


def one(
    model: str,
    model_options: ModelOptions,
    data_options: DataOptions,
    faults: FaultOptions,
    run: RunOptions,
    data: str = "x",
) -> None: ...


def several(models: Models, data_options: DataOptions, data: str = "x") -> None: ...


@pytest.fixture
def file(tmp_path: Path) -> str:
    FULL.write(tmp_path / "study.toml")
    return str(tmp_path / "study.toml")


def test_all_options_are_those_of_the_file(file: str) -> None:
    found = taken(one, "--study", file)
    assert (found["model"], found["data"]) == (FULL.model, FULL.data)
    for name in ("model_options", "data_options", "faults", "run"):
        assert found[name] == getattr(FULL, name), name


def test_models_have_the_options_of_the_file(file: str) -> None:
    found = taken(several, "--study", file)["models"].each
    assert found == {FULL.model: FULL.model_options}


def test_the_command_line_goes_before_the_file(file: str) -> None:
    found = taken(one, "--study", file, "--seed", "7", "--images", "3", "--layer", "z")
    assert (found["faults"].seed, found["run"].images, found["faults"].layer) == (7, 3, ("z",))
    assert (found["faults"].kinds, found["run"].trials) == (FULL.faults.kinds, FULL.run.trials)
    assert found["model_options"].program_digest == FULL.model_options.program_digest


@pytest.mark.parametrize(
    ("arguments", "program", "data"),
    [
        (("--seed", "7"), True, True),
        (("--recipe", "float"), False, False),
        (("--data", "y"), False, False),
        (("--labels", "none"), False, False),
        (("--program-digest", "ab"), True, False),
        (("--data-digest", "ab"), True, True),
    ],
)
def test_a_digest_is_not_asked_of_what_was_replaced(
    file: str, arguments: tuple[str, ...], program: bool, data: bool
) -> None:
    found = taken(one, "--study", file, *arguments)
    assert (found["model_options"].program_digest is not None) == program
    assert (found["data_options"].data_digest is not None) == data or arguments[0] == "--program-digest"


def test_another_model_is_refused(file: str) -> None:
    assert FULL.model is not None
    assert taken(one, FULL.model, "--study", file)["model"] == FULL.model
    with pytest.raises(Exception, match=r"MODEL other: .*study of net <script>\.py; leave MODEL out"):
        taken(one, "other", "--study", file)
    with pytest.raises(Exception, match="MODEL other"):
        taken(several, "other", "--study", file)


def test_a_mistake_in_the_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("[model]\nchekpoint = 'a'\n")
    result = CliRunner().invoke(app, ["sweep", "--study", str(tmp_path / "study.toml")])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert "did you mean 'checkpoint'?" in result.output


def test_without_a_name_the_model_is_missing(tmp_path: Path) -> None:
    Study().write(tmp_path / "study.toml")
    result = CliRunner().invoke(app, ["sweep", "--study", str(tmp_path / "study.toml")])
    assert result.exit_code == 2
    assert "Missing argument" in result.output


def test_defaults_are_texts_of_the_command_line(file: str) -> None:
    found = written_defaults(Path(file), [ModelOptions, FaultOptions])
    assert found["resize"] == "32x48"
    assert found["words"] == "product=int8,accumulator=int24[0:16]"
    assert commands  # the commands are those of the module
