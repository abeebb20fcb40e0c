"""Weights that are NaN, infinite or beyond all bounds: one message that names the parameter, before anything runs."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from radhard.cli.commands import app
from radhard.errors import InputError, ModelError
from radhard.models.checkpoints.finite import check_finite
from radhard.program import capture, quantize
from tests.cli.test_files import TINY


class Net(nn.Module):
    """A mask of minus infinity, as attention has, beside weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.last = nn.Linear(8, 3)
        self.register_buffer("mask", torch.tensor([0.0, -torch.inf, torch.finfo(torch.float32).min]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.last(self.norm(self.first(x.flatten(1))))
        return y


def test_masks_may_be_infinite() -> None:
    check_finite(Net(), source="net")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e38, -3e30])
@pytest.mark.parametrize("name", ["first.weight", "last.bias", "norm.running_var", "norm.weight"])
def test_the_parameter_is_named(name: str, value: float) -> None:
    net = Net()
    net.state_dict()[name].view(-1)[2] = value
    with pytest.raises(ModelError, match=rf"not all finite: {name} \(1 of \d+, such as ") as error:
        check_finite(net, source="net")
    assert f"{value:g}" in str(error.value)
    program = torch.export.export(net.eval(), (torch.zeros(2, 1, 2, 2),))
    with pytest.raises(ModelError, match=rf"not all finite: {name}"):
        check_finite(program, source="net")


def test_values_that_overflow_on_the_way_are_told_by_their_place() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3))
    for layer in list(module)[1:]:
        nn.init.constant_(layer.weight, 1e14)
    program = capture(module.eval(), torch.ones(2, 1, 2, 2), name="net")
    with pytest.raises(InputError, match=r"net: on calibration batch 0 3 \(linear.*\) yields NaN or infinite values"):
        quantize(program, [torch.ones(2, 1, 2, 2)])


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(TINY)
    weights = {"0.weight": torch.zeros(4, 1, 3, 3), "0.bias": torch.zeros(4), "3.weight": torch.zeros(10, 196)}
    save_file({**weights, "3.bias": torch.full((10,), torch.nan)}, tmp_path / "w.safetensors")
    result = CliRunner().invoke(
        app,
        [
            "inspect",
            f"{tmp_path}/tiny.py:make",
            "--input-shape",
            "1,28,28",
            "--checkpoint",
            f"{tmp_path}/w.safetensors",
        ],
    )
    assert result.exit_code == 2
    assert "not all finite: 3.bias (10 of 10, such as nan)" in result.stderr
