"""Methods of protection against each other: each on the same program, under the same faults."""

from collections.abc import Callable
from dataclasses import dataclass

from radhard.analysis.conditions import Condition
from radhard.campaign.bench import protected
from radhard.campaign.experiment import Setting
from radhard.protection import Hardening, Method

Layers = Callable[[Setting, Method], tuple[str, ...]]
"""Which products TMR protects: those of the most vulnerable layers, as many as the target needs."""


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """All `methods` on one program: TMR on `layers`, the others on all products."""

    hardening: Hardening
    methods: tuple[Method, ...]
    layers: Layers

    def conditions(self, plain: Setting) -> tuple[Condition, ...]:
        """Under the faults of `plain`: no protection, then each method; of each without faults, too."""
        found = [Condition(name="unprotected", setting=setting) for setting in (plain.without_faults(), plain)]
        for method in self.methods:
            products, note = None, ""
            if method.scheme == "tmr":
                products = self.layers(plain, method)
                note = f"{len(products)} of {len(self.hardening.products.found)} products"
            protection = self.hardening.protect(method, ber=plain.ber, products=products)
            found += [
                Condition(name=method.title, setting=protected(setting, protection), note=note)
                for setting in (plain.without_faults(), plain)
                if protection.sites or not setting.clean
            ]
        return tuple(found)
