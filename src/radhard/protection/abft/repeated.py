"""`Repeated`: an operator that is run several times on the same inputs, and computes once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from radhard.machine import Arithmetic, NoteNonFinite, Operator, UnitInput, Units


@dataclass(frozen=True, kw_only=True, eq=False)
class Repeated(Operator):
    """`whole`, of which every run yields a copy of `words`, and notes the same `masks` of what is not finite."""

    name: ClassVar[str] = "repeated"
    whole: Operator
    words: Tensor
    masks: tuple[Tensor, ...]

    @classmethod
    def of(cls, whole: Operator, inputs: Sequence[Tensor | None]) -> "Repeated":
        """Run `whole` once."""
        masks: list[Tensor] = []
        words = whole.kernel(inputs, masks.append)
        return cls(whole=whole, words=words, masks=tuple(masks))

    @property
    def first_step(self) -> int:  # type: ignore[override]
        """That of the operator."""
        return self.whole.first_step

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        """That of the operator."""
        return self.whole.empty(inputs)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        """Those of the operator."""
        return self.whole.units(inputs)

    def chains(self, inputs: Sequence[Tensor | None], out: Tensor) -> tuple[Any, ...]:
        """Those of the operator."""
        return self.whole.chains(inputs, out)

    def definition(self, m: Arithmetic, *inputs: UnitInput) -> Tensor:
        """That of the operator."""
        return self.whole.definition(m, *inputs)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        """A copy of what it yielded."""
        del inputs
        for mask in self.masks:
            note(mask)
        return self.words.clone()
