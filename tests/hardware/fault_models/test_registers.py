"""The fault model of registers: its places in a program, and what an upset says of itself."""

import numpy as np
import pytest
import torch

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import ImageProducts, RegisterUpset
from radhard.hardware.fault_models import RegisterPlaces
from tests.reference.systolic import ARRAYS, Upset
from tests.support.models import tiny_program


def products_and_words() -> tuple[ImageProducts, list, list]:
    draw = np.random.default_rng(4)
    a, b = draw.integers(-128, 128, (5, 6)), draw.integers(-128, 128, (6, 7))
    return ImageProducts(groups=1, m=5, k=6, n=7, terms=6), a.tolist(), b.tolist()


@pytest.mark.parametrize("dataflow", ["output", "weight"])
def test_the_words_that_it_counts_are_those_that_an_array_gets_wrong(dataflow: str) -> None:
    """A cycle-accurate array never has more wrong words, and for some bit of most upsets as many."""
    product, a, b = products_and_words()
    model = rh.RegisterUpsets(array=(3, 2), dataflow=dataflow)  # type: ignore[arg-type]
    places = RegisterPlaces(array=model.cells, products={"here": product})
    clean, idle, equal, some = ARRAYS[dataflow](a, b, None, rows=3, columns=2), 0, 0, 0
    for image, (site, upset) in places.sample(range(150), seed=2).items():
        assert site == "here"
        assert isinstance(upset, RegisterUpset)
        assert upset.image == image
        wrong = 0
        names = ("register", "row", "column", "cycle", "mask", "tile")
        got = ARRAYS[dataflow](
            a, b, None, rows=3, columns=2, upset=Upset(**{name: getattr(upset, name) for name in names})
        )
        wrong = sum(x != y for line, other in zip(got, clean, strict=True) for x, y in zip(line, other, strict=True))
        words = places.words(site, upset)
        assert wrong <= words
        idle += words == 0
        some += words > 0
        equal += 0 < words == wrong
        assert (places.told(site, upset) == "idle") == (words == 0)
        record = upset.record()
        assert places.upset(site, record, image=image) == upset
    assert idle > 20
    assert equal > 0.7 * some > 20


def test_what_is_wrong_is_told() -> None:
    product = ImageProducts(groups=2, m=6, k=8, n=10, terms=8)
    array = rh.RegisterUpsets(array=(4, 4)).cells
    weights = rh.RegisterUpsets(array=(4, 4), dataflow="weight").cells

    def told(**place: object) -> str:
        return RegisterUpset(**{"array": array, "mask": 1, "tile": (0, 1), "group": 1, **place}).told(product)  # type: ignore[arg-type]

    assert told(register="a", row=1, column=2, cycle=5) == "term 2 of row 1, in columns 6 to 7"
    assert told(register="b", row=1, column=2, cycle=5) == "term 2 of column 6, in rows 1 to 3"
    assert told(register="sum", row=1, column=2, cycle=5) == "sum of terms 0 to 1, of row 1, column 6"
    assert told(register="sum", row=1, column=2, cycle=0) == "sum before its first term, of row 1, column 6"
    assert told(register="a", row=1, column=2, cycle=1) == "idle"
    weight = {"array": weights, "tile": (1, 1)}
    assert told(**weight, register="weight", row=1, column=2, cycle=9) == "term 5 of column 6, in rows 2 to 5"
    assert told(**weight, register="sum", row=1, column=2, cycle=9) == "sum of terms 4 to 5, of row 2, column 6"


def test_its_places_are_those_of_the_products_that_are_selected() -> None:
    program = tiny_program("int8")
    model = rh.RegisterUpsets(array=(4, 8))
    whole = model.places(program)
    products = [cost for cost in program.costs.values() if cost.steps[0].dtype == torch.int16]
    assert len(whole.products) == len(products) > 5
    name = next(iter(whole.products))
    one = model.places(program, sites=[name])
    assert set(one.products) == {name}
    assert whole.bits == sum(model.places(program, sites=[each]).bits for each in whole.products) > one.bits
    product = one.products[name]
    down, across = -(-product.m // 4), -(-product.n // 8)
    assert one.bits == product.groups * down * across * (product.k + 2 * 4 + 8 - 2) * 32 * 48


def test_what_has_no_place_is_refused() -> None:
    program, floats = tiny_program("int8"), tiny_program("float")
    model = rh.RegisterUpsets()
    with pytest.raises(InputError, match=r"site '.*linear|conv.*computes in floats: quantise the program"):
        model.places(floats)
    softmax = next(site.name for site in program.sites if site.operator == "softmax")
    with pytest.raises(InputError, match="none of the sites has a product of int8 words"):
        model.places(program, sites=[softmax])
    with pytest.raises(InputError, match="hardware fault at 'there'"):
        model.places(program, sites=["there"])
    with pytest.raises(InputError, match=r"array=\[4, 4\]: give its rows and columns"):
        rh.RegisterUpsets(array=[4, 4])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="rows=0"):
        rh.RegisterUpsets(array=(0, 4))
    with pytest.raises(InputError, match="dataflow='row' is not known; choose from output, weight"):
        rh.RegisterUpsets(dataflow="row")  # type: ignore[arg-type]
