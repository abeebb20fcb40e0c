"""A deployed step under TMR: run three times, its words decided by vote."""

import torch
from torch import Tensor

from radhard.deploy.applied import Applied
from radhard.deploy.forms.registry import build
from radhard.deploy.plain import plain_step
from radhard.deploy.step import Step
from radhard.kernels.library import OnUncorrectable, no_events
from radhard.machine import Machine
from radhard.protection.forms import Vote


class TmrModule(Step):
    """Three runs of `step` on copies of its inputs, and a vote on their words or on each bit."""

    events: Tensor

    def __init__(self, step: Step, vote: Vote, *, on_uncorrectable: OnUncorrectable) -> None:
        super().__init__(step.operator, step.site)
        self.step = step
        self.by = vote.by
        self.on_uncorrectable = on_uncorrectable
        self.register_buffer("events", no_events())

    def compute(self, *given: Tensor | None) -> Tensor:
        """-> what two of three agree on."""
        return self._voted(self.step(*given), *(self.step(*(_copied(x, copy) for x in given)) for copy in (2, 3)))

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The same of three runs on a machine, of which the second and the third are sites of their own."""
        work = self.step.work(machine, *given)
        copies = (machine.apply(work.operator, work.inputs, work.beside(f"copy{number}")) for number in (2, 3))
        return self._voted(work.compute(), *copies)

    def _voted(self, *copies: Tensor) -> Tensor:
        on_uncorrectable = self.on_uncorrectable
        out: Tensor = torch.ops.radhard.vote.default(
            *copies, on_uncorrectable.policy, on_uncorrectable.site, self.events, self.by
        )
        return out


@build.register
def _(form: Vote, applied: Applied, *, on_uncorrectable: OnUncorrectable) -> Step:
    """The step of any operator."""
    return TmrModule(plain_step(applied), form, on_uncorrectable=on_uncorrectable)


def _copied(x: Tensor | None, copy: int) -> Tensor | None:
    return None if x is None else torch.ops.radhard.reread.default(x, copy)
