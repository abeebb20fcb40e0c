"""Hit units of float operators: the kernels against the text itself with the same flips, bit for bit.

What a special function yields differs in the last bits from device to device (`test_special` says by how much); so here
the text reads those of the kernels.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("triton")

from radhard.faults import interpreter as flipped
from radhard.faults.device import struck_proof
from radhard.faults.device.struck import proven, struck
from radhard.faults.device.struck_proof import NONE, interpret, random_keys
from radhard.kernels import cuda, on_device
from radhard.kernels.cuda import LONGEST, struck_rows
from radhard.machine import Add, Grid, Mul, Operator, Site, Special, apply_special
from radhard.operators import Affine, Quantized
from radhard.operators.elementwise import Identity
from radhard.operators.gelu import Gelu
from radhard.operators.hard import HardSigmoid, HardSwish
from radhard.operators.layer_norm import LayerNorm
from radhard.operators.pooling import Mean
from radhard.operators.rms_norm import RmsNorm
from radhard.operators.sigmoid import Sigmoid, Silu
from radhard.operators.softmax import Softmax
from tests.cuda.test_special import FUNCTIONS, special_on

_UINT8 = Grid(low=0, high=255, dtype=torch.uint8)
_A = Affine(scale=0.0625)
_B = Affine(scale=0.017, grid=Grid(zero=-11))
_C = Affine(scale=0.031, grid=Grid(zero=77, low=0, high=255, dtype=torch.uint8))
_SOFT = Affine(scale=1.0 / 255.0, grid=_UINT8)


def _words(*shape: int, affine: Affine | None, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if affine is None:
        return torch.randn(*shape, generator=generator)
    low, high = affine.grid.low, affine.grid.high
    return torch.randint(low, high + 1, shape, generator=generator).to(affine.grid.dtype)


@dataclass(frozen=True, kw_only=True)
class Case:
    """An operator, its inputs and an output that lies as it pleases; two images along `axis`."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    axis: int = 0
    order: tuple[int, ...] | None = None  # of the output's axes in memory


def _quantized(inner: Operator, *reads: Affine | None, writes: Affine | None) -> Quantized:
    return Quantized(inner=inner, reads=reads, writes=writes)


def _with_strange(x: Tensor) -> Tensor:
    """`x` with numbers in it that are not finite whatever is hit."""
    flat = x.flatten()
    flat[3:5] = torch.tensor([float("nan"), float("-inf")])
    return flat.view(x.shape)


_PARAMETERS = tuple(_words(19, affine=None, seed=seed) for seed in (7, 8))
_CASES = {
    "softmax": Case(operator=_quantized(Softmax(), _B, writes=_SOFT), inputs=(_words(2, 2, 2, 37, affine=_B, seed=1),)),
    "softmax floats": Case(
        operator=Softmax(dim=1), inputs=(3.0 * _words(2, 18, 3, affine=None, seed=1),), order=(1, 2, 0)
    ),
    "softmax of floats": Case(
        operator=_quantized(Softmax(), None, writes=_B),
        inputs=(_with_strange(_words(2, 5, 1, 9, affine=None, seed=1)).transpose(1, 3),),
        order=(0, 3, 1, 2),
    ),
    "layer_norm": Case(
        operator=_quantized(LayerNorm(shape=(19,)), _C, None, None, writes=_A),
        inputs=(_words(2, 19, 3, affine=_C, seed=2).transpose(1, 2), *_PARAMETERS),
    ),
    "layer_norm of two axes, unscaled": Case(
        operator=_quantized(LayerNorm(shape=(5, 4)), _A, None, None, writes=_B),
        inputs=(_words(2, 4, 2, 5, affine=_A, seed=2).transpose(1, 3).transpose(1, 2), None, None),
        order=(3, 1, 0, 2),
    ),
    "layer_norm of floats": Case(
        operator=_quantized(LayerNorm(shape=(19,)), None, None, None, writes=None),
        inputs=(_words(2, 3, 19, affine=None, seed=2), _PARAMETERS[0], None),
    ),
    "rms_norm": Case(
        operator=_quantized(RmsNorm(shape=(19,)), _B, None, writes=_A),
        inputs=(_words(4, 1, 19, affine=_B, seed=3), _PARAMETERS[1]),
    ),
    "mean": Case(
        operator=_quantized(Mean(dims=(2, 3)), _C, writes=_A),
        inputs=(_words(2, 4, 3, 5, affine=_C, seed=4).transpose(1, 2).contiguous().transpose(1, 2),),
    ),
    "gelu": Case(operator=_quantized(Gelu(), _A, writes=_B), inputs=(_words(2, 5, 3, affine=_A, seed=5),), axis=0),
    "gelu_tanh": Case(
        operator=_quantized(Gelu(form="tanh"), _A, writes=_A), inputs=(_words(5, 6, affine=_A, seed=5),), axis=1
    ),
    "add": Case(
        operator=_quantized(Add(), _B, _C, writes=_A),
        inputs=(_words(2, 4, 3, affine=_B, seed=6), _words(4, 1, affine=_C, seed=7)),
        order=(2, 0, 1),
    ),
    "add a number": Case(
        operator=_quantized(Add(sign=-1), _B, None, writes=_C),
        inputs=(_words(2, 4, 3, affine=_B, seed=6).transpose(1, 2), torch.tensor(0.7)),
    ),
    "mul": Case(
        operator=_quantized(Mul(), _C, None, writes=_A),
        inputs=(_words(2, 3, 5, affine=_C, seed=6), _words(5, affine=None, seed=7)),
    ),
    "add floats": Case(
        operator=_quantized(Add(), None, None, writes=_B),
        inputs=(_with_strange(_words(2, 9, affine=None, seed=1)), torch.tensor(0.25)),
    ),
    "mul floats": Case(
        operator=Mul(), inputs=(_words(2, 1, 9, affine=None, seed=6), _words(4, 1, affine=None, seed=7))
    ),
    "sigmoid": Case(operator=_quantized(Sigmoid(), _A, writes=_SOFT), inputs=(_words(2, 17, affine=_A, seed=8),)),
    "silu": Case(operator=_quantized(Silu(), _B, writes=_A), inputs=(_words(2, 17, affine=_B, seed=8),)),
    "hard_sigmoid": Case(operator=_quantized(HardSigmoid(), _A, writes=_B), inputs=(_words(2, 17, affine=_A, seed=8),)),
    "hard_swish": Case(operator=_quantized(HardSwish(), _C, writes=_C), inputs=(_words(2, 17, affine=_C, seed=8),)),
}


