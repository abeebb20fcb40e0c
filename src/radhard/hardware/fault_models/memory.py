"""Upsets of memory: cells of stored words, wrong whenever they are read in the inference of an image."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from radhard.errors import InputError
from radhard.hardware.cell_shapes import SINGLE, CellShapes
from radhard.hardware.fault_models.cell_places import CellPlaces
from radhard.hardware.fault_models.image_places import image_words_of
from radhard.hardware.fault_models.output_words import OutputUpsets
from radhard.hardware.fault_models.registry import LATER, fault_model
from radhard.hardware.fault_models.seen_words import words_of
from radhard.hardware.fault_models.stored_places import StoredPlaces
from radhard.hardware.machine import check_sites
from radhard.hardware.memory_code import Ecc
from radhard.hardware.output_upset import OutputUpset
from radhard.hardware.stored_weight_upset import StoredWeightUpset
from radhard.hardware.word_memory import WordMemory
from radhard.hardware.word_upset import WordArray
from radhard.program import Program

StoredWords = Literal["weights", "activations", "inputs"]
_WHAT: Mapping[StoredWords, str] = {
    "weights": "stored weights of convolutions and linear layers",
    "activations": "stored activations",
    "inputs": "stored words of the image",
}


@fault_model("memory", about="words in memory: weights of layers, activations between operators, or the image")
@dataclass(frozen=True, kw_only=True)
class MemoryUpsets:
    """One event upsets cells of stored words before they are read, and they stay so to the end of an inference.

    `what`: `weights` of convolutions and linear layers, which all outputs of a column or channel read; `activations`,
    the words that operators write for others; `inputs`, the words of the image.
    `cells`: which cells around the one that is drawn, one alone by default. `line` words lie on a line of cells,
    `interleave` memory words of them bit by bit; memory words are words, or codewords of the code `ecc`.

    >>> import radhard as rh
    >>> rh.MemoryUpsets().title
    'stored weights of convolutions and linear layers'
    >>> rh.MemoryUpsets(what="inputs", cells=rh.read_cell_shapes("pair"), interleave=4).title
    'stored words of the image, cells pair, lines of 64 words, 4 interleaved'
    """

    stored: ClassVar[bool] = True
    what: StoredWords = "weights"
    cells: CellShapes = field(default=SINGLE, metadata=LATER)
    line: int = field(default=64, metadata=LATER)
    interleave: int = field(default=1, metadata=LATER)
    ecc: Ecc = field(default="none", metadata=LATER)

    def __post_init__(self) -> None:
        for name, known in (("what", get_args(StoredWords)), ("ecc", get_args(Ecc))):
            if getattr(self, name) not in known:
                raise InputError(f"{name}={getattr(self, name)!r} is not known; choose from {', '.join(known)}")
        given: Any = self.cells
        if not isinstance(given, CellShapes):
            raise InputError(f"cells={given!r}: give radhard.read_cell_shapes({given!r})")
        for name in ("line", "interleave"):
            value: Any = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputError(f"{name}={value!r}: give a whole number of words from 1 on")
        if self.ecc == "none" and self.line % self.interleave:
            raise InputError(
                f"line={self.line}: a line holds whole groups of {self.interleave} words; give a multiple of it, or "
                "another interleave"
            )

    @property
    def title(self) -> str:
        """`stored weights of convolutions and linear layers`, and how they lie where that is not the default."""
        if self._words_alone:
            return _WHAT[self.what]
        parts = [_WHAT[self.what], f"cells {self.cells.name}", f"lines of {self.line} words"]
        parts += [f"{self.interleave} interleaved"] * (self.interleave > 1)
        parts += [self.ecc] * (self.ecc != "none")
        return ", ".join(parts)

    @property
    def unprotected(self) -> str:
        """Why no protection is measured under it; "" where one is."""
        return "a repair would read the same wrong weight again" if self.what == "weights" else ""

    @property
    def _words_alone(self) -> bool:
        """Whether it does not matter how words lie: an event is of one cell, which no code protects."""
        return self.cells == SINGLE and self.ecc == "none"

    def places(self, program: Program, *, sites: Collection[str] | None = None) -> StoredPlaces | CellPlaces:
        """All words that are stored, of activations those of one image. InputError where there are none.

        And for lines that do not hold whole groups of memory words.
        """
        check_sites(sites, program.costs)
        words = _words(self.what, program, sites)
        kind = StoredWeightUpset if self.what == "weights" else OutputUpset
        if self._words_alone:
            return StoredPlaces(of=words, kind=kind)
        memories = {
            name: WordMemory(words=each, line=self.line, interleave=self.interleave, ecc=self.ecc)
            for name, each in words.items()
        }
        return CellPlaces(of=memories, kind=kind, shapes=self.cells)


def _words(what: StoredWords, program: Program, sites: Collection[str] | None) -> Mapping[str, WordArray]:
    if what == "activations":
        return OutputUpsets(of="operators").places(program, sites=sites).of
    if what == "inputs":
        return image_words_of(program, sites=sites)
    found = words_of(program)
    chosen = {name: words for name, words in found.weights.items() if sites is None or name in sites}
    for one, other in found.shared.items():
        if one in chosen or other in chosen:
            raise InputError(
                f"sites {other!r} and {one!r} read one weight: an upset of it would be of both, which is not "
                "modelled; select other sites"
            )
    if not chosen:
        raise InputError("none of the sites is a convolution or a linear layer, which have weights: select others")
    return chosen
