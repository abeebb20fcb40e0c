"""The deployed step of one site of a plan: the bare operator, or the operator under its scheme.

A scheme says what it is when it is deployed (`radhard.protection.forms`), and a step does that and nothing else. A
scheme that has no such form is refused: what is deployed is what was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from radhard.deploy.blocks import BlockProduct
from radhard.deploy.products import CheckedProduct, IntegerProduct, RangedProduct
from radhard.deploy.step import Step
from radhard.deploy.steps import BetweenWithin, Int8Wrapped, Kernel, KernelWithin, Table, TableWithin
from radhard.deploy.voted import TmrModule
from radhard.errors import InputError
from radhard.kernels.library import OnUncorrectable
from radhard.machine import MatrixProduct, Operator, Site
from radhard.operators import Quantized
from radhard.protection import Scheme, scheme_name
from radhard.protection.forms import BlockCheck, Bounds, Form, NoForm, Vote

Constants = Sequence[Tensor | None]  # the inputs of an application: None where absent, COMPUTED where not stored
COMPUTED = torch.empty(0)
DEPLOYS = "row-check, lb-abft, tmr or ranges"


@dataclass(frozen=True, kw_only=True, eq=False)
class Applied:
    """`operator` at `site`, with the constants among its inputs."""

    operator: Operator
    constants: Constants
    site: Site

    @property
    def product(self) -> MatrixProduct | None:
        """The operator, if it is a matrix product of words of 8 bits."""
        operator = self.operator
        return operator if isinstance(operator, MatrixProduct) and operator.write_back is not None else None

    @property
    def weights(self) -> tuple[Tensor | None, Tensor | None]:
        """The stored weight of a matrix product and its bias."""
        return (self.constants[1], self.constants[2]) if self.stores else (None, None)

    @property
    def stores(self) -> bool:
        """Whether the step keeps the constants that it reads itself."""
        return self.product is not None and self.product.stored

    @property
    def numbers(self) -> Constants | None:
        """What an operator reads beside one word, if its output depends on nothing else: it is a table."""
        _, *others = self.constants
        operator = self.operator
        return others if isinstance(operator, Quantized) and operator.by_table(others) else None


def plain_step(applied: Applied) -> Step:
    """The operator as it is."""
    operator, site = applied.operator, applied.site
    if applied.product is not None:
        return IntegerProduct(applied.product, *applied.weights, site=site)
    if not isinstance(operator, Quantized):
        return Kernel(operator, site)
    numbers = applied.numbers
    return Int8Wrapped(operator, site=site) if numbers is None else Table(operator, numbers, site=site)


def protected_step(applied: Applied, scheme: Scheme, *, on_uncorrectable: OnUncorrectable) -> nn.Module:
    """The operator as `scheme` protects it. InputError for a scheme that is not deployed, or does not fit it."""
    form, product, site = form_of(scheme), applied.product, applied.site
    match form:
        case NoForm():
            raise InputError(
                f"site {site.name!r}: {_name(scheme)} is not deployed: {form.reason}; plan with a scheme that is, "
                f"such as {DEPLOYS}, or measure {_name(scheme)} with `radhard evaluate` or `compare` and deploy none"
            )
        case Vote():
            return TmrModule(plain_step(applied), form, on_uncorrectable=on_uncorrectable)
        case Bounds():
            return _ranged(applied, form)
    if product is None:
        what = "computes in floats" if isinstance(applied.operator, MatrixProduct) else "is no matrix product"
        raise InputError(
            f"site {site.name!r}: {applied.operator.name} {what}, and {_name(scheme)} is exact for int8 products only: "
            "quantise the program, or protect the site by ranges or by TMR"
        )
    if isinstance(form, BlockCheck):
        return BlockProduct(product, *applied.weights, form, site=site, on_uncorrectable=on_uncorrectable)
    return CheckedProduct(product, *applied.weights, site=site, on_uncorrectable=on_uncorrectable)


def _ranged(applied: Applied, bounds: Bounds) -> Step:
    operator, site = applied.operator, applied.site
    if applied.product is not None:
        return RangedProduct(applied.product, *applied.weights, bounds, site=site)
    if not isinstance(operator, Quantized):
        return KernelWithin(operator, bounds, site=site)
    numbers = applied.numbers
    if numbers is None:
        return BetweenWithin(operator, bounds, site=site)
    return TableWithin(operator, numbers, bounds, site=site)


def form_of(scheme: Scheme) -> Form:
    """What a scheme is when it is deployed: as it says itself."""
    form: Form = getattr(scheme, "deployed", NoForm(reason="it does not say what it is when it is deployed"))
    return form


def _name(scheme: Scheme) -> str:
    """The name of a scheme, or of its class where no plan can name it."""
    try:
        return scheme_name(scheme)
    except InputError:
        return type(scheme).__name__
