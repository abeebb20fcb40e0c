"""The module that users deploy: a model's inputs and outputs, its checks, and what they found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from radhard.deploy.body import Body
from radhard.deploy.products import CheckedProduct
from radhard.errors import FaultError, InputError
from radhard.ops import EVENTS, examine


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """What was found at a site in one call; the numbers are those of `radhard.ops.library`."""

    site: str
    flagged: int
    repaired: int
    unfounded: int
    stale: int
    left: int


OnAlarm = Callable[[Alarm], None]


class Hardened(nn.Module):
    """Images [B, *input_shape] float32 -> logits [B, classes] float32.

    Each protected site counts its events over all calls in a buffer of its own, [7] int64 in the order of
    `radhard.ops.EVENTS`, which is saved and exported with the module. `on_alarm` is called after a call in which a site
    raised an alarm, once for each such site; it stays behind when the module is exported or compiled.
    """

    def __init__(self, body: Body, *, name: str, input_shape: tuple[int, ...], on_alarm: OnAlarm | None = None) -> None:
        super().__init__()
        self.body = body.module
        self.sites = tuple(body.events)
        self._places = tuple(body.events.values())
        self.name = name
        self.input_shape = input_shape
        self.on_alarm = on_alarm

    def forward(self, images: Tensor) -> Tensor:
        """Logits. Raises InputError for images of another shape or type, FaultError as the policy says."""
        if images.ndim != 1 + len(self.input_shape) or tuple(images.shape[1:]) != self.input_shape:
            expected = ", ".join(["B", *map(str, self.input_shape)])
            raise InputError(
                f"images have shape {list(images.shape)}; {self.name} takes [{expected}]: resize the images"
            )
        if images.dtype != torch.float32:
            raise InputError(f"images are {images.dtype}; convert them with images.float() and normalise them")
        if self.on_alarm is not None and not torch.compiler.is_compiling():
            return self._heard(images, self.on_alarm)
        logits: Tensor = self.body(images)
        return logits

    def _heard(self, images: Tensor, on_alarm: OnAlarm) -> Tensor:
        """Logits; alarms are told of even where one of them ends in FaultError."""
        before = self.counters
        try:
            logits: Tensor = self.body(images)
        finally:
            self._tell(self.counters - before, on_alarm)
        return logits

    @property
    def counters(self) -> Tensor:
        """[sites, 7] int64: how often each event happened since they were reset."""
        counters = self._counters()
        return torch.stack(counters) if counters else torch.zeros(0, len(EVENTS), dtype=torch.int64)

    def _counters(self) -> list[Tensor]:
        return [self.body.get_buffer(place) for place in self._places]

    def _tell(self, happened: Tensor, on_alarm: OnAlarm) -> None:
        for place in happened[:, EVENTS.index("alarms")].nonzero()[:, 0].tolist():
            counts = dict(zip(EVENTS, happened[place].tolist(), strict=True))
            del counts["checked"], counts["alarms"]
            on_alarm(Alarm(site=self.sites[place], **counts))

    def counts(self) -> dict[str, Mapping[str, int]]:
        """Name of each protected site -> how often each event happened since the counters were reset."""
        return {
            site: dict(zip(EVENTS, row, strict=True))
            for site, row in zip(self.sites, self.counters.tolist(), strict=True)
        }

    def reset(self) -> None:
        """Count from zero."""
        for counter in self._counters():
            counter.zero_()

    def scrub(self) -> dict[str, str]:
        """Look through all stored weights and sums that are protected, and set right in place what changed.

        -> the sites where something did: "mended", a word of a weight or its bias; "sums", what it is checked by.
        Raises FaultError for a weight that changed in more places than can be told apart; the others are set right
        before.
        """
        found: dict[str, str] = {}
        lost: list[str] = []
        for step in self.body.modules():
            if not isinstance(step, CheckedProduct):
                continue
            for stored in step.stored():
                verdict, truth = examine(stored)
                if verdict == "lost":
                    lost.append(step.recourse.site)
                elif verdict != "sound":
                    found[step.recourse.site] = verdict
                    for name in ("weight", "bias", "columns", "rows"):
                        getattr(stored, name).copy_(getattr(truth, name))
        if lost:
            raise FaultError(
                f"site {lost[0]!r} and {len(lost) - 1} others: the stored weight changed in more places than can be "
                "told apart: load the model again, from storage that is trusted"
            )
        return found
