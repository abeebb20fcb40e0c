"""What recovery asks of the products that it puts right, however these are computed.

`Correction` has every word of a faulty block; `SparseCorrection` what its words are off by. Both count the same
operations, and give the same words and events.
"""

from collections.abc import Iterator
from typing import Protocol, Self, TypeVar

from torch import Tensor

from radhard.protection.abft.checks import Checks
from radhard.protection.abft.detection import FlaggedBlocks
from radhard.protection.abft.entries import Entries

WordPlaces = tuple[Tensor, Tensor, Tensor]  # of words: block [e], row and column [e] in it
RowPlaces = tuple[Tensor, Tensor]  # of rows: block or product [e], and row in it [e]


class Blocks(Protocol):
    """Faulty blocks [f], all with h rows and w columns; `at` says where they are."""

    @property
    def at(self) -> FlaggedBlocks: ...  # noqa: D102

    @property
    def entries(self) -> Entries: ...  # noqa: D102

    @property
    def h(self) -> int: ...  # noqa: D102

    @property
    def w(self) -> int: ...  # noqa: D102

    @property
    def sizes(self) -> str:
        """Their sizes along m, k and n, as the sites of their checks have them."""
        ...

    def __len__(self) -> int: ...

    def only(self, index: Tensor) -> Self:
        """Those at `index` [f]."""
        ...


Own = TypeVar("Own", bound=Blocks)


class Correcting(Protocol[Own]):
    """The products of one application, put right in the flagged blocks."""

    @property
    def checks(self) -> Checks: ...  # noqa: D102

    @property
    def flagged(self) -> FlaggedBlocks: ...  # noqa: D102

    def off(self) -> Tensor:
        """What the sums of the flagged blocks are off by [f] int64."""
        ...

    def narrow(self, index: Tensor) -> None:
        """Flag blocks `index` [f] of the flagged ones alone."""
        ...

    def blocks(self) -> Iterator[Own]:
        """The blocks that are flagged, those of equal sizes together."""
        ...

    def rows(self, label: str, blocks: Own) -> tuple[Tensor, Tensor]:
        """What the sums of the rows [f, h] are off by, and what they must be."""
        ...

    def columns(self, label: str, blocks: Own) -> tuple[Tensor, Tensor]:
        """What the sums of the columns [f, w] are off by, and what they must be."""
        ...

    def recheck(self, label: str, blocks: Own) -> Tensor:
        """Which of the blocks [f] do not sum to what they must."""
        ...

    def still_off(self, name: str, blocks: Own, at: RowPlaces, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Which of rows `at` [e] are off still, and by how much; `wanted` [f, h] is as `rows` gave it."""
        ...

    def weighted_off(self, name: str, blocks: Own, at: RowPlaces, weights: Tensor, stored: Tensor) -> Tensor:
        """What sums of rows `at` [e], weighted by `weights` [w, 2], are off by [e, 2].

        They must be what `stored` sums [h, j, 2, terms] of the weight say.
        """
        ...

    def correct(self, label: str, blocks: Own, at: WordPlaces, delta: Tensor) -> None:
        """Take from words `at` [e] of the blocks their `delta`."""
        ...

    def recompute(self, label: str, blocks: Own, at: WordPlaces) -> None:
        """Compute words `at` [e] of the blocks again from their factors."""
        ...

    def recompute_rows(self, name: str, blocks: Own, at: RowPlaces) -> Tensor:
        """Compute rows `at` [e] again -> which of them [e] changed."""
        ...

    def audit(self, blocks: Own, index: Tensor) -> None:
        """Compare the stored sums of blocks `index` [f] with their weights: a mismatch had no other cause."""
        ...

    def written(self) -> Tensor:
        """The operator's output."""
        ...
