"""Matrix products that checks can protect: integer ones by exact sums, float ones by rounding bounds."""

from collections.abc import Sequence

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.kernels.octets import OCTETS
from radhard.machine import MatrixProduct, Operator, Site
from radhard.machine.matrices import Matrices


def matrices(operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
    """The products of one application. InputError for an operator that is none, or whose words are not of 8 bits."""
    found = _product(operator, site).matrices(inputs, site)
    if found.left.dtype not in OCTETS:
        raise InputError(
            f"site {site.name!r}: {operator.name} computes in {found.left.dtype}; checksums are exact for words of 8 "
            "bits only: quantise the program, or protect the site by float-abft or by TMR"
        )
    return found


def float_matrices(operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
    """The same of a float product. InputError for words that are neither float32 nor bfloat16."""
    found = _product(operator, site).matrices(inputs, site)
    dtype = found.left.dtype
    if dtype not in (torch.float32, torch.bfloat16):
        raise InputError(
            f"site {site.name!r}: {operator.name} computes in {dtype}; bounds of rounding errors are known of "
            "float32 and bfloat16 words: protect int8 words by row-abft or lb-abft, others by TMR"
        )
    return found


def _product(operator: Operator, site: Site) -> MatrixProduct:
    if isinstance(operator, MatrixProduct):
        return operator
    raise InputError(
        f"site {site.name!r}: {operator.name!r} is no matrix product; protect it by ranges or by TMR, or take it out "
        "of the plan"
    )
