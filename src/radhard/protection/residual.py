"""`Residual`: a machine that counts the wrong words that remain after protection."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from radhard.kernels.bits import bits
from radhard.machine import Cost, Operator, Site, Wrapping
from radhard.protection.abft.account import Account
from radhard.protection.protected import Protected


class Residual(Wrapping):
    """Lets `inner` compute, and beside each protected site a sound machine, from the same inputs; returns the former.

    So a wrong word counts at the site that made it wrong, not at those that read it. Costs one clean run more.
    """

    inner: Protected

    def __init__(self, inner: Protected) -> None:
        super().__init__(inner)
        self.accounts: dict[str, Account] = {}

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Start anew."""
        self.accounts = {}
        super().begin(costs, ids)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output; its account, with what is left, goes to `accounts`."""
        out = self.inner.apply(operator, inputs, site)
        if site.name in self.inner.plan:
            sound = operator.kernel(inputs, lambda _: None)
            left = int((bits(out) != bits(sound)).count_nonzero())
            self.accounts[site.name] = replace(self.inner.accounts[site.name], residual=left)
        return out
