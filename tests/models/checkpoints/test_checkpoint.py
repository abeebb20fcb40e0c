"""Files of weights in the layouts that training programs write, and those that must not be taken for a model's."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from radhard.errors import InputError, ModelError
from radhard.models.load import load

FILE = """import torch
from torch import nn
def make():
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4, 5))
"""
State = dict[str, Tensor]


def state_of(seed: int) -> State:
    torch.manual_seed(seed)
    names: dict[str, Any] = {}
    exec(FILE, names)
    state: State = names["make"]().state_dict()
    return state


def under(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


WANTED, OTHER = state_of(1), state_of(2)
OPTIMISER = {
    "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(4, 3, 3, 3)}},
    "param_groups": [{"lr": 0.1, "params": [0]}],
}

# a layout -> what is saved, and what `weights` says after the file's name
LAYOUTS: dict[str, tuple[Any, str]] = {
    "net": ({"net": under("module.", WANTED), "acc": 93.1, "epoch": 7}, " (net)"),
    "model_state_dict": (
        {"model_state_dict": WANTED, "optimizer_state_dict": OPTIMISER, "epoch": 7, "loss": 0.3},
        " (model_state_dict)",
    ),
    "lightning": ({"state_dict": under("model.", WANTED), "optimizer_states": [OPTIMISER], "epoch": 3}, ""),
    "lightning with a loss": (
        {"state_dict": under("model.", WANTED) | {"criterion.weight": torch.ones(5)}},
        " (state_dict.model)",
    ),
    "backbone": ({"state_dict": under("backbone.", WANTED)}, ""),
    "backbone deeper": ({"model": under("module._orig_mod.encoder.", WANTED)}, ""),
    "beside other tensors": ({"net": WANTED, "class_weights": torch.ones(5), "best": torch.tensor(9.0)}, " (net)"),
    "beside another network": ({"net": WANTED, "teacher": {"head.weight": torch.ones(3, 3)}}, " (net)"),
    "deep": ({"state": {"params": {"net": WANTED}}}, " (state.params.net)"),
    "flat, with numbers": (WANTED | {"epoch": 3}, ""),
    "average beside": ({"model": WANTED, "ema": OTHER}, " (beside ema, which --checkpoint-key takes)"),
    "average alone": ({"ema_state_dict": WANTED}, " (ema_state_dict)"),
    "average under a prefix": (
        {"state_dict": under("model.", WANTED) | under("ema_model.", OTHER)},
        " (state_dict.model)",
    ),
    "a list": ({"models": [{"optimizer": OPTIMISER, "weights": WANTED}]}, " (models.0.weights)"),
    "half": (
        {k: v.half() if v.is_floating_point() else v for k, v in WANTED.items()},
        ", float16 converted to float32",
    ),
    "double": (
        {k: v.double() if v.is_floating_point() else v for k, v in WANTED.items()},
        ", float64 converted to float32",
    ),
    "without counters": ({k: v for k, v in WANTED.items() if "num_batches" not in k}, ""),
}


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "m.py").write_text(FILE)
    return f"{tmp_path / 'm.py'}:make"


def weights(loaded: Any) -> Tensor:
    weight: Tensor = loaded.module[5].weight
    return weight


@pytest.mark.parametrize("name", LAYOUTS)
def test_weights_are_found_where_training_programs_keep_them(name: str, model: str, tmp_path: Path) -> None:
    content, told = LAYOUTS[name]
    torch.save(content, tmp_path / "w.pth")
    loaded = load(model, tmp_path / "w.pth", input_shape=(3, 8, 8))
    assert loaded.weights == f"{tmp_path / 'w.pth'}{told}"
    torch.testing.assert_close(weights(loaded), WANTED["5.weight"], rtol=1e-3, atol=1e-4)


def test_several_that_fit_are_refused_and_one_is_chosen_by_its_key(model: str, tmp_path: Path) -> None:
    both = {"student": OTHER, "nets": {"b": WANTED}, "epoch": 1}
    prefixed = {"state_dict": under("student.", OTHER) | under("nets.b.", WANTED)}
    for content in (both, prefixed):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(ModelError, match=r"several sets of weights, .*nets\.b, .*student: .*checkpoint_key"):
            load(model, tmp_path / "w.pth", input_shape=(3, 8, 8))
        for key in ("nets.b",):
            chosen = load(model, tmp_path / "w.pth", checkpoint_key=key, input_shape=(3, 8, 8))
            assert torch.equal(weights(chosen), WANTED["5.weight"])
        with pytest.raises(ModelError, match=r"has no weights under 'teacher' \(checkpoint_key\); it has "):
            load(model, tmp_path / "w.pth", checkpoint_key="teacher", input_shape=(3, 8, 8))
    with pytest.raises(InputError, match="none is given"):
        load(model, checkpoint_key="net", input_shape=(3, 8, 8))


def changed(key: str, value: Callable[[Tensor], Tensor]) -> State:
    return WANTED | {key: value(WANTED[key])}


MISFITS: dict[str, tuple[State, str]] = {
    "int64": (changed("5.weight", lambda w: (w * 100).long()), r"of other numbers: 5\.weight int64 where .* float32"),
    "int8": (changed("5.weight", lambda w: (w * 100).char()), r"5\.weight int8 where the model has float32"),
    "bool": (changed("5.weight", lambda w: w > 0), r"5\.weight bool where the model has float32"),
    "complex": (changed("0.weight", lambda w: w.to(torch.complex64)), r"0\.weight complex64 where .* float32"),
    "float8": (changed("5.weight", lambda w: w.to(torch.float8_e4m3fn)), r"5\.weight float8_e4m3fn where the model"),
    "a buffer of int": (changed("1.running_var", lambda w: w.int()), r"1\.running_var int32 where .* float32"),
    "NaN": (changed("5.bias", lambda w: w * float("nan")), r"not all finite: 5\.bias \(5 of 5, such as nan\)"),
    "infinite": (changed("5.bias", lambda w: w / 0), r"not all finite: 5\.bias"),
    "beyond float32": (changed("5.bias", lambda w: w.double() * 1e300), r"not all finite: 5\.bias"),
    "missing": ({k: v for k, v in WANTED.items() if k != "0.bias"}, r"missing: 0\.bias"),
    "another shape": (changed("5.weight", lambda w: w[:, :3]), r"misshapen: 5\.weight \[5, 3\] where .* \[5, 4\]"),
}


@pytest.mark.filterwarnings("ignore:Casting complex")
@pytest.mark.parametrize("form", ["safetensors", "pth"])
@pytest.mark.parametrize("name", MISFITS)
def test_what_is_no_weight_of_the_model_is_named(name: str, form: str, model: str, tmp_path: Path) -> None:
    state, fault = MISFITS[name]
    path = tmp_path / f"w.{form}"
    if form == "safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save({"net": state, "optimizer": OPTIMISER}, path)
    with pytest.raises(ModelError) as caught:
        load(model, path, input_shape=(3, 8, 8))
    assert re.search(fault, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Sparse")
def test_tensors_without_values_and_sparse_ones_are_named(model: str, tmp_path: Path) -> None:
    for change, named in (
        (lambda w: w.to("meta"), r"float32 without values \(meta\)"),
        (Tensor.to_sparse, "sparse_coo"),
    ):
        torch.save(changed("5.weight", change), tmp_path / "w.pth")
        with pytest.raises(ModelError, match=rf"5\.weight .*{named} where the model has float32"):
            load(model, tmp_path / "w.pth", input_shape=(3, 8, 8))


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_a_program_given_as_a_checkpoint_is_named(model: str, tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "s.pt")
    program = torch.export.export(nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(program, tmp_path / "e.pt2")
    for name, what in (("s.pt", "a TorchScript module"), ("e.pt2", "an exported program")):
        with pytest.raises(ModelError, match=rf"{re.escape(name)} is {what} .*, not a file of weights"):
            load(model, tmp_path / name, input_shape=(3, 8, 8))
