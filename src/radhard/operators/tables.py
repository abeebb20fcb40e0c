"""A cache of look-up tables for functions of one 8-bit word, per device and scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

TableNumbers = Sequence[Tensor | None]


@dataclass(eq=False)
class Tables:
    """Tables [256] by device and by numbers.

    To read numbers that lie on a device is to wait for it: those of the last use are known by themselves.
    """

    _known: dict[tuple[torch.device, tuple[float | None, ...]], Tensor] = field(default_factory=dict)
    _last: dict[torch.device, tuple[list[Tensor | None], list[int], Tensor]] = field(default_factory=dict)

    def of(self, numbers: TableNumbers, device: torch.device, *, make: Callable[[TableNumbers], Tensor]) -> Tensor:
        """The table for `numbers` [] on `device`; `make` computes it on the CPU where it is new."""
        if all(x is None or x.is_cpu for x in numbers):
            return self._of_values(numbers, device, make)
        versions = [0 if x is None or x.is_inference() else x._version for x in numbers]
        before, versions_before, table = self._last.get(device, ([], [], torch.empty(0)))
        same = len(before) == len(numbers) and all(a is b for a, b in zip(before, numbers, strict=True))
        if not same or versions != versions_before:
            table = self._of_values([None if x is None else x.cpu() for x in numbers], device, make)
            self._last[device] = (list(numbers), versions, table)
        return table

    def _of_values(self, numbers: TableNumbers, device: torch.device, make: Callable[[TableNumbers], Tensor]) -> Tensor:
        key = (device, tuple(None if x is None else float(x) for x in numbers))
        if key not in self._known:
            self._known[key] = make(numbers).to(device)
        return self._known[key]
