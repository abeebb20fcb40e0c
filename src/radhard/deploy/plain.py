"""The deployed step of a site without protection."""

from radhard.deploy.applied import Applied
from radhard.deploy.products import IntegerProduct
from radhard.deploy.step import Step
from radhard.deploy.steps import Int8Wrapped, Kernel, LookUpTable
from radhard.operators import Quantized


def plain_step(applied: Applied) -> Step:
    """The operator as it is."""
    operator, site = applied.operator, applied.site
    if applied.product is not None:
        return IntegerProduct(applied.product, *applied.weights, site=site)
    if not isinstance(operator, Quantized):
        return Kernel(operator, site)
    numbers = applied.numbers
    return Int8Wrapped(operator, site=site) if numbers is None else LookUpTable(operator, numbers, site=site)
