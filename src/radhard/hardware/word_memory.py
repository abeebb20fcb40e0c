"""Words in a memory of cells: how they lie on its lines, and what is read of them once cells are flipped.

A memory word is what is read at once: a word, or with a code a codeword of 64 data bits and its check bits. Words are
counted row by row of their tensor; line after line holds `line` of them, in groups of `interleave` memory words. In its
group, bit b of memory word w lies at column b interleave + w, so that neighbours along a line are bits of different
memory words; with `interleave` 1 they are bits of one. The data bits of a codeword are those of its words, the first
word first and of each the least significant bit first; then come the check bits. The last codeword of a tensor is
filled up with words that nobody reads.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from radhard.errors import InputError
from radhard.hardware.memory_code import CHECK, DATA, Ecc, read_codeword
from radhard.hardware.word_upset import WordArray

MemoryCell = tuple[int, int]
"""A memory word, and a bit of it."""


@dataclass(frozen=True, kw_only=True)
class WordMemory:
    """The memory of `words`: `line` of them on a line, `interleave` memory words bit by bit, with the code `ecc`.

    InputError where a line does not hold whole groups.

    >>> import torch
    >>> from radhard.hardware import WordArray, WordMemory
    >>> words = WordArray(dtype=torch.int8, shape=(4, 32))
    >>> memory = WordMemory(words=words, line=64, interleave=4)
    >>> memory.neighbours((0, 0), [(0, 0), (1, 0), (0, 1)])  # along the line, and one line further
    [(0, 0), (1, 0), (64, 0)]
    """

    words: WordArray
    line: int = 64
    interleave: int = 1
    ecc: Ecc = "none"

    def __post_init__(self) -> None:
        if self.interleave < 1:
            raise InputError(f"interleave={self.interleave}: so many words lie bit by bit; give 1 or more")
        if self.line < 1 or self.line % (self.interleave * self.per_word):
            of = "words" if self.per_word == 1 else f"codewords of {self.per_word} words"
            raise InputError(
                f"line={self.line}: a line holds whole groups of {self.interleave} {of}; give a multiple of "
                f"{self.interleave * self.per_word}, or another interleave"
            )

    @property
    def per_word(self) -> int:
        """Words of the tensor that a memory word holds."""
        return 1 if self.ecc == "none" else DATA // self.words.width

    @property
    def width(self) -> int:
        """Cells of a memory word."""
        return self.per_word * self.words.width + CHECK[self.ecc]

    @property
    def count(self) -> int:
        """Memory words."""
        return -(-self.words.count // self.per_word)

    def column(self, cell: MemoryCell) -> tuple[int, int]:
        """The line of a cell, and its column there."""
        word, bit = cell
        line, place = divmod(word, self.line // self.per_word)
        group, within = divmod(place, self.interleave)
        return line, (group * self.width + bit) * self.interleave + within

    def cell(self, line: int, column: int) -> MemoryCell | None:
        """The cell at a column of a line; None outside the memory."""
        at_once = self.line // self.per_word
        if line < 0 or not 0 <= column < at_once * self.width:
            return None
        above, within = divmod(column, self.interleave)
        group, bit = divmod(above, self.width)
        word = line * at_once + group * self.interleave + within
        return (word, bit) if word < self.count else None

    def neighbours(self, cell: MemoryCell, shape: Iterable[tuple[int, ...]]) -> list[MemoryCell]:
        """The cells of a shape, (dx, dy) each, around a cell: those that the memory has."""
        line, column = self.column(cell)
        found = (self.cell(line + dy, column + dx) for dx, dy in shape)
        return [each for each in found if each is not None]

    def read(self, flipped: Iterable[MemoryCell]) -> Mapping[int, int] | None:
        """The bits that are read wrong: by the word of the tensor, their mask; None where an error is detected."""
        by_word: dict[int, set[int]] = {}
        for word, bit in flipped:
            by_word.setdefault(word, set()).add(bit)
        masks: dict[int, int] = {}
        for word, bits in by_word.items():
            wrong = frozenset(bits) if self.ecc == "none" else read_codeword(bits, self.ecc)
            if wrong is None:
                return None
            for bit in wrong:
                place, low = divmod(bit, self.words.width)
                at = word * self.per_word + place
                if place < self.per_word and at < self.words.count:
                    masks[at] = masks.get(at, 0) | 1 << low
        return masks
