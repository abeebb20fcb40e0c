"""Intensity-guided ABFT (Kosaian & Rashmi, SC 2021), as Xue et al. compare with it: detection in idle time.

A product that waits for memory leaves arithmetic units idle, and its check can run there. `ideal` supposes that all of
detection hides so, for any product and batch: an upper bound on the merit of the scheme. `measured` takes the roofline
of a device: as many operations hide as it could execute while it moves the words of the product, beyond those of the
product itself. Recovery is that of standard ABFT; the original has none.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from radhard.errors import InputError
from radhard.protection.abft.application import Work
from radhard.protection.schemes.standard_abft import detect_whole, recover_one

Hides = Literal["ideal", "measured"]


@dataclass(frozen=True, kw_only=True)
class IntensityGuided:
    """`operations_per_byte` is the device's: int8 operations a second over bytes a second (an NVIDIA T4: some 400).

    `batch` is the number of images for which the device moves a weight once. It need not be the batch of a simulation,
    on which nothing depends.
    """

    hides: Hides = "ideal"
    operations_per_byte: float | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        if self.hides not in get_args(Hides):
            raise InputError(f"hides={self.hides!r} is not known; choose from {', '.join(get_args(Hides))}")
        if (self.hides == "measured") != (self.operations_per_byte is not None):
            raise InputError(
                f"hides={self.hides!r} with operations_per_byte={self.operations_per_byte}: the measured form needs "
                "the number of the device, the ideal one takes none"
            )
        if self.operations_per_byte is not None and not 0 <= self.operations_per_byte < math.inf:
            raise InputError(f"operations_per_byte={self.operations_per_byte}: give a finite number from 0 on")
        if self.batch < 1:
            raise InputError(f"batch={self.batch}: weights are moved for 1 image or more")

    def protect(self, work: Work) -> Tensor:
        """Standard ABFT, detection in the account as hidden as far as it is."""
        found, x = detect_whole(work), work.products
        work.checks.hide(self._share(work, work.checks.account.executed.arithmetic), images=len(x.a) // x.pieces)
        return recover_one(work, found)

    def _share(self, work: Work, detection: float) -> float:
        """How much of so many operations of detection, all images' together, runs in idle time."""
        if self.operations_per_byte is None:
            return 1.0
        x, shape, write_back = work.products, work.products.shape, work.write_back
        size = 4 if write_back is None else write_back.dtype.itemsize
        weights = x.b.numel() / self.batch if x.stored else x.pieces * shape.k * shape.n
        moved = weights + x.pieces * shape.m * (shape.k + shape.n * size)  # bytes an image
        own = x.pieces * 2 * shape.volume
        idle = max(0.0, moved * self.operations_per_byte - own)
        return min(1.0, idle / (detection * x.pieces / len(x.a)))
