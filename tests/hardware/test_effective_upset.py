"""The sampler of effective upsets: lives of words against every upset, one by one; uniform; addressed."""

from collections import Counter
from typing import Literal

import pytest

from radhard.errors import InputError
from radhard.hardware import EffectiveUpsets, ImageProducts, Register, SystolicArray, register_duties
from tests.hardware.test_register_upset import places

PRODUCTS = {
    "first": ImageProducts(groups=2, m=3, k=3, n=4, terms=4),
    "second": ImageProducts(groups=1, m=1, k=2, n=5, terms=2),
}


@pytest.mark.parametrize("dataflow", ["output", "weight"])
@pytest.mark.parametrize("shape", [(3, 3, 3), (5, 2, 4), (1, 4, 2), (4, 4, 4)])
@pytest.mark.parametrize("cells", [(2, 2), (3, 2), (1, 3), (5, 5)])
def test_the_lives_of_words_are_all_upsets_with_an_effect_each_once(
    dataflow: Literal["output", "weight"], shape: tuple[int, int, int], cells: tuple[int, int]
) -> None:
    array = SystolicArray(rows=cells[0], columns=cells[1], dataflow=dataflow)
    m, k, n = shape
    product = ImageProducts(groups=1, m=m, k=k, n=n, terms=k)
    useful: dict[Register, Counter[tuple[object, ...]]] = {name: Counter() for name in array.registers}
    for upset in places(array, product):
        if len(upset.effect(product).units):
            useful[upset.register][(upset.tile, upset.row, upset.column, upset.cycle)] += 1
    for register in array.registers:
        upsets = EffectiveUpsets(array=array, products={"x": product}, register=register)
        lived: Counter[tuple[object, ...]] = Counter()
        for tiles in upsets._tiles:
            for down in range(tiles.down):
                for across in range(tiles.across):
                    tile = (tiles.first[0] + down, tiles.first[1] + across)
                    for row in range(tiles.height):
                        for column in range(tiles.width):
                            for age in range(upsets.life(product, row, column)):
                                at, cycle = upsets.place(product, row, column, age)
                                lived[(tile, at, column, cycle)] += 1
        assert lived == useful[register]
        assert set(lived.values()) == {1}
        assert upsets.useful == len(lived)


@pytest.mark.parametrize("dataflow", ["output", "weight"])
def test_samples_are_uniform_over_lives_and_bits(dataflow: Literal["output", "weight"]) -> None:
    array, n = SystolicArray(rows=2, columns=3, dataflow=dataflow), 3000
    for duty in register_duties(array, PRODUCTS.values()):
        upsets = EffectiveUpsets(array=array, products=PRODUCTS, register=duty.register)
        assert upsets.useful == duty.useful
        drawn = [upsets.sample(seed=1, image=image) for image in range(n)]
        assert all(len(upset.effect(PRODUCTS[name]).units) for name, upset in drawn)
        places = Counter((name, upset.group, upset.tile, upset.row, upset.column, upset.cycle) for name, upset in drawn)
        assert len(places) > 0.95 * duty.useful
        expected = n / duty.useful  # chi-squared, by its mean and deviation
        spread = sum((count - expected) ** 2 / expected for count in places.values())
        spread += expected * (duty.useful - len(places))
        assert abs(spread - duty.useful) < 5 * (2 * duty.useful) ** 0.5
        assert {upset.mask for _, upset in drawn} == {1 << bit for bit in range(duty.bits)}


def test_a_sample_depends_on_its_address_alone() -> None:
    upsets = EffectiveUpsets(array=SystolicArray(rows=2, columns=3), products=PRODUCTS, register="a")
    first = [upsets.sample(seed=3, trial=1, image=image) for image in range(20)]
    assert [upsets.sample(seed=3, trial=1, image=image) for image in reversed(range(20))] == first[::-1]
    assert [upset.image for _, upset in first] == list(range(20))
    assert first != [upsets.sample(seed=3, trial=2, image=image) for image in range(20)]
    assert first != [upsets.sample(seed=4, trial=1, image=image) for image in range(20)]


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="without products"):
        EffectiveUpsets(array=SystolicArray(), products={}, register="a")
    with pytest.raises(InputError, match="has a, b, sum"):
        EffectiveUpsets(array=SystolicArray(), products=PRODUCTS, register="weight")
