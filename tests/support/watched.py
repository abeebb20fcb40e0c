"""What goes in and out at each site of a program, for tests that compute it again."""

from torch import Tensor

from radhard.machine import Clean, Operator, Site
from radhard.program import Program, run

Seen = tuple[Operator, list[Tensor | None], Tensor]
"""An operator, its inputs, its output."""


class Watching(Clean):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Seen] = {}

    def apply(self, operator: Operator, inputs: list, site: Site) -> Tensor:
        out = super().apply(operator, inputs, site)
        self.seen[site.name] = (operator, list(inputs), out)
        return out


def watched(program: Program, x: Tensor) -> dict[str, Seen]:
    """By the name of its site, what was seen in a run of `x`."""
    machine = Watching()
    run(program, x, machine)
    return machine.seen
