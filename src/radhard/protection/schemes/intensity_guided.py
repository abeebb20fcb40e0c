"""Intensity-guided ABFT (Kosaian & Rashmi, SC 2021): standard ABFT, with detection hidden in idle arithmetic units.

A product that waits for memory leaves arithmetic units idle, and its check can run there. `ideal` supposes that all of
detection hides so, for any product and batch: an upper bound on the merit of the scheme. `measured` takes the roofline
of a device: as many operations hide as it could execute while it moves the words of the product, beyond those of the
product itself. Recovery is that of standard ABFT; the original has none.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from torch import Tensor

from radhard.errors import InputError
from radhard.json_record import Least
from radhard.machine import Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.cost.models import Overhead
from radhard.protection.cost.operations import Operations
from radhard.protection.forms import BlockCheck, Form
from radhard.protection.schemes.options import check_options
from radhard.protection.schemes.registry import Spelling, scheme
from radhard.protection.schemes.standard_abft import StandardAbft, detect_whole, recover_one
from radhard.words import Words

Hides = Literal["ideal", "measured"]


@scheme(
    "intensity-guided",
    about="Standard ABFT; detection is assumed to run while the product waits for memory.",
    spellings=(
        Spelling(name="intensity-ideal", fixed={"hides": "ideal"}, called={}),
        Spelling(
            name="intensity-measured",
            fixed={"hides": "measured"},
            defaults={"operations_per_byte": 400.0},
            called={"intensity": "operations_per_byte", "batch": "batch"},
        ),
    ),
    rules={
        "if": {"properties": {"hides": {"const": "measured"}}, "required": ["hides"]},
        "then": {"properties": {"operations_per_byte": {"type": "number"}}, "required": ["operations_per_byte"]},
        "else": {"properties": {"operations_per_byte": {"type": "null"}}},
    },
)
@dataclass(frozen=True, kw_only=True)
class IntensityGuided:
    """`operations_per_byte` is the device's: int8 operations a second over bytes a second (an NVIDIA T4: some 400).

    `batch` is the number of images for which the device moves a weight once. It need not be the batch of a simulation,
    on which nothing depends.
    """

    hides: Annotated[Hides, "Hide all of detection, or as much as a roofline allows."] = "ideal"
    operations_per_byte: Annotated[float | None, Least(0), "Operations per byte; only with measured."] = None
    batch: Annotated[int, Least(1), "Images per load of a weight from memory."] = 1

    def __post_init__(self) -> None:
        check_options(self)
        if (self.hides == "measured") != (self.operations_per_byte is not None):
            raise InputError(
                f"hides={self.hides!r} with operations_per_byte={self.operations_per_byte}: the measured form needs "
                "the number of the device, the ideal one takes none"
            )

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """Standard ABFT, detection in the account as hidden as far as it is."""
        found, x = detect_whole(application, checks), application.products
        checks.hide(self._share(application, checks.account.executed.arithmetic), images=x.sizes[0] // x.pieces)
        return recover_one(checks, found=found)

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead | None:
        """The ideal form: standard ABFT without detection. None of the measured form, which depends on the output."""
        if self.hides == "measured":
            return None
        return replace(StandardAbft().expected(shape, ber=ber, words=words), detection=Operations())

    @property
    def deployed(self) -> Form:
        """Standard ABFT: what runs in idle time is for the device to say."""
        return BlockCheck()

    def _share(self, application: ProtectedApplication, detection: float) -> float:
        """How much of so many operations of detection, all images' together, runs in idle time."""
        if self.operations_per_byte is None:
            return 1.0
        x, shape, write_back = application.products, application.products.shape, application.write_back
        size = 4 if write_back is None else write_back.dtype.itemsize
        weights = x.b.numel() / self.batch if x.stored else x.pieces * shape.k * shape.n
        moved = weights + x.pieces * shape.m * (shape.k + shape.n * size)  # bytes an image
        own = x.pieces * 2 * shape.volume
        idle = max(0.0, moved * self.operations_per_byte - own)
        return min(1.0, idle / (detection * x.pieces / x.sizes[0]))
