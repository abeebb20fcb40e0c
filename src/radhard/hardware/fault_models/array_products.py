"""The products of a program that a systolic array computes, and the array as options of a fault model say it."""

from collections.abc import Collection, Mapping
from typing import Any

from radhard.errors import InputError
from radhard.hardware.fault import ImageProducts
from radhard.hardware.fault_models.registry import ArraySizes
from radhard.hardware.machine import check_sites, products_of, refuse_floats
from radhard.hardware.permanent import Dataflow
from radhard.hardware.systolic import SystolicArray
from radhard.machine import Cost, MatrixProduct, Site
from radhard.program import Program
from radhard.program.program import Apply


def array_of(sizes: ArraySizes, dataflow: Dataflow) -> SystolicArray:
    """The array of `sizes` = (rows, columns). InputError for what is no two sizes, a size of 0, another dataflow."""
    given: Any = sizes
    if not isinstance(given, tuple) or len(given) != 2 or not all(type(size) is int for size in given):
        raise InputError(f"array={given!r}: give its rows and columns, array=(16, 16)")
    rows, columns = sizes
    return SystolicArray(rows=rows, columns=columns, dataflow=dataflow)


def products_on_array(program: Program, *, sites: Collection[str] | None = None) -> dict[str, ImageProducts]:
    """Those of one image at a program's `sites` (None: all), by their names.

    InputError where there is no product of 8-bit words, or one of floats.
    """
    check_sites(sites, program.costs)
    for step in program.steps:
        if isinstance(step, Apply) and isinstance(step.operator, MatrixProduct):
            chosen = sites is None or step.site.name in sites
            if chosen and products_of(program.costs[step.site], step.site) is None:
                raise refuse_floats(step.operator, step.site)
    return array_products(program.costs, sites=sites)


def array_products(costs: Mapping[Site, Cost], *, sites: Collection[str] | None = None) -> dict[str, ImageProducts]:
    """The products of int8 words of one image, by the names of their sites. InputError if the sites have none."""
    found = {site.name: products_of(cost, site) for site, cost in costs.items() if sites is None or site.name in sites}
    products = {name: product for name, product in found.items() if product is not None}
    if not products:
        raise InputError("none of the sites has a product of int8 words, which an array computes: quantise the program")
    return products
