"""`ChecksumCache`: checksums of weights, computed once while a weight is trusted, and kept from run to run."""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from torch import Tensor

Stored = TypeVar("Stored")


class ChecksumCache:
    """Of each site one value: it is made anew for another weight, and for another scheme or block of the same."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Tensor, Hashable, object]] = {}

    def __getitem__(self, site: str) -> object:
        """What is stored for a site. KeyError where nothing is."""
        return self._kept[site][2]

    def kept(self, site: str, weight: Tensor, *, key: Hashable, make: Callable[[], Stored]) -> Stored:
        """What is stored of this `weight` at `site` under `key`; what `make` gives if there is no such thing."""
        own, kind, value = self._kept.get(site, (None, None, None))
        if own is not weight or kind != key:
            value = make()
            self._kept[site] = (weight, key, value)
        return cast("Stored", value)
