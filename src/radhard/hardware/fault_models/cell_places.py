"""The cells of a memory an event of which upsets several: all cells of the words of all sites, by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from radhard.errors import InputError
from radhard.hardware.cell_shapes import CellShapes
from radhard.hardware.cell_upset import CellUpset, read_shape
from radhard.hardware.fault_model import UpsetsByImage, whole
from radhard.hardware.fault_models.stored_places import bits_drawn
from radhard.hardware.output_upset import OutputUpset
from radhard.hardware.stored_weight_upset import StoredWeightUpset
from radhard.hardware.word_memory import WordMemory


@dataclass(frozen=True, kw_only=True)
class CellPlaces:
    """All cells of the memories `of` each site, by its name, upset in one of the `shapes`; `kind`: of which words."""

    in_copies: ClassVar[bool] = False
    of: Mapping[str, WordMemory]
    kind: type[OutputUpset | StoredWeightUpset]
    shapes: CellShapes

    @property
    def bits(self) -> int:
        """Cells."""
        return sum(memory.count * memory.width for memory in self.of.values())

    def sample(self, images: Sequence[int], *, seed: int, trial: int = 0) -> UpsetsByImage:
        """One for each image: a cell, uniform, and a shape around it."""
        sizes = {name: (memory.count, memory.width) for name, memory in self.of.items()}
        drawn = bits_drawn(sizes, of=self.kind, images=images, seed=seed, trial=trial)
        return {
            image: (name, self._upset(name, word, bit, shape=self.shapes.at(rest), image=image))
            for image, name, word, bit, rest in drawn
        }

    def sites(self, site: str, upset: CellUpset) -> tuple[str, ...]:
        """The one whose words are read wrong; none where all cells are lost, corrected or detected."""
        return (site,) if upset.masks else ()

    def words(self, site: str, upset: CellUpset) -> int:
        """The words that are read wrong; of a detected error those of the memory words that are hit."""
        del site
        if upset.detected:
            return upset.memory.per_word * len({word for word, _ in upset.cells})
        return len(upset.masks)

    def told(self, site: str, upset: CellUpset) -> str:
        """`bit 3 of word [0, 5], bit 3 of word [1, 5]`, `corrected`, `detected: no answer`, or `idle`: not read."""
        del site
        if upset.detected:
            return "detected: no answer"
        if not upset.masks:
            alone = len({word for word, _ in upset.cells}) == len(upset.cells)
            return "corrected" if upset.memory.ecc == "secded" and alone else "idle"
        bits = (
            (word, bit) for word, mask in upset.masks.items() for bit in range(mask.bit_length()) if mask >> bit & 1
        )
        words = upset.memory.words
        return ", ".join(f"bit {bit} of word {list(words.place(word))}" for word, bit in bits)

    def upset(self, site: str, record: Mapping[str, object], *, image: int) -> CellUpset:
        """An upset by the columns of a table."""
        if site not in self.of:
            raise InputError(f"site {site!r} has no such word; those that have: {', '.join(self.of)}")
        shape = read_shape(record.get("shape"))
        return self._upset(site, whole(record, "word"), whole(record, "bit"), shape=shape, image=image)

    def _upset(self, site: str, word: int, bit: int, *, shape: tuple[tuple[int, ...], ...], image: int) -> CellUpset:
        return CellUpset(memory=self.of[site], kind=self.kind, word=word, bit=bit, shape=shape, image=image)
