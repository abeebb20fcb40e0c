"""`Protected`: a machine that checks and repairs results of its inner machine, by a scheme for each site."""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.machine import Cost, Machine, Operator, Shape, Site, Wrapping, read_cost
from radhard.protection.abft.account import Account
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.checksum_cache import ChecksumCache
from radhard.protection.cost.models import Overhead
from radhard.protection.forms import Form
from radhard.words import Words

CheckExposure = Literal["exposed", "immune"]


class Scheme(Protocol):
    """A way to protect one application of an operator: a frozen value, one file each."""

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """The repaired result of `application`; arithmetic of the scheme goes through `checks`, which count it."""
        ...

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead | None:
        """What it should execute for a product of this shape at bit error rate `ber`; None: no model is known."""
        ...

    @property
    def deployed(self) -> Form:
        """What it is in a hardened module."""
        ...


class Protected(Wrapping):
    """Lets `inner` compute and repairs what it returns, at the sites that `plan` names.

    `plan` maps the name of a site to its scheme; other sites are left to `inner`. The checks' own arithmetic runs on
    `inner` too, at sites `<site>/check/...`, so that faults reach it (`checks="exposed"`) unless it is to be "immune".
    `accounts` says of each site what was found and done since the run began. Sums of weights are made at a site's first
    application, while its weight is trusted, and kept from run to run in `stored`.

    An application outside a run is a run of its own, of images 0, 1, 2 ...
    """

    def __init__(self, inner: Machine, plan: Mapping[str, Scheme], *, checks: CheckExposure = "exposed") -> None:
        super().__init__(inner)
        self.plan = dict(plan)
        self.checks = checks
        self.accounts: dict[str, Account] = {}
        self.stored = ChecksumCache()
        self._known: set[Site] = set()

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Start new accounts. Raises InputError if the plan names a site that the run lacks."""
        names = {site.name for site in costs}
        if unknown := sorted(self.plan.keys() - names):
            raise InputError(
                f"the plan protects {unknown[0]!r}, which is none of the program's {len(names)} sites; `radhard "
                "inspect` lists them"
            )
        self._begin(costs, ids)

    def _begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        self.accounts, self._known = {}, set(costs)
        super().begin(costs, ids)

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The inner machine's output, checked and repaired by the site's scheme."""
        scheme = self.plan.get(site.name)
        if scheme is None:
            return self.inner.apply(operator, inputs, site)
        alone = site not in self._known
        if alone:
            cost, axis = read_cost(operator, tuple(inputs), site), site.batch_axis
            images = 1 if axis is None else operator.units(inputs).grid[axis] // site.rows_per_image
            self._begin({site: cost}, torch.arange(images))
        application = ProtectedApplication(operator=operator, inputs=tuple(inputs), site=site, machine=self.inner)
        checks = Checks(application, exposed=self.checks == "exposed", stored=self.stored)
        out = scheme.protect(application, checks)
        self.accounts[site.name] = self.accounts.get(site.name, Account()) + checks.account
        if alone:
            self._known = set()
        return out
