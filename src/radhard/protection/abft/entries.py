"""Numbers of the pieces of images that a check runs over, which address the faults of its operations."""

from dataclasses import dataclass, replace

from torch import Tensor

from radhard.machine.matrices import Matrices
from radhard.machine.site import Column


@dataclass(frozen=True, kw_only=True, eq=False)
class Entries:
    """The first axis of a check: piece `piece[f]` of `pieces` of the image in slot `slot[f]`, columns [F] int64."""

    slot: Column
    piece: Column
    pieces: int

    @classmethod
    def of(cls, products: Matrices) -> "Entries":
        """Matrix products, each an entry."""
        return cls(slot=products.slot, piece=products.piece, pieces=products.pieces)

    def __len__(self) -> int:
        return len(self.slot)

    def only(self, index: Tensor) -> "Entries":
        """Those at `index` [f]."""
        at = index.cpu().numpy()
        return Entries(slot=self.slot[at], piece=self.piece[at], pieces=self.pieces)

    def inner(self, index: Tensor, number: Tensor, count: int) -> "Entries":
        """Entry `index` [f] falls into `count` finer ones, of which these are `number` [f]."""
        chosen = self.only(index)
        return replace(chosen, piece=chosen.piece * count + number.cpu().numpy(), pieces=self.pieces * count)
