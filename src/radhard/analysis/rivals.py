"""Methods of protection against each other: each on the same program, under the same faults."""

import math
from dataclasses import dataclass, replace

from radhard.analysis.conditions import Condition
from radhard.analysis.ordering import Ordering
from radhard.analysis.overhead import Weights
from radhard.analysis.planning import Limits, Planner
from radhard.campaign.bench import protected
from radhard.campaign.experiment import Setting
from radhard.errors import InputError
from radhard.protection import Hardening, Method


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """All `methods` on one program: each on all of its products, but TMR on those of the most vulnerable layers.

    These are as many as it takes to lose at most `loss` of the accuracy, on the images of `choosing`, which are others
    than those that compare. Without TMR there is nothing to choose.
    """

    hardening: Hardening
    methods: tuple[Method, ...]
    weights: Weights
    loss: float
    choosing: Ordering | None = None

    def conditions(self, plain: Setting) -> tuple[Condition, ...]:
        """No protection, then each method, under the faults of `plain`."""
        found = [Condition(name="unprotected", setting=plain)]
        for method in self.methods:
            products, note = None, ""
            if method.scheme == "tmr":
                products = self.layers(method, ber=plain.ber)
                note = f"{len(products)} of {len(self.hardening.products.found)} products"
            protection = self.hardening.protect(method, ber=plain.ber, products=products)
            shield = protection if protection.sites else None  # TMR may need no layer
            found.append(Condition(name=method.title, setting=protected(plain, shield), note=note))
        return tuple(found)

    def clean(self, conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
        """The same without faults: what a protection costs a sound model, in accuracy and in operations."""
        return tuple(
            replace(c, setting=protected(c.setting.without_faults(), c.setting.protection)) for c in conditions
        )

    def layers(self, method: Method, *, ber: float) -> tuple[str, ...]:
        """The products of as many of the most vulnerable layers as the target needs."""
        if self.choosing is None:
            raise InputError(f"{method.title}: which images choose its layers? give an ordering on some apart")
        planner = Planner(
            ordering=replace(self.choosing, plain=replace(self.choosing.plain, ber=ber)),
            hardening=self.hardening,
            method=method,
            limits=Limits(loss=self.loss, overhead=math.inf),
            weights=self.weights,
            grain="layer",
            frontier="needed",
        )
        return planner.plan().chosen.products
