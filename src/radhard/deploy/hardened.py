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

    `counters` [sites, 7] int64 count the events of each of `sites`, in the order of `radhard.ops.EVENTS`, over all
    calls; they are saved and exported with the module. `on_alarm` is called after a call in which a site raised an
    alarm, once for each such site; it stays behind when the module is exported or compiled.
    """

    counters: Tensor

    def __init__(self, body: Body, *, name: str, input_shape: tuple[int, ...], on_alarm: OnAlarm | None = None) -> None:
        super().__init__()
        self.body = body.module
        self.sites = body.sites
        self.name = name
        self.input_shape = input_shape
        self.on_alarm = on_alarm
        self.register_buffer("counters", torch.zeros(len(body.sites), len(EVENTS), dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        """Logits. Raises InputError for images of another shape or type, FaultError as the policy says."""
        if images.ndim != 1 + len(self.input_shape) or tuple(images.shape[1:]) != self.input_shape:
            expected = ", ".join(["B", *map(str, self.input_shape)])
            raise InputError(
                f"images have shape {list(images.shape)}; {self.name} takes [{expected}]: resize the images"
            )
        if images.dtype != torch.float32:
            raise InputError(f"images are {images.dtype}; convert them with images.float() and normalise them")
        logits: Tensor
        logits, events = self.body(images)
        if events:
            happened = torch.stack(events)
            self.counters.add_(happened)
            if self.on_alarm is not None and not torch.compiler.is_compiling():
                self._tell(happened, self.on_alarm)
        return logits

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
        self.counters.zero_()

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
