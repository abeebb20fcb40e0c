"""The words that a program's sites write, and the weights that its layers read, as one run finds them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from radhard.hardware.word_upset import WordArray
from radhard.machine import Clean, Load, MatrixProduct, Operator, Site
from radhard.program import Program, run

_FORMATS = (torch.int8, torch.uint8, torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True, kw_only=True)
class SeenWords:
    """By the names of sites: `outputs` of one image, of all sites, and `weights` of convolutions and linear layers.

    Whole numbers that are no 8-bit words are left out: they count or choose, and are no results of arithmetic. So are
    words that a product loads: another site has written them.
    `loads`: words that products load, which another site has written, or the image.
    `shared`: sites whose weight another site reads, too, and which.
    """

    outputs: dict[str, WordArray] = field(default_factory=dict)
    weights: dict[str, WordArray] = field(default_factory=dict)
    loads: dict[str, WordArray] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=4)
def words_of(program: Program) -> SeenWords:
    """The words of a program."""
    machine = _Looking()
    run(program, torch.zeros(1, *program.input_shape), machine)
    return machine.found


class _Looking(Clean):
    """Computes, and notes what is read and written."""

    def __init__(self) -> None:
        super().__init__()
        self.found = SeenWords()
        self._read: dict[tuple[int, tuple[int, ...]], tuple[str, Tensor]] = {}  # tensors live on, so places differ

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The kernel's output."""
        out = super().apply(operator, inputs, site)
        if out.dtype in _FORMATS:
            seen = self.found.loads if isinstance(operator, Load) else self.found.outputs
            seen[site.name] = WordArray(dtype=out.dtype, shape=tuple(out.shape))
        if isinstance(operator, MatrixProduct) and operator.stored and (weight := inputs[1]) is not None:
            shape = tuple(weight.shape)
            if other := self._read.get((weight.data_ptr(), shape)):
                self.found.shared[site.name] = other[0]
            self._read[weight.data_ptr(), shape] = site.name, weight
            self.found.weights[site.name] = WordArray(dtype=weight.dtype, shape=shape)
        return out
