"""Float operators between 8-bit words: inputs are dequantised to float32, the output is quantised.

The scale multiplications are operations of the kind `scale`: counted, and exposed only when asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from radhard.kernels.affine import Affine
from radhard.kernels.octets import every_octet
from radhard.kernels.write import look_up, write_float
from radhard.machine import Arithmetic, Elementwise, NoteNonFinite, Operator, UnitInput, Units
from radhard.operators.fused import in_one_pass
from radhard.operators.tables import Tables


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized(Operator):
    """`inner` with inputs in words for `reads[i]` (None: a float input), and an output in words for `writes`."""

    inner: Operator
    reads: tuple[Affine | None, ...]
    writes: Affine | None

    @property
    def name(self) -> str:  # type: ignore[override]
        """The inner operator's name; `quantize` or `dequantize` where there is nothing inside."""
        if self.inner.name != "identity":
            return self.inner.name
        return "dequantize" if self.writes is None else "quantize" if self.reads[0] is None else "requantize"

    @property
    def unwritten(self) -> "Quantized":
        """The same that yields float32."""
        return self if self.writes is None else replace(self, writes=None)

    def _read(self, inputs: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The inputs as the inner operator takes them, whole."""
        pairs = zip(inputs, self.reads, strict=True)
        return [x if x is None or affine is None else affine.read(x) for x, affine in pairs]

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """The inner operator's, of words less their zero point: what the inner operator pads with 0 stands for 0."""
        pairs = zip(inputs, self.reads, strict=True)
        return self.inner.units([x if x is None or affine is None else affine.centred(x) for x, affine in pairs])

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """The inner operator's shape, as words or float32."""
        out = self.inner.empty(inputs)
        dtype = self.writes.grid.dtype if self.writes is not None else torch.float32
        return out if out.dtype == dtype else torch.empty(out.shape, dtype=dtype, device=out.device)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """Scale, the inner definition, scale, round and saturate."""
        given = len(self.reads)
        read: list[UnitInput] = [
            m.scale(x.to(torch.float32), affine.scale) if isinstance(x, Tensor) and affine is not None else x
            for x, affine in zip(inputs[:given], self.reads, strict=True)
        ]
        out = self.inner.definition(m, *read, *inputs[given:])
        return out if self.writes is None else m.quantize(m.scale(out, self.writes.factor), self.writes.grid)

    @cached_property
    def _tables(self) -> Tables:
        return Tables()

    def _tabulated(self, numbers: Sequence[Tensor | None]) -> Tensor:
        """What each of the 256 words of the first input becomes, the other inputs single numbers: [256], on the CPU."""
        assert self.reads[0] is not None
        return self._separately([every_octet(self.reads[0].grid.dtype), *numbers], lambda _: None)

    def _separately(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """The inner kernel between two passes."""
        out = self.inner.kernel(self._read(inputs), note)
        if self.writes is None:
            return out
        words, non_finite = write_float(out, self.writes.factor, self.writes.grid)
        if non_finite is not None:
            note(non_finite)
        return words

    def by_table(self, others: Sequence[Tensor | None]) -> bool:
        """Whether each output word depends on one word of the first input alone, given the other inputs."""
        return (
            isinstance(self.inner, Elementwise)
            and self.reads[0] is not None
            and all(
                other is None or (other.numel() == 1 and affine is None)
                for other, affine in zip(others, self.reads[1:], strict=True)
            )
        )

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """A table where each output word depends on one input word alone; else one pass, where a device has it; else
        the inner kernel between two passes.
        """
        x, *others = inputs
        assert x is not None
        if self.by_table(others):
            return look_up(x, self._tables.of(others, x.device, make=self._tabulated))
        found = in_one_pass(self.inner, inputs, reads=self.reads, writes=self.writes)
        if found is None:
            return self._separately(inputs, note)
        out, non_finite = found
        if non_finite is not None:
            note(non_finite)
        return out
