"""What detection found in the products of an application, in one of two forms that give the same.

`Dense` computes every word and every sum, on any machine. `Sparse` follows what faults touch, and costs no more than
that; it supposes that all else is sound. `detected` takes the sparse form where that holds.
"""

from typing import Any, Protocol

from torch import Tensor

from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.audit import audit_total
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.checksums import trusted
from radhard.protection.abft.correcting import Correcting
from radhard.protection.abft.correction import Correction
from radhard.protection.abft.detection import Detection, FlaggedBlocks, Suspects, Width, detect, locate
from radhard.protection.abft.sound import is_followed
from radhard.protection.abft.sparse_audit import audit_total as audit_sparsely
from radhard.protection.abft.sparse_correction import SparseCorrection
from radhard.protection.abft.sparse_detection import SparseSums, SparseSuspects
from radhard.protection.abft.sparse_detection import locate as locate_sparsely
from radhard.protection.abft.sparse_finish import finish, total_of
from radhard.protection.cost.shape import Block


class Detected(Protocol):
    """Products with their detection done: `alarmed` [f] int64 are those with an alarm, and how all are cut."""

    @property
    def alarmed(self) -> Tensor: ...  # noqa: D102

    @property
    def block(self) -> Block: ...  # noqa: D102

    def located(self) -> Correcting[Any]:
        """The blocks of products with an alarm that are faulty, to be corrected."""
        ...

    def as_blocks(self) -> Correcting[Any]:
        """The products with an alarm, each one block, to be corrected."""
        ...

    def audit(self, at: Tensor) -> None:
        """Compare the stored sums over all columns, of products `at` [f], with those over blocks."""
        ...

    def written(self) -> Tensor:
        """The operator's output, as computed."""
        ...


class Dense:
    """All words and all sums."""

    def __init__(self, application: ProtectedApplication, checks: Checks, *, found: Detection) -> None:
        self._application, self._checks, self._found = application, checks, found
        self.alarmed, self.block = found.alarmed, found.block

    def located(self) -> Correction:
        """Every block of these products is checked."""
        return self._correction(locate(self._application, self._checks, found=self._found))

    def as_blocks(self) -> Correction:
        """Each product must sum to what its factors' sums predict."""
        found = self._found
        expected = found.whole[:, None, None, None]
        return self._correction(Suspects(flagged=_whole(self.alarmed), actual=found.tiles, expected=expected))

    def _correction(self, suspects: Suspects) -> Correction:
        return Correction(self._application, self._checks, found=self._found, suspects=suspects)

    def audit(self, at: Tensor) -> None:
        """By adding them up."""
        audit_total(self._application, self._checks, at=at, sums=self._found.right)

    def written(self) -> Tensor:
        """All accumulators are written back."""
        return self._application.write(self._found.total)


class Sparse:
    """What words and sums are off by."""

    def __init__(self, found: SparseSums) -> None:
        self._found = found
        self.alarmed, self.block = found.alarmed, found.block

    def located(self) -> SparseCorrection:
        """The blocks whose sums are off by something else than what they must be."""
        return SparseCorrection(self._found, locate_sparsely(self._found))

    def as_blocks(self) -> SparseCorrection:
        """The products themselves."""
        found = self._found
        suspects = SparseSuspects(flagged=_whole(self.alarmed), actual=found.tiles, expected=found.whole)
        return SparseCorrection(found, suspects)

    def audit(self, at: Tensor) -> None:
        """By the additions that faults hit."""
        audit_sparsely(self._found, at=at)

    def written(self) -> Tensor:
        """The sound output, and in it the words that are off."""
        return finish(self._found, total_of(self._found))


def detected(application: ProtectedApplication, checks: Checks, *, block: Block, width: Width = 32) -> Detected:
    """Compute the products, and check each as a whole."""
    if is_followed(application) and trusted(application, checks, step=block.n):
        return Sparse(SparseSums(application, checks, block=block, width=width))
    return Dense(application, checks, found=detect(application, checks, block=block, width=width))


def _whole(products: Tensor) -> FlaggedBlocks:
    zero = products.new_zeros(len(products))
    return FlaggedBlocks(g=products, i=zero, q=zero, j=zero)
