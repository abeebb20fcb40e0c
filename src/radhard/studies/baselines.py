"""The schemes of a comparison, each applied to the same program."""

import math
from dataclasses import dataclass, replace

from radhard.analysis.configurations import Configuration
from radhard.analysis.overhead import Weights
from radhard.campaign.experiment import Setting
from radhard.campaign.model_under_test import protected
from radhard.protection import Method, Protectable
from radhard.studies.choosing import Chooser, Target
from radhard.studies.ordering import Ordering


@dataclass(frozen=True, kw_only=True)
class Needed:
    """Products are protected as far as it takes to lose surely no more than `loss` on the images of `choosing`.

    These are others than those that compare.
    """

    choosing: Ordering
    loss: float


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """All `methods` on one program, each on all of its products; or each, layer by layer, as far as it is `needed`."""

    protectable: Protectable
    methods: tuple[Method, ...]
    weights: Weights
    needed: Needed | None = None
    rate: float | None = None

    def configurations(self, plain: Setting) -> tuple[Configuration, ...]:
        """No protection, then each method, under the faults of `plain`.

        Methods are made for `rate`, by default that of `plain`; of a number of flips, for the like rate.
        """
        ber = plain.rate_expected if self.rate is None else self.rate
        found = [Configuration(name="unprotected", setting=plain)]
        for method in self.methods:
            products, note = None, ""
            if self.needed is not None and method.schemes_of(self.protectable, ber=ber):
                products = self.layers(method, needed=self.needed, ber=ber)
                note = f"{len(products)} of {len(self.protectable.products.found)} products"
            protection = method.protect(self.protectable, ber=ber, products=products)
            shield = protection if protection.sites else None  # it may need no layer
            found.append(Configuration(name=method.title, setting=protected(plain, shield), note=note))
        return tuple(found)

    def clean(self, configurations: tuple[Configuration, ...]) -> tuple[Configuration, ...]:
        """The same without faults: what a protection costs a sound model, in accuracy and in operations."""
        return tuple(
            replace(c, setting=protected(c.setting.without_faults(), c.setting.protection)) for c in configurations
        )

    def layers(self, method: Method, *, needed: Needed, ber: float) -> tuple[str, ...]:
        """The products of as many of the most vulnerable layers as the target needs."""
        chooser = Chooser(
            ordering=replace(needed.choosing, plain=replace(needed.choosing.plain, ber=ber)),
            protectable=self.protectable,
            method=method,
            target=Target(loss=needed.loss, overhead=math.inf),
            weights=self.weights,
            grain="layer",
            frontier="needed",
        )
        bare = chooser.step((), ranges=False)
        return () if chooser.reached(bare) else chooser.choose(bare).chosen.products
