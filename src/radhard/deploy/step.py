"""A step of a deployed model: one operator as a module, which a fault-injecting machine can replace.

A machine (`radhard.machine.Machine`), such as `Faulty`, enters by `Hardened.on`, and only there: in the thread that
asked for it, and neither in an export nor in what torch compiles. A step that checks lets the machine compute what it
checks, and then does with it what it always does.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from radhard.deploy.fixed import Fixed
from radhard.machine import Machine, Operator, Site
from radhard.protection.abft.application import ProtectedApplication

_MACHINE: ContextVar[Machine | None] = ContextVar("machine", default=None)


@contextmanager
def entered(machine: Machine) -> Iterator[None]:
    """Within it `machine` computes the steps that this thread calls."""
    token = _MACHINE.set(machine)
    try:
        yield
    finally:
        _MACHINE.reset(token)


def machine_here() -> Machine | None:
    """The machine that has entered in this thread."""
    return _MACHINE.get()


class Step(Fixed, ABC):
    """`operator` at `site`; `compute` is how it is deployed."""

    def __init__(self, operator: Operator, site: Site) -> None:
        super().__init__()
        self.operator = operator
        self.site = site

    def forward(self, *given: Tensor | None) -> Tensor:
        """-> the operator's output."""
        machine = None if torch.compiler.is_compiling() else machine_here()
        return self.compute(*given) if machine is None else self.on(machine, *given)

    @abstractmethod
    def compute(self, *given: Tensor | None) -> Tensor:
        """-> the operator's output, from what the graph gives."""

    def inputs(self, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        """What the graph gives -> the inputs of the operator."""
        return given

    def on(self, machine: Machine, *given: Tensor | None) -> Tensor:
        """The same on a machine."""
        return machine.apply(self.whole, self.inputs(*given), self.site)

    @property
    def whole(self) -> Operator:
        """The operator as a machine takes it."""
        return self.operator

    def work(self, machine: Machine, *given: Tensor | None) -> ProtectedApplication:
        """The application on a machine, in its stages."""
        return ProtectedApplication(operator=self.whole, inputs=self.inputs(*given), site=self.site, machine=machine)
