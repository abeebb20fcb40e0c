"""A table of faults: which bit of the word of which operation flips, at which site, in which image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from radhard.errors import InputError
from radhard.machine import CHECK, KINDS, Cost, Site
from radhard.words import Words

Column = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Flips:
    """Columns [F] int64: `image` (identity), `site` (place in `sites`), `kind` (place in KINDS), `index`, `bit`.

    `index` is the position of the operation in canonical order within its image, site and kind (DESIGN: steps in
    the order of the text, then units row-major, then position within the unit); bit 0 is the least significant.
    """

    sites: tuple[str, ...]
    image: Column
    site: Column
    kind: Column
    index: Column
    bit: Column
    trial: int = 0
    words: Words = field(default_factory=Words)

    def __len__(self) -> int:
        return len(self.image)

    def take(self, chosen: NDArray[np.bool_]) -> "Flips":
        """The flips at the rows where `chosen` [F]."""
        columns = {name: getattr(self, name)[chosen] for name in ("image", "site", "kind", "index", "bit")}
        return Flips(sites=self.sites, trial=self.trial, words=self.words, **columns)

    def only(self, ids: Column) -> "Flips":
        """The flips of these images."""
        return self.take(np.isin(self.image, np.asarray(ids)))

    def per_image(self, ids: Column) -> Column:
        """`ids` [B] -> number of flips [B] of each of these images."""
        order = np.argsort(ids, kind="stable")
        images = np.asarray(ids)[order]
        place = np.searchsorted(images, self.image).clip(max=max(len(images) - 1, 0))
        mine = images[place] == self.image if len(images) else np.zeros(len(self), dtype=bool)
        counts = np.zeros(len(images), dtype=np.int64)
        counts[order] = np.bincount(place[mine], minlength=len(images))
        return counts

    def by_site(self) -> dict[str, "Flips"]:
        """The flips of each site that has any."""
        ascending = bool((self.site[1:] >= self.site[:-1]).all())  # as drawn
        order = np.arange(len(self)) if ascending else np.argsort(self.site, kind="stable")
        bounds = np.searchsorted(self.site[order], np.arange(len(self.sites) + 1))
        found = {}
        for place, name in enumerate(self.sites):
            mine = order[bounds[place] : bounds[place + 1]]
            if len(mine):
                columns = {column: getattr(self, column)[mine] for column in ("image", "kind", "index", "bit")}
                found[name] = Flips(
                    sites=(name,),
                    site=np.zeros(len(mine), np.int64),
                    trial=self.trial,
                    words=self.words,
                    **columns,
                )
        return found

    def check(self, costs: Mapping[Site, Cost]) -> None:
        """Raise InputError for the first row that names a site, an operation or a bit that the program lacks.

        The sites of checks are no part of the program: their rows are checked where they are applied.
        """
        known = {site.name: cost for site, cost in costs.items()}
        limits = np.zeros((2, len(self.sites), len(KINDS)), dtype=np.int64)  # operations; bits of the word
        for place, name in enumerate(self.sites):
            for code, kind in enumerate(KINDS):
                cost = known.get(name)
                word = None if cost is None else cost.word(kind, self.words)
                if cost is not None and word is not None:
                    limits[:, place, code] = cost.operations(kind), word.bits
        operations, bits = limits[:, self.site, self.kind]
        wrong = (self.index < 0) | (self.index >= operations) | (self.bit < 0) | (self.bit >= bits)
        later = np.array([CHECK in name and name not in known for name in self.sites], dtype=bool)
        wrong &= ~later[self.site]
        if wrong.any():
            self._refuse(int(wrong.argmax()), known)

    def _refuse(self, row: int, known: Mapping[str, Cost]) -> None:
        name, kind = self.sites[self.site[row]], KINDS[self.kind[row]]
        if name not in known:
            near = get_close_matches(name, known, n=3) or list(known)[:3]
            raise InputError(
                f"row {row + 1}: site {name!r} is not one of the program's {len(known)}; near ones: {', '.join(near)}"
            )
        operations, word = known[name].operations(kind), known[name].word(kind, self.words)
        if word is None or not 0 <= self.index[row] < operations:
            raise InputError(
                f"row {row + 1}: index {self.index[row]} at site {name!r}: it has {operations} operations of kind "
                f"{kind!r} an image, numbered from 0"
            )
        raise InputError(
            f"row {row + 1}: bit {self.bit[row]} at site {name!r}: a word of kind {kind!r} is {word.name}, bits 0 to "
            f"{word.bits - 1}"
        )