@pytest.mark.parametrize("name", _CASES)
def test_hit_units_are_those_of_the_text(name: str, device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    case = _CASES[name]
    operator, inputs = case.operator, case.inputs
    keys = random_keys(operator, inputs)

    def functions(function: Special, x: Tensor) -> Tensor:
        if function in FUNCTIONS:
            return special_on(device, function, x)
        if function == "rsqrt":  # torch's root of float32 is off by a bit on some processors
            return 1.0 / x.to(torch.float64).sqrt().to(torch.float32)
        return apply_special(function, x)

    with monkeypatch.context() as patch:
        patch.setattr(flipped, "apply_special", functions)
        patch.setattr(on_device, "kernels", lambda: None)
        out = operator.empty(inputs)
        order = case.order or tuple(range(out.ndim))
        back = tuple(order.index(d) for d in range(out.ndim))
        out = torch.full([out.shape[d] for d in order], 5, dtype=out.dtype).permute(back)
        given = out.clone(memory_format=torch.preserve_format).to(device)
        mask = interpret(operator, inputs, out=out, keys=keys)
    rows = out.shape[case.axis] // 2
    site = Site(name="site", batch_axis=case.axis, rows_per_image=rows)
    grid = operator.units(inputs).grid
    inner = int(np.prod(grid[case.axis + 1 :]))
    strange_of = torch.ones(2, dtype=torch.int64, device=device)
    served = struck(
        operator,
        [None if x is None else x.to(device) for x in inputs],
        out=given,
        keys=keys.to(device),
        images=(grid[case.axis] * inner, rows * inner),
        non_finite=strange_of,
    )
    assert served
    assert given.stride() == out.stride()
    assert torch.equal(given.cpu().nan_to_num(nan=1.5), out.nan_to_num(nan=1.5))
    assert torch.equal(strange_of.cpu() - 1, site.per_image(mask))
    assert bool(mask.any()) or name not in ("gelu", "sigmoid")


def test_the_kernels_prove_themselves(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    if on_device.interpreted():  # slowly
        short = [subject for subject in struck_proof.SUBJECTS if subject.width < 700]
        monkeypatch.setattr(struck_proof, "SUBJECTS", short)
    assert proven(cuda, device)


@pytest.mark.parametrize(("programs", "room"), [(3, 1 << 20), (7, 500)])
def test_long_rows_by_few_programs(
    programs: int, room: int, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many flips of a running sum, and the keys of a program far apart."""
    monkeypatch.setattr(struck_rows, "_PROGRAMS", programs)
    monkeypatch.setattr(struck_rows, "_ROOM", room)
    operator = _quantized(LayerNorm(shape=(151,)), _B, None, None, writes=_A)
    inputs = (_words(9, 151, affine=_B, seed=3), None, None)
    random = np.random.default_rng(5)
    sums = [
        unit << 27 | 1 << 22 | int(within) << 6 | int(random.integers(23))
        for unit in (1, 4, 8)
        for within in np.sort(random.choice(150, 4, replace=False))
    ]
    keys = torch.cat([random_keys(operator, inputs, seed=2), torch.tensor(sums)]).unique()
    keys = torch.cat([keys, torch.full((23,), NONE)])
    expected = operator.empty(inputs).zero_()
    out, non_finite = expected.to(device), torch.zeros(1, dtype=torch.int64, device=device)
    with monkeypatch.context() as patch:
        patch.setattr(on_device, "kernels", lambda: None)
        mask = interpret(operator, inputs, out=expected, keys=keys)
    given = [None if x is None else x.to(device) for x in inputs]
    assert struck(operator, given, out=out, keys=keys.to(device), images=(1, 1), non_finite=non_finite)
    assert torch.equal(out.cpu(), expected)
    assert int(non_finite) == int(mask.sum())


@pytest.mark.parametrize(
    ("operator", "inputs"),
    [
        (Identity(), (torch.ones(4),)),
        (Mul(), (torch.ones(4, dtype=torch.int32), torch.ones(4, dtype=torch.int32))),
        (Softmax(), (torch.ones(2, LONGEST + 1),)),
    ],
)
def test_what_no_kernel_serves_goes_the_way_of_its_text(
    operator: Operator, inputs: tuple[Tensor, ...], device: torch.device
) -> None:
    moved = [x.to(device) for x in inputs]
    out = operator.empty(moved).zero_()
    keys, non_finite = (
        torch.zeros(1, dtype=torch.int64, device=device),
        torch.zeros(1, dtype=torch.int64, device=device),
    )
    assert not struck(operator, moved, out=out, keys=keys, images=(1, 1), non_finite=non_finite)
    assert not out.any()
