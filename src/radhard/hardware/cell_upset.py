"""An upset of neighbouring cells of a memory: the words that it makes wrong, as a read gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from radhard.errors import InputError
from radhard.hardware.cell_shapes import Cells
from radhard.hardware.fault_model import PlaceRecord
from radhard.hardware.output_upset import OutputUpset
from radhard.hardware.stored_weight_upset import StoredWeightUpset
from radhard.hardware.word_memory import WordMemory
from radhard.machine import Operator, Site


@dataclass(frozen=True, kw_only=True)
class CellUpset:
    """The cells of a `shape` around bit `bit` of memory word `word` of `memory` flip in the inference of `image`.

    `kind`: what one wrong word is. Cells outside the memory are lost. InputError for a cell that the memory lacks.

    >>> import torch
    >>> from radhard.hardware import CellUpset, OutputUpset, WordArray, WordMemory
    >>> memory = WordMemory(words=WordArray(dtype=torch.int8, shape=(4, 32)), interleave=4, ecc="secded")
    >>> upset = CellUpset(memory=memory, kind=OutputUpset, word=0, bit=7, shape=((0, 0), (1, 0)))
    >>> upset.masks, upset.detected  # a bit of each of two codewords
    ({}, False)
    """

    memory: WordMemory
    kind: type[OutputUpset | StoredWeightUpset]
    word: int
    bit: int
    shape: Cells
    image: int = 0

    def __post_init__(self) -> None:
        for name, value, limit in (("word", self.word, self.memory.count), ("bit", self.bit, self.memory.width)):
            if not 0 <= value < limit:
                raise InputError(
                    f"{name} {value}: the memory has {self.memory.count} words of {self.memory.width} cells; {name}s "
                    f"are counted from 0 to {limit - 1}"
                )

    @cached_property
    def cells(self) -> list[tuple[int, int]]:
        """The memory words and bits of the cells that flip."""
        return self.memory.neighbours((self.word, self.bit), self.shape)

    @property
    def masks(self) -> Mapping[int, int]:
        """By the word of the tensor, row by row, the bits that are wrong in what is read; none where it is detected."""
        return self._read or {}

    @property
    def detected(self) -> bool:
        """Whether the code detects an error that it does not correct: the inference stops and has no answer."""
        return self._read is None

    @cached_property
    def _read(self) -> Mapping[int, int] | None:
        return self.memory.read(self.cells)

    def record(self) -> PlaceRecord:
        """The cell that is drawn, and the shape around it, such as `0,0 0,1`."""
        return {"word": self.word, "bit": self.bit, "shape": " ".join(f"{dx},{dy}" for dx, dy in self.shape)}

    def strike(
        self, out: Tensor, operator: Operator, inputs: Sequence[Tensor | None], site: Site, *, images: Tensor
    ) -> None:
        """Make the words wrong, in place: in `out`, or in the weight that it is computed of."""
        if self.masks:
            self.kind.strike_words(
                out, operator, inputs, site, words=self.memory.words, masks=self.masks, image=self.image, images=images
            )


def read_shape(value: object) -> Cells:
    """The inverse of what `record` says of a shape. InputError for what is none."""
    try:
        shape = tuple(tuple(map(int, cell.split(","))) for cell in str(value or "").split())
    except ValueError:
        shape = ()
    if not shape or any(len(cell) != 2 for cell in shape) or len(set(shape)) < len(shape):
        raise InputError(f"shape {str(value)!r} is none; write cells dx,dy behind blanks, such as 0,0 0,1")
    return shape
