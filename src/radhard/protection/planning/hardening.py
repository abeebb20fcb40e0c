"""Applies a method to a program: the scheme of every site that it protects."""

from collections.abc import Collection
from dataclasses import dataclass

from radhard.errors import InputError
from radhard.program import Program
from radhard.protection.planning.bounds import Limits, ranges_of
from radhard.protection.planning.method import NONE, Method
from radhard.protection.planning.products import Products
from radhard.protection.planning.protection import Protection
from radhard.protection.protected import Scheme
from radhard.words import Words


@dataclass(frozen=True, kw_only=True, eq=False)
class Hardening:
    """What is needed of a `program` to protect it: its `products`, and the `limits` of its non-linear sites."""

    program: Program
    products: Products
    limits: Limits
    words: Words

    def linear(self, method: Method, *, ber: float) -> dict[str, Scheme]:
        """The schemes of all products at bit error rate `ber`. InputError if the method has one and there are none."""
        if method.scheme == NONE:
            return {}
        products = self.products.of(method.takes)
        if not products:
            why = next(iter(self.products.refused.values()), "it has no matrix product")
            if self.products.found:
                why = f"its products are of int8 words, and the scheme takes {method.takes}"
            raise InputError(f"{self.program.name}: no product can be protected by {method.title}: {why}")
        chosen = {
            name: method.scheme_of(product.shape, ber=ber, words=self.words) for name, product in products.items()
        }
        return {name: scheme for name, scheme in chosen.items() if scheme is not None}

    def protect(self, method: Method, *, ber: float, products: Collection[str] | None = None) -> Protection:
        """The products (default: all) by the method's scheme, the non-linear sites by its ranges."""
        linear = self.linear(method, ber=ber)
        chosen = linear if products is None else {name: linear[name] for name in products if name in linear}
        ranges = ranges_of(self.program, self.limits, method)
        return Protection.of({**chosen, **ranges}, checks=method.checks)
