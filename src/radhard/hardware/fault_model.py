"""The type of a fault model: what exactly one upset an inference hits; of its places in a program; of an upset.

A fault model is a frozen value, one file in `radhard.hardware.fault_models`. An upset is one event in one image, or a
permanent fault of the hardware that this image meets. It is drawn uniformly from all places that the inference of an
image has, and keyed by seed, trial and image alone.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from radhard.errors import InputError
from radhard.machine import Operator, Site
from radhard.program import Program

PlaceRecord = dict[str, str | int]
"""The place of an upset within its site, by names: columns of a table."""


def whole(record: Mapping[str, object], name: str) -> int:
    """The whole number from 0 on in a column of a table, or in its text. InputError for what is none."""
    value = record.get(name)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal() and len(value) < 19:
        return int(value)
    if type(value) is int and 0 <= value < 2**63:
        return value
    said = "(nothing)" if value in (None, "") else repr(value)
    raise InputError(f"{name} {said} is not a whole number from 0 on")


class SingleUpset(Protocol):
    """A frozen value: one event in one image, at one site, or a permanent fault at several."""

    @property
    def image(self) -> int:
        """The identity of the image that is hit."""
        ...

    def strike(
        self, out: Tensor, operator: Operator, inputs: Sequence[Tensor | None], site: Site, *, images: Tensor
    ) -> None:
        """Make the words wrong in `out`, in place: an operator's output for a batch of the `images` [B] int64."""
        ...

    def record(self) -> PlaceRecord:
        """Its place, by names."""
        ...


def detected(upset: SingleUpset) -> bool:
    """Whether an upset says of itself that it is `detected`: that a code stops the inference, which has no answer."""
    return bool(getattr(upset, "detected", False))


UpsetsByImage = dict[int, tuple[str, SingleUpset]]
"""By image, the name of the site that is hit, and the upset; for a permanent fault, what tables have as its site."""


class UpsetPlaces(Protocol):
    """The places in which the inference of an image can be upset: `bits` of them, or bits times cycles."""

    @property
    def bits(self) -> int:
        """How many there are."""
        ...

    def sample(self, images: Sequence[int], *, seed: int, trial: int) -> UpsetsByImage:
        """One of them for each image. InputError for a number out of range."""
        ...

    @property
    def in_copies(self) -> bool:
        """Whether an upset is in the copies that redundancy executes, too, as a fault of their hardware is."""
        ...

    def sites(self, site: str, upset: Any) -> Collection[str]:
        """The names of the sites whose output depends on what is upset: the one that is hit, or all of them."""
        ...

    def words(self, site: str, upset: Any) -> int:
        """How many words of the output depend on what is upset; 0 where that is idle.

        InputError for a place that the site lacks.
        """
        ...

    def told(self, site: str, upset: Any) -> str:
        """What is wrong by it, such as `term 2 of row 1, in columns 6 to 7`; `idle` where nothing depends on it."""
        ...

    def upset(self, site: str, record: Mapping[str, object], *, image: int) -> SingleUpset:
        """The inverse of `SingleUpset.record`. InputError for what is no place of the site."""
        ...


class FaultModel(Protocol):
    """What one upset an inference hits: a frozen value."""

    @property
    def title(self) -> str:
        """In words: `registers of a 16x16 array, output stationary`."""
        ...

    @property
    def stored(self) -> bool:
        """Whether its words lie in memory: they are wrong after all that protects their making, votes among it."""
        ...

    @property
    def unprotected(self) -> str:
        """Why no protection can be measured under it; "" where one can."""
        ...

    def places(self, program: Program, *, sites: Collection[str] | None = None) -> UpsetPlaces:
        """Those of a program's `sites` (None: of all). InputError where there are none."""
        ...


def event_of(model: FaultModel) -> str:
    """What one upset of a fault model is called: the model's `event`, or `upset` where it has none."""
    return str(getattr(model, "event", "upset"))
