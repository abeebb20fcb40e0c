"""The duty of registers: closed forms against every upset, one by one."""

from typing import Literal

import pytest

from radhard.errors import InputError
from radhard.hardware import ImageProducts, SystolicArray, register_duties
from tests.hardware.test_register_upset import places


@pytest.mark.parametrize("dataflow", ["output", "weight"])
@pytest.mark.parametrize("shape", [(3, 3, 3), (5, 2, 4), (1, 4, 2), (4, 4, 4)])
@pytest.mark.parametrize("cells", [(2, 2), (3, 2), (1, 3), (5, 5)])
def test_useful_cycles_are_those_of_upsets_with_an_effect(
    dataflow: Literal["output", "weight"], shape: tuple[int, int, int], cells: tuple[int, int]
) -> None:
    array = SystolicArray(rows=cells[0], columns=cells[1], dataflow=dataflow)
    m, k, n = shape
    product = ImageProducts(groups=1, m=m, k=k, n=n, terms=k)
    useful, count = dict.fromkeys(array.registers, 0), 0
    for upset in places(array, product):
        count += 1
        useful[upset.register] += len(upset.effect(product).units) > 0
    found = register_duties(array, [product])
    assert {duty.register: duty.useful for duty in found} == useful
    assert {duty.cell_cycles for duty in found} == {count // 3}
    assert [duty.duty for duty in found] == [3 * useful[name] / count for name in array.registers]
    assert array.bit_cycles(product) == 48 * count // 3


def test_operands_are_useful_one_cycle_a_multiplication() -> None:
    """8 + 8 bits of operands, each useful for m k n cycles; by hand for whole tiles: 3 of 3 + 2 x 2 + 2 - 2 = 7."""
    products = [ImageProducts(groups=g, m=4, k=3, n=6, terms=4) for g in (1, 5)]
    found = {duty.register: duty for duty in register_duties(SystolicArray(rows=2, columns=2), products)}
    assert found["a"].useful == found["b"].useful == 6 * 4 * 3 * 6
    assert found["a"].duty == found["b"].duty == 3 / 7
    assert found["sum"].duty == (4 * 5 + 2 * (2 + 1)) / (4 * 7)
    with pytest.raises(InputError, match="without products"):
        register_duties(SystolicArray(), [])
