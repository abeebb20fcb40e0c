"""Any float operator between int8 words: what it reads is scaled to float32, what it writes is scaled back.

The scale multiplications are operations of the kind `scale`: counted, and exposed only when asked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.machine import Arithmetic, Elementwise, Note, Operator, UnitInput, Units
from radhard.machine.requantize import look_up, write_float


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized(Operator):
    """`inner` with int8 inputs of scale `reads[i]` (None: a float input), and an int8 output of scale `writes`."""

    inner: Operator
    reads: tuple[float | None, ...]
    writes: float | None

    @property
    def name(self) -> str:  # type: ignore[override]
        """The inner operator's name; `quantize` or `dequantize` where there is nothing inside."""
        if self.inner.name != "identity":
            return self.inner.name
        return "dequantize" if self.writes is None else "quantize" if self.reads[0] is None else "requantize"

    def _read(self, inputs: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The inputs as the inner operator takes them, whole."""
        words = torch.arange(-128, 128, dtype=torch.float32)
        pairs = zip(inputs, self.reads, strict=True)
        return [x if x is None or scale is None else look_up(x, words * scale) for x, scale in pairs]

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """The inner operator's."""
        return self.inner.units(inputs)

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """The inner operator's shape, as int8 or float32."""
        out = self.inner.empty(inputs)
        dtype = torch.int8 if self.writes is not None else torch.float32
        return out if out.dtype == dtype else torch.empty(out.shape, dtype=dtype, device=out.device)

    def text(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Scale, the inner text, scale, round and saturate."""
        read: list[UnitInput] = []
        for x, scale in zip(inputs, self.reads, strict=True):
            scaled = isinstance(x, Tensor) and scale is not None
            read.append(m.scale(x.to(torch.float32), scale) if scaled else x)  # type: ignore[union-attr,arg-type]
        out = self.inner.text(m, *read)
        return out if self.writes is None else m.quantize(m.scale(out, 1.0 / self.writes))

    @cached_property
    def _tables(self) -> dict[tuple[float | None, ...], Tensor]:
        return {}

    def _table(self, numbers: Sequence[Tensor | None]) -> Tensor:
        """What each of the 256 words of the first input becomes, the other inputs single numbers: [256]."""
        key = tuple(None if x is None else float(x) for x in numbers)
        if key not in self._tables:
            words = torch.arange(-128, 128, dtype=torch.int8)
            self._tables[key] = self._compute([words, *numbers], lambda _: None)
        return self._tables[key]

    def _compute(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        out = self.inner.kernel(self._read(inputs), note)
        if self.writes is None:
            return out
        words, strange = write_float(out, 1.0 / self.writes)
        if strange:
            note(~(out * (1.0 / self.writes)).isfinite())
        return words

    def kernel(self, inputs: Sequence[Tensor | None], note: Note) -> Tensor:
        """The inner kernel between two passes; a table where each output word depends on one input word alone."""
        x, *others = inputs
        if (
            isinstance(self.inner, Elementwise)
            and self.reads[0] is not None
            and all(
                other is None or (other.numel() == 1 and scale is None)
                for other, scale in zip(others, self.reads[1:], strict=True)
            )
        ):
            assert x is not None
            return look_up(x, self._table(others))
        return self._compute(inputs, note)


def scale_of(value: float, *, place: str) -> float:
    """A scale as the program keeps it: positive and finite, rounded to float32."""
    scale = float(torch.tensor(value, dtype=torch.float32))
    if not (math.isfinite(scale) and scale > 0.0):
        raise InputError(
            f"the scale of {place} is {value}: calibrate with images whose activations are finite and not all zero"
        )
    return scale
