"""The fault model of timing errors: its sums, the bits that come late, and what a table has of them."""

from collections import Counter

import pytest
import torch

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import FaultyArray, ImageProducts, TimingError, UpsetMachine, read_fault_model
from radhard.hardware.fault_models import RunningSums
from tests.support.models import images, tiny_program


def test_every_sum_is_as_likely_and_high_bits_are_late_more_often() -> None:
    model, product = rh.TimingErrors(halving=2), ImageProducts(groups=2, m=2, k=3, n=2, terms=4)
    places = RunningSums(array=model.cells, products={"one": product, "other": product}, halving=model.halving)
    assert places.bits == 48
    drawn = places.sample(range(9600), seed=5).values()
    sums = Counter((name, one.group, one.row, one.column, one.term) for name, one in drawn)  # type: ignore[attr-defined]
    assert len(sums) == 48
    assert 130 < min(sums.values()) <= max(sums.values()) < 270  # 200 in the mean, 5 deviations
    bits = Counter(one.bit for _, one in drawn)  # type: ignore[attr-defined]
    whole = sum(2.0 ** ((bit - 31) / 2) for bit in range(32))
    for bit in range(32):
        expected = 9600 * 2.0 ** ((bit - 31) / 2) / whole
        assert abs(bits[bit] - expected) < 4 * expected**0.5 + 1


def test_an_image_has_the_answer_of_its_own_error_alone() -> None:
    program, batch = tiny_program("int8"), images(30)
    for dataflow in ("output", "weight"):
        places = rh.TimingErrors(dataflow=dataflow, halving=32).places(program)  # type: ignore[arg-type]
        machine = UpsetMachine(rh.Clean(), places, seed=2)
        got, clean = rh.run(program, batch, machine).logits, rh.run(program, batch).logits
        for image, (name, error) in machine.upsets.items():
            assert isinstance(error, TimingError)
            alone, own = FaultyArray(rh.Clean(), error, sites=[name]), torch.tensor([image])
            assert torch.equal(got[image], rh.run(program, batch[image : image + 1], alone, ids=own).logits[0])
        assert (got != clean).any(1).any()


def test_what_is_late_is_told_and_read_again() -> None:
    program = tiny_program("int8")
    places = rh.TimingErrors().places(program)
    for image, (site, error) in places.sample(range(20), seed=1).items():
        assert isinstance(error, TimingError)
        assert places.upset(site, error.record(), image=image) == error
        assert (places.words(site, error), list(places.sites(site, error))) == (1, [site])
    product = next(iter(places.products))
    record = {"group": 0, "row": "0", "column": 0, "term": 1, "bit": "30"}
    told = places.told(product, places.upset(product, record, image=0))
    assert told == "bit 30 of the sum with term 1 of row 0, column 0, if it changes there"
    for changed, message in (
        ({"bit": 32}, "bit 32: a sum has 32 bits"),
        ({"term": 10**6}, "term=1000000"),
        ({"row": ""}, r"row \(nothing\) is not a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            places.upset(product, {**record, **changed}, image=0)
    with pytest.raises(InputError, match="site 'there' has no product on the array"):
        places.upset("there", record, image=0)


def test_what_has_no_place_is_refused() -> None:
    with pytest.raises(InputError, match="computes in floats: quantise the program"):
        rh.TimingErrors().places(tiny_program("float"))
    for halving in (0, 33, 1.5):
        with pytest.raises(InputError, match=f"halving={halving}: give a whole number of bits from 1 to 32"):
            rh.TimingErrors(halving=halving)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="rows=0"):
        rh.TimingErrors(array=(0, 1))
    assert read_fault_model("timing:halving=2") == rh.TimingErrors(halving=2)
    for text in ("few", "1.5", "-1", ""):
        with pytest.raises(InputError, match=f"timing:halving={text}: halving='{text}' is no whole number"):
            read_fault_model(f"timing:halving={text}")
