"""The step that one site of a plan becomes: the operator alone, or the operator as its scheme protects it.

A plan's ABFT schemes say *which* products are checked. A deployed kernel checks each of them by rows and computes the
rows that do not add up once more, exactly, whatever blocks, policy or order of stages the scheme describes: those are
measured on a machine (`radhard.protection`), where each check costs what it executes. A fault in a product is found and
repaired wherever one of the schemes would, and so are any number of them unless the errors of one row cancel modulo
2^32. Then, and there alone, a scheme that checks by columns or smaller blocks may find what this one does not.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from radhard.deploy.fixed import Fixed
from radhard.deploy.products import Attention, CheckedAttention, CheckedProduct, Product
from radhard.deploy.steps import Between, Kernel, Quantize, QuantizeWithin, Table, TableWithin, Within
from radhard.errors import InputError
from radhard.kernels.library import Recourse, no_events
from radhard.machine import Gemm, Operator
from radhard.operators import Conv2d, Linear, Quantized
from radhard.protection import (
    FloatAbft,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Ranges,
    RowAbft,
    Scheme,
    StandardAbft,
    Tmr,
    scheme_name,
)
from radhard.protection.forms import BlockCheck, Bounds, Form, NoForm, Vote

Constants = Sequence[Tensor | None]  # the inputs of an application: None where absent, COMPUTED where not stored
COMPUTED = torch.empty(0)
DEPLOYS = "row-abft, lb-abft, tmr or ranges"


class Voted(Fixed):
    """Three runs of a step on copies of its inputs, and a vote on their words or on each bit."""

    events: Tensor

    def __init__(self, step: nn.Module, vote: Vote, *, recourse: Recourse) -> None:
        super().__init__()
        self.step = step
        self.by = vote.by
        self.recourse = recourse
        self.register_buffer("events", no_events())

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """-> the words that two of three agree on."""
        copies = [self.step(*inputs), *(self.step(*(_copied(x, copy) for x in inputs)) for copy in (2, 3))]
        out: Tensor = torch.ops.radhard.vote.default(
            *copies, self.recourse.policy, self.recourse.site, self.events, self.by
        )
        return out


class Chain(nn.Module):
    """A step in parts, each of which takes what the one before it yields."""

    def __init__(self, first: nn.Module, *others: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.others = nn.ModuleList(others)

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """-> the operator's output."""
        x: Tensor = self.first(*inputs)
        for part in self.others:
            x = part(x)
        return x


class Accumulators(nn.Module):
    """The first part of a product: what it accumulates."""

    def __init__(self, product: Product | Attention) -> None:
        super().__init__()
        self.product = product

    def forward(self, *inputs: Tensor) -> Tensor:
        """-> int32, the bias in them."""
        return self.product.accumulators(*inputs)


class Written(nn.Module):
    """The second part of a product: accumulators, written back."""

    def __init__(self, product: Product | Attention) -> None:
        super().__init__()
        self.product = product

    def forward(self, total: Tensor) -> Tensor:
        """-> the product's output."""
        return self.product.write(total)


def plain_step(operator: Operator, constants: Constants) -> nn.Module:
    """The operator as it is."""
    if is_product(operator):
        return _product(operator, constants)
    if not isinstance(operator, Quantized):
        return Kernel(operator)
    _, *others = constants
    if operator.by_table(others):
        return Table(operator, others)
    return Between(operator, nn.Identity() if operator.writes is None else Quantize(operator.writes))


def protected_step(operator: Operator, constants: Constants, scheme: Scheme, *, recourse: Recourse) -> nn.Module:
    """The operator as `scheme` protects it. InputError for a scheme that is not deployed, or does not fit it."""
    form = form_of(scheme)
    match form:
        case NoForm():
            raise InputError(
                f"site {recourse.site!r}: {_name(scheme)} is not deployed: {form.reason}; plan with a scheme that is, "
                f"such as {DEPLOYS}, or measure {_name(scheme)} with `radhard evaluate` or `compare` and deploy none"
            )
        case Vote():
            return Voted(plain_step(operator, constants), form, recourse=recourse)
        case Bounds():
            return _ranged(operator, constants, form)
    if not is_product(operator):
        what = "computes in floats" if isinstance(operator, Linear | Conv2d | Gemm) else "is no matrix product"
        raise InputError(
            f"site {recourse.site!r}: {operator.name} {what}, and {_name(scheme)} is exact for int8 products only: "
            "quantise the program, or protect the site by ranges or by TMR"
        )
    if isinstance(operator, Gemm):
        return CheckedAttention(operator, recourse=recourse)
    assert isinstance(operator, Linear | Conv2d)
    return CheckedProduct(operator, _stored(constants), constants[2], recourse=recourse)


def form_of(scheme: Scheme) -> Form:
    """What a scheme is when it is deployed: as it says itself."""
    match scheme:
        case LbAbft():
            return BlockCheck(
                block=scheme.block,
                recovery=scheme.policy,
                retries=scheme.retries,
                repair=scheme.repair,
                width=scheme.width,
            )
        case RowAbft():
            return BlockCheck(block=scheme.block, recovery="weighted", retries=scheme.retries, width=scheme.width)
        case StandardAbft() | IntensityGuided():
            return BlockCheck()
        case Tmr():
            return Vote(by=scheme.vote)
        case Ranges():
            return Bounds(low=scheme.low, high=scheme.high, outside=scheme.outside)
        case HuangAbraham():
            return NoForm(
                reason="checksums of both factors would have to ride every product, and those of activations are wider "
                "than its 8-bit words"
            )
        case FloatAbft():
            return NoForm(reason="it checks float products, and deployed products compute in int8 words")
    form: Form = getattr(scheme, "deployed", NoForm(reason="it does not say what it is when it is deployed"))
    return form


def _name(scheme: Scheme) -> str:
    """The name of a scheme, or of its class where no plan can name it."""
    try:
        return scheme_name(scheme)
    except InputError:
        return type(scheme).__name__


def is_product(operator: Operator) -> bool:
    """Whether it is a matrix product of int8 words."""
    return isinstance(operator, Linear | Conv2d | Gemm) and operator.write_back is not None


def stores(operator: Operator) -> bool:
    """Whether the step keeps the constants that it reads itself."""
    return is_product(operator) and not isinstance(operator, Gemm)


def _product(operator: Operator, constants: Constants) -> Product | Attention:
    if isinstance(operator, Gemm):
        return Attention(operator)
    assert isinstance(operator, Linear | Conv2d)
    return Product(operator, _stored(constants), constants[2])


def _ranged(operator: Operator, constants: Constants, ranges: Bounds) -> nn.Module:
    if is_product(operator):
        product = _product(operator, constants)
        return Chain(Accumulators(product), Within(ranges), Written(product))
    if isinstance(operator, Quantized):
        _, *others = constants
        if operator.by_table(others):
            return TableWithin(operator, others, ranges)
        return Between(operator, Within(ranges) if operator.writes is None else QuantizeWithin(operator.writes, ranges))
    return Chain(plain_step(operator, constants), Within(ranges))


def _stored(constants: Constants) -> Tensor:
    weight = constants[1]
    assert weight is not None
    return weight


def _copied(x: Tensor | None, copy: int) -> Tensor | None:
    return None if x is None else torch.ops.radhard.reread.default(x, copy)
