"""The proof of the kernels of `struck` on a device: a few units, compared with their definitions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.faults.interpreter import BitFlipInterpreter
from radhard.faults.locate import StepFlips
from radhard.machine import UNSIGNED, Add, Operator, Site, read_cost
from radhard.operators import Affine, Quantized
from radhard.operators.gelu import Gelu
from radhard.operators.layer_norm import LayerNorm
from radhard.operators.softmax import Softmax
from radhard.words import Words

NONE = (1 << 63) - 1  # the key of no flip


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """An operator, the width of its rows, whether its words are equal bit for bit, and which low bits flip."""

    operator: Quantized
    width: int
    exact: bool
    bits: int


_AFFINE = Affine(scale=0.05)
SUBJECTS = (
    _Subject(operator=Quantized(inner=Add(), reads=(_AFFINE, _AFFINE), writes=_AFFINE), width=65, exact=True, bits=32),
    _Subject(
        operator=Quantized(inner=LayerNorm(shape=(768,)), reads=(_AFFINE, None, None), writes=_AFFINE),
        width=768,
        exact=True,
        bits=32,
    ),
    # a flip of a high bit tells two numbers apart that differ in the last place
    _Subject(
        operator=Quantized(inner=Softmax(), reads=(_AFFINE,), writes=Affine(scale=1.0 / 255.0, grid=UNSIGNED)),
        width=197,
        exact=False,
        bits=8,
    ),
    _Subject(operator=Quantized(inner=Gelu(), reads=(_AFFINE,), writes=_AFFINE), width=65, exact=False, bits=8),
)


def right(strike: Callable[..., bool], device: torch.device) -> bool:
    """Whether `strike`, which is `struck` before it is proved, writes on `device` what the definitions say."""
    for subject in SUBJECTS:
        operator, inputs = subject.operator, _inputs(subject)
        keys = random_keys(operator, inputs, bits=subject.bits)
        by_definition = operator.empty(inputs).zero_()
        wild = int(interpret(operator, inputs, out=by_definition, keys=keys).sum())
        out, non_finite = torch.zeros_like(by_definition).to(device), torch.zeros(1, dtype=torch.int64, device=device)
        given = [None if x is None else x.to(device) for x in inputs]
        if not strike(operator, given, out=out, keys=keys.to(device), images=(1, 1), non_finite=non_finite):
            return False
        apart = int((out.cpu().to(torch.int32) - by_definition.to(torch.int32)).abs().max())
        if apart > (0 if subject.exact else 1) or int(non_finite) != wild:
            return False
    return True


def _inputs(subject: _Subject) -> list[Tensor | None]:
    random = torch.Generator().manual_seed(subject.width)
    found: list[Tensor | None] = []
    for affine in subject.operator.reads:
        if affine is None:
            found.append(torch.randn(subject.width, generator=random))
        else:
            found.append(torch.randint(-128, 128, (3, subject.width), generator=random).to(affine.grid.dtype))
    return found


def random_keys(operator: Operator, inputs: Sequence[Tensor | None], *, bits: int = 32, seed: int = 0) -> Tensor:
    """Keys [F] int64 of flips of low `bits`: of most units one or several, at any step; NONE between units."""
    random = np.random.default_rng(seed)
    steps = read_cost(operator, tuple(inputs), Site(name="proof")).steps
    found: list[int] = []
    for unit in range(operator.units(inputs).count):
        mine = set()
        for _ in range(random.integers(0, 5)):
            step = int(random.integers(len(steps)))
            within = int(random.integers(steps[step].per_unit))
            hit = random.choice(bits, 1 + (random.random() < 0.3), replace=False)
            mine |= {unit << 27 | step << 22 | within << 6 | int(bit) for bit in hit}
        found += [*sorted(mine), *[NONE] * int(random.integers(3))]
    return torch.tensor(found, dtype=torch.int64)


def interpret(operator: Operator, inputs: Sequence[Tensor | None], *, out: Tensor, keys: Tensor) -> Tensor:
    """Writes the units that `keys` [F] int64 hit into `out` by definition -> where flips made words not finite."""
    flips = keys[keys != NONE].numpy()
    hit, place = np.unique(flips >> 27, return_inverse=True)
    step, within, bit = flips >> 22 & 31, flips >> 6 & 0xFFFF, flips & 63
    by_step = {
        int(number): StepFlips(unit=place[step == number], within=within[step == number], bit=bit[step == number])
        for number in np.unique(step)
    }
    units, index = operator.units(inputs), torch.from_numpy(hit)
    read = units.gather(index)
    arithmetic, without = BitFlipInterpreter(by_step, Words()), BitFlipInterpreter({}, Words())
    units.scatter(out, index, operator.definition(arithmetic, *read))
    operator.definition(without, *read)
    mask = torch.zeros(out.shape, dtype=torch.bool, device=out.device)
    if arithmetic.non_finite is not None and without.non_finite is not None:
        units.scatter(mask, index, arithmetic.non_finite & ~without.non_finite)
    return mask
