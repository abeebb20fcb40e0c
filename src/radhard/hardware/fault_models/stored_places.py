"""The words of an inference one bit of which is upset: all bits of all of them, by the names of their sites."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

from radhard.errors import InputError
from radhard.hardware.fault_model import UpsetsByImage, whole
from radhard.hardware.output_upset import OutputUpset
from radhard.hardware.positions import WORDS, positions_and_rest
from radhard.hardware.stored_weight_upset import StoredWeightUpset
from radhard.hardware.word_upset import WordArray


@dataclass(frozen=True, kw_only=True)
class StoredPlaces:
    """All bits of the words `of` each site, by its name; `kind` is what an upset of them is."""

    in_copies: ClassVar[bool] = False
    of: Mapping[str, WordArray]
    kind: type[OutputUpset | StoredWeightUpset]

    @property
    def bits(self) -> int:
        """Bits."""
        return sum(words.count * words.width for words in self.of.values())

    def sample(self, images: Sequence[int], *, seed: int, trial: int = 0) -> UpsetsByImage:
        """One for each image: sites in their order, the words of each row by row, the bits of each from the least."""
        sizes = {name: (words.count, words.width) for name, words in self.of.items()}
        drawn = bits_drawn(sizes, of=self.kind, images=images, seed=seed, trial=trial)
        return {
            image: (name, self.kind(words=self.of[name], word=word, bit=bit, image=image))
            for image, name, word, bit, _ in drawn
        }

    def sites(self, site: str, upset: OutputUpset | StoredWeightUpset) -> tuple[str, ...]:
        """The one that is hit."""
        del upset
        return (site,)

    def words(self, site: str, upset: OutputUpset | StoredWeightUpset) -> int:
        """One: it is always read."""
        del site, upset
        return 1

    def told(self, site: str, upset: OutputUpset | StoredWeightUpset) -> str:
        """`bit 31 of word [1, 0, 6]`."""
        del site
        return f"bit {upset.bit} of word {list(upset.place)}"

    def upset(self, site: str, record: Mapping[str, object], *, image: int) -> OutputUpset | StoredWeightUpset:
        """An upset by the columns of a table."""
        if site not in self.of:
            raise InputError(f"site {site!r} has no such word; those that have: {', '.join(self.of)}")
        return self.kind(words=self.of[site], word=whole(record, "word"), bit=whole(record, "bit"), image=image)


def bits_drawn(
    sizes: Mapping[str, tuple[int, int]],
    *,
    of: type[OutputUpset | StoredWeightUpset],
    images: Sequence[int],
    seed: int,
    trial: int,
) -> Iterator[tuple[int, str, int, int, int]]:
    """For each image a site, a word and a bit of it, uniform over all bits, and a number below 2^64 for what remains.

    `sizes`: words and bits of a word, by the names of sites. Events of one cell and of several meet the same bits.
    """
    ends, names = list(accumulate(count * width for count, width in sizes.values())), list(sizes)
    what = "weights" if of is StoredWeightUpset else "outputs"
    text = "\n".join([what, *(f"{name} {count} {width}" for name, (count, width) in sizes.items())])
    for image, number, rest in positions_and_rest(ends[-1], text, stream=WORDS, images=images, seed=seed, trial=trial):
        place = bisect_right(ends, number)
        word, bit = divmod(number - (ends[place - 1] if place else 0), sizes[names[place]][1])
        yield image, names[place], word, bit, rest
