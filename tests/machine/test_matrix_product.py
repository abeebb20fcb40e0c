"""What is a matrix product says so itself: its layout as matrices, and what it is before it writes.

A product that nothing else knows of is protected, ranged, calibrated and hit like those of the project.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from radhard.faults import Faults, Faulty
from radhard.hardware import FaultyArray, StuckProduct
from radhard.machine import Clean, Machine, Matrices, MatrixProduct, NoteNonFinite, Operator, Site, Units, WriteBack
from radhard.operators import Affine, Gelu, Linear, Quantized
from radhard.protection import Block, Calibrating, Protected, Ranges, RowAbft, Scheme
from tests.support.operators import BARE, int8s, int32s

PRODUCTS = {name: case for name, case in BARE.items() if isinstance(case.operator, MatrixProduct) and case.exact}
BACK = WriteBack(multiplier=torch.linspace(1e-4, 3e-4, 5), dtype=torch.int8)


@dataclass(frozen=True, kw_only=True, eq=False)
class ByColumns(MatrixProduct):
    """x [..., k] times a weight that is stored as [k, n]: a linear layer of its transpose."""

    name: ClassVar[str] = "by_columns"
    stored: ClassVar[bool] = True
    write_back: WriteBack | None = None

    def _turned(self, inputs: Sequence[Tensor | None]) -> tuple[Linear, tuple[Tensor | None, ...]]:
        x, weight, bias = inputs
        assert weight is not None
        return Linear(write_back=self.write_back), (x, weight.mT.contiguous(), bias)

    def empty(self, inputs: Sequence[Tensor | None]) -> Tensor:
        linear, turned = self._turned(inputs)
        return linear.empty(turned)

    def units(self, inputs: Sequence[Tensor | None]) -> Units:
        linear, turned = self._turned(inputs)
        return linear.units(turned)

    def matrices(self, inputs: Sequence[Tensor | None], site: Site) -> Matrices:
        linear, turned = self._turned(inputs)
        return linear.matrices(turned, site)

    def kernel(self, inputs: Sequence[Tensor | None], note: NoteNonFinite) -> Tensor:
        linear, turned = self._turned(inputs)
        return linear.kernel(turned, note)


SITE = Site(name="here", batch_axis=0)
X, WEIGHT, BIAS = int8s(4, 3, 40), int8s(5, 40, seed=1), int32s(5)


@pytest.mark.parametrize("name", PRODUCTS)
def test_matrices_multiply_to_the_accumulators(name: str) -> None:
    """Each pair of matrices, multiplied in int64, gives what the operator accumulates, in the layout of its output."""
    case = PRODUCTS[name]
    assert isinstance(case.operator, MatrixProduct)
    x = case.operator.matrices(case.inputs, case.site)
    every = torch.arange(len(x.a))
    total = x.a.long() @ x.of_weight(x.b, every).long().mT
    if x.bias is not None:
        total = total + x.of_weight(x.bias, every)[:, None]
    accumulators = Clean().apply(case.operator.unwritten, case.inputs, case.site)
    assert torch.equal(x.merge(total.int()), accumulators)
    assert torch.equal(x.split(accumulators), total.int())
    assert torch.equal(x.product(0, x.a.shape[2]), (x.a.long() @ x.of_weight(x.b, every).long().mT).int())


@pytest.mark.parametrize("name", PRODUCTS)
def test_multipliers_are_those_that_units_gather(name: str) -> None:
    """Without the factors of the units, which may be large: a multiplier for each column, all different."""
    case = PRODUCTS[name]
    assert isinstance(case.operator, MatrixProduct)
    columns = case.inputs[1].shape[-1 if case.operator.name == "matmul" else 0]
    back = WriteBack(multiplier=torch.arange(1.0, columns + 1), dtype=torch.int8)
    product = case.operator.written_as(back)
    units = product.units(case.inputs)
    index = torch.arange(units.count).flip(0)
    gathered = units.gather(index)[3]
    assert isinstance(gathered, Tensor)
    assert len(gathered.unique()) == columns
    assert torch.equal(product.multipliers(case.inputs, index), gathered)


def test_an_operator_says_what_it_is_before_it_writes() -> None:
    plain = Linear(write_back=BACK).unwritten
    assert plain.write_back is None
    assert plain.unwritten is plain
    words = Quantized(inner=Gelu(), reads=(Affine(scale=0.1),), writes=Affine(scale=0.1))
    assert words.unwritten.writes is None
    assert words.unwritten.inner is words.inner
    assert Gelu().unwritten == Gelu()


def machine(kind: str, operator: Operator) -> Machine:
    del operator
    scheme: Scheme = Ranges(low=-9000.0, high=9000.0) if kind == "ranges" else RowAbft(block=Block(m=2, k=16, n=4))
    inner: Machine = Clean()
    if kind == "hardware":
        return FaultyArray(inner, StuckProduct(row=1, column=2, mask=1 << 12, level=1))
    if kind != "ranges":
        inner = Faulty(inner, Faults(ber=5e-5, seed=4))
    return inner if kind == "faults" else Protected(inner, {SITE.name: scheme})


@pytest.mark.parametrize("kind", ["faults", "hardware", "ranges", "row-abft"])
def test_a_product_of_a_users_own_is_like_any_other(kind: str) -> None:
    own, known = ByColumns(write_back=BACK), Linear(write_back=BACK)
    turned = WEIGHT.mT.contiguous()
    found = machine(kind, own).apply(own, (X, turned, BIAS), SITE)
    assert torch.equal(found, machine(kind, known).apply(known, (X, WEIGHT, BIAS), SITE))
    clean = Clean().apply(known, (X, WEIGHT, BIAS), SITE)
    assert torch.equal(found, clean) == (kind == "row-abft")


def test_its_range_is_that_of_its_accumulators() -> None:
    own = ByColumns(write_back=BACK)
    calibrating = Calibrating()
    calibrating.apply(own, (X, WEIGHT.mT.contiguous(), BIAS), SITE)
    total = X.long() @ WEIGHT.long().T + BIAS
    assert calibrating.ranges[SITE.name] == (float(total.min()), float(total.max()))
