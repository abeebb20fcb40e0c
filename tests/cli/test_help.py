"""What `--help` shows: every option under a heading, headings in one order, values and defaults as they are written."""

import inspect
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from radhard.cli.commands import app
from radhard.cli.signature import command, taken
from radhard.cli.spelling import ORDER, PANELS, SPELLED
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions

GROUP: Any = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)
EACH = pytest.mark.parametrize("name", COMMANDS)


@EACH
def test_every_option_stands_under_a_heading(name: str) -> None:
    headings = [p.rich_help_panel for p in GROUP.commands[name].params if p.param_type_name == "option"]
    assert set(headings) <= set(ORDER)
    assert headings == sorted(headings, key=ORDER.index)


@EACH
def test_help_fits_80_columns_and_has_its_headings(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    headings = [line.strip("╭╮─ ") for line in lines if line.startswith("╭")]
    options = [p for p in GROUP.commands[name].params if p.param_type_name == "option"]
    shown = [heading for heading in headings if heading in ORDER]
    assert shown == [heading for heading in ORDER if heading in {p.rich_help_panel for p in options}]
    assert set(headings) - set(ORDER) <= {"Arguments", "Options"}
    first = lines.index(next(line for line in lines if line.startswith("╭─ Options")))
    end = next(k for k in range(first, len(lines)) if lines[k].startswith("╰"))
    assert [line.split()[1] for line in lines[first + 1 : end]] == ["--help"]
    for parameter in options:
        assert any(parameter.opts[-1] in line for line in lines), parameter.opts
        assert parameter.help, parameter.opts


@pytest.mark.parametrize("group", PANELS)
def test_what_is_left_out_is_the_dataclass(group: type) -> None:
    """The written default of a spelled field reads as the field's own default."""
    own = group()
    for (owner, name), spelling in SPELLED.items():
        if owner is group:
            written, plain = spelling.default, group.__dataclass_fields__[name].default
            assert getattr(own, name) == (plain if written is None else spelling.read(written)), name


def called(function: Any, *arguments: str) -> list[Any]:
    """The values that a command is given, by the order of its parameters."""
    seen: list[Any] = []

    def record(**values: Any) -> None:
        seen.extend(values[name] for name in inspect.signature(function).parameters)

    record.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    small = typer.Typer()
    small.command()(command(record))
    result = CliRunner().invoke(small, list(arguments))
    assert result.exit_code == 0, result.output
    return seen


def test_a_command_is_given_values() -> None:
    def one(model: ModelOptions, data: DataOptions, faults: FaultOptions, run: RunOptions) -> None: ...

    assert called(one) == [ModelOptions(), DataOptions(), FaultOptions(), RunOptions()]
    model, data, faults, run = called(
        one, "--input-shape", "3,4,5", "--std", "0.5", "--resize", "none", "--pretrained", "--scales", "a", "--scales",
        "b", "--skip-bad", "--samples", "3", "--kinds", "load", "--layer", "x", "--except", "--seed", "7",
        "--words", "product=int8,accumulator=int16", "--shard", "2/3", "--until-width", "0.5", "--store", "s.db",
    )  # fmt: skip
    assert (model.input_shape, model.std, model.resize, model.pretrained) == ((3, 4, 5), (0.5,), "none", True)
    assert [str(path) for path in model.scales] == ["a", "b"]
    assert (data.skip_bad, data.samples, data.split) == (True, 3, None)
    assert (faults.kinds, faults.layer, faults.except_, faults.seed) == ({"load"}, ("x",), True, 7)
    assert faults.words.name == "product=int8,accumulator=int16"
    assert (run.shard, run.until_width, str(run.store), run.trials) == ((2, 3), 0.5, "s.db", 5)


def test_a_command_takes_a_part_with_its_own_defaults() -> None:
    from typing import Annotated

    def one(
        run: Annotated[RunOptions, taken(only=("batch", "shard"), helps={"batch": "so many"}, batch=7)],
    ) -> None: ...

    assert called(one) == [RunOptions(batch=7)]
    assert called(one, "--batch", "64") == [RunOptions(batch=64)]  # the dataclass's own default, written out
    assert list(inspect.signature(command(one)).parameters) == ["batch", "shard"]
    (batch, _shard) = inspect.signature(command(one)).parameters.values()
    assert batch.annotation.__metadata__[0].help == "so many"
    with pytest.raises(AssertionError, match="No such option"):
        called(one, "--trials", "3")
