"""Every operator of deployed models refuses what its kernel does not read: operand by operand, in one line."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels import store
from radhard.kernels.library import no_events
from radhard.kernels.operands import OPERANDS, Operand
from radhard.kernels.sums import weighted_sums, with_bias

OPS = torch.ops.radhard
GRID, KEPT = [0, -128, 127], ("raise", "here")
Arguments = dict[str, Any]


def words(*shape: int) -> Tensor:
    return torch.zeros(*shape, dtype=torch.int8)


def product(**shape: Any) -> Arguments:
    return {
        "weight": words(5, 4),
        "bias": torch.zeros(5, dtype=torch.int32),
        "multiplier": torch.ones(5),
        **shape,
        "grid": GRID,
        "dtype": torch.int8,
    }


def checked(given: Arguments) -> Arguments:
    """The same, the weight of each group as it is stored."""
    groups = given.get("groups", 1)
    pairs = zip(given["weight"].chunk(groups), given["bias"].chunk(groups), strict=True)
    parts = [store(w, b) for w, b in pairs]
    stored = {name: torch.cat([getattr(p, name) for p in parts]) for name in ("weight", "bias", "columns", "rows")}
    rest = {name: value for name, value in given.items() if name not in ("x", "weight", "bias")}
    return {"x": given["x"], **stored, **rest, "policy": "raise", "site": "here", "events": no_events()}


SHAPE = {"size": [2, 1], "stride": [1, 1], "padding": [0, 1, 0, 0], "dilation": [1, 1], "groups": 1, "pad": 0}
LINEAR = {"x": words(2, 3, 4), **product()}
CONV = {"x": words(2, 2, 6, 6), **product(**SHAPE)}
GROUPED = {"x": words(2, 4, 6, 6), **product(**{**SHAPE, "groups": 2}), "weight": words(6, 4)}
GROUPED |= {"bias": torch.zeros(6, dtype=torch.int32), "multiplier": torch.ones(6)}
MATMUL = {"a": words(2, 3, 4), "b": words(2, 4, 5), "multiplier": torch.ones(1), "grid": GRID, "dtype": torch.float32}
HOW = {"block": [2, 2, 3], "recovery": "weighted", "retries": 1, "visible": False, "width": 32}
SUMS = weighted_sums(with_bias(words(5, 4), torch.zeros(5, dtype=torch.int32)), 3)
BLOCKS = {
    "a": words(2, 3, 4),
    **{name: value for name, value in checked(LINEAR).items() if name in ("weight", "bias", "columns", "rows")},
    "sums": SUMS.blocks[None],
    "weighted": SUMS.weighted,
    "multiplier": torch.ones(5),
    "groups": 1,
    **HOW,
    "grid": GRID,
    "dtype": torch.int8,
    "policy": "raise",
    "site": "here",
    "events": no_events(),
}
WITHIN = {"low": -1.0, "high": 1.0, "outside": "zero", "events": no_events()}
CALLS: dict[str, Arguments] = {
    "linear": LINEAR,
    "linear_checked": checked(LINEAR),
    "conv2d": CONV,
    "conv2d_checked": checked(CONV),
    "matmul": MATMUL,
    "matmul_checked": {**MATMUL, "policy": "warn", "site": "here", "events": no_events()},
    "blocks_checked": BLOCKS,
    "matmul_blocks_checked": {
        **{name: MATMUL[name] for name in ("a", "b", "multiplier")},
        **HOW,
        "grid": GRID,
        "dtype": torch.float32,
        "policy": "warn",
        "site": "here",
        "events": no_events(),
    },
    "patches": {"x": words(2, 2, 6, 6), **SHAPE},
    "look_up": {"x": words(3, 4), "table": torch.ones(256)},
    "look_up_within": {
        "x": words(3, 4),
        "table": torch.ones(256),
        "flagged": torch.zeros(256, dtype=torch.bool),
        "clear": [-128, 127],
        "bounds": [1.0, 1.0],
        "instead": [0.0, 0.0, 0.0],
        "events": no_events(),
    },
    "write_back": {
        "total": torch.ones(2, 3, 5, dtype=torch.int32),
        "multiplier": torch.ones(5),
        "grid": GRID,
        "dtype": torch.int8,
    },
    "quantize": {"x": torch.ones(3, 4), "factor": 1.0, "grid": GRID},
    "quantize_within": {"x": torch.ones(3, 4), "factor": 1.0, "grid": GRID, **WITHIN},
    "within": {"x": torch.ones(3, 4), **WITHIN},
    "reread": {"x": torch.ones(3), "copy": 2},
    "vote": {"a": words(3), "b": words(3), "c": words(3), "policy": "raise", "site": "here", "events": no_events()},
}
TENSORS = [(name, own) for name, call in CALLS.items() for own, value in call.items() if isinstance(value, Tensor)]
TYPES = (torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool, torch.float16, torch.float32, torch.float64)


def call(name: str, given: Arguments) -> Any:
    return getattr(OPS, name)(*given.values())


def changed(name: str, own: str, change: Callable[[Any], Any]) -> Arguments:
    return {**CALLS[name], own: change(CALLS[name][own])}


def test_every_operator_has_an_entry_and_a_call() -> None:
    names = {
        schema.name.split("::")[1] for schema in torch._C._jit_get_all_schemas() if schema.name.startswith("radhard::")
    }
    assert names - {"batch_norm"} == CALLS.keys() == OPERANDS.keys()
    for name, given in (*CALLS.items(), ("conv2d", GROUPED), ("conv2d_checked", checked(GROUPED))):
        call(name, given)


@pytest.mark.parametrize(("name", "own"), TENSORS)
def test_other_types_are_refused(name: str, own: str) -> None:
    entry = OPERANDS[name][own]
    assert isinstance(entry, Operand)
    served = entry.types or (TYPES if name == "reread" else (CALLS[name][own].dtype,))
    for dtype in TYPES:
        given = changed(name, own, lambda x, dtype=dtype: x.to(dtype))
        if dtype in served:
            call(name, given)
            continue
        for moved in (given, {k: v.to("meta") if isinstance(v, Tensor) else v for k, v in given.items()}):
            with pytest.raises(InputError, match=rf"^torch\.ops\.radhard\.{name}: \w+ is torch\..*must be") as error:
                call(name, moved)
            assert str(dtype) in str(error.value)
            assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "own"), [(n, o) for n, o in TENSORS if n != "reread"])
def test_another_device_is_refused(name: str, own: str) -> None:
    if len([v for v in CALLS[name].values() if isinstance(v, Tensor)]) < 2:
        return
    with pytest.raises(
        InputError, match=rf"radhard\.{name}: \w+ is on (cpu|meta); \w+ is on (cpu|meta), and all must be"
    ):
        call(name, changed(name, own, lambda x: x.to("meta")))


def dense(name: str, own: str) -> bool:
    entry = OPERANDS[name][own]
    return isinstance(entry, Operand) and entry.dense


@pytest.mark.parametrize(("name", "own"), [(n, o) for n, o in TENSORS if dense(n, o)])
def test_what_is_read_as_it_lies_must_be_contiguous_and_of_its_size(name: str, own: str) -> None:
    value = CALLS[name][own]
    if value.numel() > 1:
        apart = torch.stack([value, value], dim=-1)[..., 0]
        with pytest.raises(InputError, match=rf"radhard\.{name}: {own} has strides .*; it must be contiguous"):
            call(name, {**CALLS[name], own: apart})
        overlapping = value.flatten()[:1].expand(value.shape)
        with pytest.raises(InputError, match=rf"radhard\.{name}: {own} has strides"):
            call(name, {**CALLS[name], own: overlapping})
    others = [value[:-1], value[None], torch.cat([value, value])]
    if own == "weight" and "checked" in name:
        others = [value[:7], value[None]]  # 5 rows, and 3 of sums; more beside them are no fault
    elif own == "multiplier" and name.startswith("matmul"):
        others = [torch.ones(3), value[None]]
    for other in others:
        with pytest.raises(InputError, match=rf"radhard\.{name}: \w+ has shape .*; it must be \["):
            call(name, {**CALLS[name], own: other.contiguous()})


@pytest.mark.parametrize(
    ("name", "own", "value", "message"),
    [
        ("linear", "x", words(3, 5), r"weight has shape \[5, 4\]; it must be \[n = 5, k = 5\]|weight has shape"),
        ("linear", "dtype", torch.float64, "dtype is torch.float64; it must be torch.int8 or torch.uint8"),
        ("linear", "grid", [0, 1], "grid is .*it must be 3 numbers"),
        ("conv2d", "groups", 0, "groups is 0; it must be 1 or more"),
        ("conv2d", "groups", 2, "weight has shape .*channels / groups x height x width of a filter"),
        ("conv2d", "x", words(2, 3, 6, 6), "weight has shape"),
        ("conv2d", "x", words(2, 6, 6), "x has shape .*must be"),
        ("conv2d", "padding", [1, 1], "padding is .*it must be 4 numbers"),
        ("matmul", "b", words(2, 5, 4), r"b has shape \[2, 5, 4\]; it must be \[\.\.\., k = 4, n\]"),
        ("matmul", "a", words(4), "a has shape"),
        ("linear_checked", "policy", "hope", "policy is 'hope'; it must be raise or warn or recompute"),
        ("blocks_checked", "recovery", "hope", "recovery is 'hope'; it must be leave or intersect or row"),
        ("blocks_checked", "width", 16, "width is 16; it must be 32 or 64"),
        ("blocks_checked", "sums", torch.zeros(2, 2, 5, dtype=torch.int64), r"sums has shape .*\[groups, j, k \+ 1\]"),
        ("within", "outside", "wrap", "outside is 'wrap'; it must be zero or clamp"),
        ("look_up_within", "bounds", [1.0], "bounds is .* it must be 2 numbers"),
        ("vote", "c", words(4), r"c has shape \[4\]; it must be \[3\]"),
    ],
)
def test_arguments_that_cannot_be(name: str, own: str, value: Any, message: str) -> None:
    for _ in range(2):  # a call that was refused is not remembered as one that was served
        with pytest.raises(InputError, match=rf"^torch\.ops\.radhard\.{name}: ({message})"):
            call(name, {**CALLS[name], own: value})


def test_an_export_says_what_a_call_would() -> None:
    class Wrong(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return OPS.quantize(x, 1.0, GRID)

    with pytest.raises(
        Exception, match=r"torch\.ops\.radhard\.quantize: x is torch\.float16; it must be torch\.float32"
    ):
        torch.export.export(Wrong(), (torch.ones(2, 3).half(),))
    batch = torch.export.Dim("batch")
    exported = torch.export.export(Wrong(), (torch.ones(2, 3),), dynamic_shapes=({0: batch},))
    assert exported.module()(torch.ones(7, 3)).shape == (7, 3)
