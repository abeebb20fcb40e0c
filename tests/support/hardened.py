"""What tests of deployed models share: plans over a program, and accumulators whose bits flip."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from radhard.kernels import backends
from radhard.machine import Gemm, Operator
from radhard.operators import Conv2d, Linear
from radhard.program import Apply, Program
from radhard.protection import Block, LbAbft, Protection, RowAbft, Scheme

LB = LbAbft(block=Block(m=16, k=32, n=16))
ROW = RowAbft(block=Block(m=4, k=64, n=32))


def is_product(operator: Operator) -> bool:
    return isinstance(operator, Linear | Conv2d | Gemm) and operator.write_back is not None


def products(program: Program) -> list[str]:
    return [s.site.name for s in program.steps if isinstance(s, Apply) and is_product(s.operator)]


def all_products(program: Program) -> Protection:
    schemes: tuple[Scheme, ...] = (LB, ROW)
    return Protection.of({name: schemes[place % 2] for place, name in enumerate(products(program))})


class FlippedProducts:
    """In place of `backends.product`: call number c flips bit b of accumulator i for each (c, i, b)."""

    def __init__(self, flips: Iterable[tuple[int, int, int]]) -> None:
        self.flips = list(flips)
        self.calls = 0
        self.real: Callable[[Tensor, Tensor], Tensor] = backends.product

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        total = self.real(a, b).to(torch.int32)
        flat = total.view(-1)
        for call, index, bit in self.flips:
            if call == self.calls:
                flat[index % len(flat)] ^= flip_of(bit)
        self.calls += 1
        return total


def flip_of(bit: int, *, bits: int = 32) -> int:
    """The word that flips a bit, as torch takes it."""
    return -(2 ** (bits - 1)) if bit == bits - 1 else 2**bit
