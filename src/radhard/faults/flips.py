"""A table of flips: image, site, kind of operation, index of the operation, bit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from radhard.errors import InputError
from radhard.faults.faults import check_words
from radhard.machine import CHECK, KINDS, Cost, Site
from radhard.words import Words

Column = NDArray[np.int64]
COLUMNS = ("image", "site", "kind", "index", "bit")


@dataclass(frozen=True, kw_only=True, eq=False)
class Flips:
    """Columns [F] int64: `image` (identity), `site` (place in `sites`), `kind` (place in KINDS), `index`, `bit`.

    `index` is the position of the operation in canonical order within its image, site and kind: steps in the order of
    the text, then units row-major, then position within the unit. Bit 0 is the least significant. A row is one flip;
    the same row twice is refused where it is applied. Raises InputError for `words` that lose what products hold.

    >>> import numpy as np
    >>> import radhard as rh
    >>> columns = {"image": 0, "site": 0, "kind": 1, "index": 5, "bit": 31}  # bit 31 of sum number 5 at site "head"
    >>> len(rh.Flips(sites=("head",), **{name: np.array([value]) for name, value in columns.items()}))
    1
    """

    sites: tuple[str, ...]
    image: Column
    site: Column
    kind: Column
    index: Column
    bit: Column
    trial: int = 0
    words: Words = field(default_factory=Words)

    def __post_init__(self) -> None:
        check_words(self.words)
        for name in COLUMNS:
            column = getattr(self, name)
            if not isinstance(column, np.ndarray) or column.dtype != np.int64 or column.shape != self.image.shape:
                found = getattr(column, "dtype", type(column).__name__)
                raise InputError(f"flips: {name} is {found} {list(np.shape(column))}; columns are numpy int64 [F]")

    def __len__(self) -> int:
        return len(self.image)

    def take(self, chosen: NDArray[np.bool_] | Column) -> "Flips":
        """The flips at the rows where `chosen` [F], or at rows of these numbers."""
        columns = {name: getattr(self, name)[chosen] for name in COLUMNS}
        return Flips(sites=self.sites, trial=self.trial, words=self.words, **columns)

    def only(self, ids: Column) -> "Flips":
        """The flips of these images."""
        return self.take(np.isin(self.image, np.asarray(ids)))

    def per_image(self, ids: Column) -> Column:
        """`ids` [B] -> number of flips [B] of each of these images."""
        images, which = np.unique(ids, return_inverse=True)  # an identity may stand there twice
        place = np.searchsorted(images, self.image).clip(max=max(len(images) - 1, 0))
        mine = images[place] == self.image if len(images) else np.zeros(len(self), dtype=bool)
        counts: Column = np.bincount(place[mine], minlength=len(images))[which]
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
        self._check_codes()
        known = {site.name: cost for site, cost in costs.items()}
        limits = np.zeros((2, len(self.sites), len(KINDS)), dtype=np.int64)  # operations; bits of the word
        for place, name in enumerate(self.sites):
            for code, kind in enumerate(KINDS):
                cost = known.get(name)
                word = None if cost is None else cost.word(kind, self.words)
                if cost is not None and word is not None:
                    limits[:, place, code] = cost.operations(kind), word.exposed
        operations, bits = limits[:, self.site, self.kind]
        wrong = (self.index < 0) | (self.index >= operations) | (self.bit < 0) | (self.bit >= bits)
        later = np.array([CHECK in name and name not in known for name in self.sites], dtype=bool)
        wrong &= ~later[self.site]
        if wrong.any():
            self._refuse(int(wrong.argmax()), known)

    def _check_codes(self) -> None:
        for name, column, count in (("site", self.site, len(self.sites)), ("kind", self.kind, len(KINDS))):
            if len(column) and not 0 <= int(column.min()) <= int(column.max()) < count:
                row = int(((column < 0) | (column >= count)).argmax())
                raise InputError(f"row {row + 1}: {name} {column[row]} is the place of none of {count}")

    def check_unprotected(self) -> None:
        """Raise InputError for the first row at a site of a check: without protection it would hit nothing."""
        checks = np.array([CHECK in name for name in self.sites], dtype=bool)[self.site]
        if checks.any():
            row, site = int(checks.argmax()), self.sites[self.site[checks.argmax()]]
            raise InputError(
                f"row {row + 1}: site {site!r} is a check of {site.split(CHECK)[0]!r}, and nothing is protected here: "
                f"{int(checks.sum())} rows would hit nothing; take them out, or replay on a protected machine"
            )

    def check_images(self, ids: Column) -> None:
        """Raise InputError for the first row of an image that is none of `ids` [B]: it would hit nothing."""
        if not (known := np.isin(self.image, ids)).all():
            row = int((~known).argmax())
            raise InputError(
                f"row {row + 1}: image {self.image[row]} is none of the {len(ids)} images of this run: "
                f"{int((~known).sum())} rows would hit nothing; give ids=, or the flips of these images, .only(ids)"
            )

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
            f"{word.exposed - 1}"
        )
