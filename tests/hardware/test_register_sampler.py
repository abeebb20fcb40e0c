"""The sampler of register upsets: its address by the reference of Philox, all places reached, images independent."""

import zlib
from collections import Counter

import pytest
import torch

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import (
    FaultyArray,
    ImageProducts,
    RegisterUpset,
    SystolicArray,
    UpsetMachine,
    array_products,
    register_duties,
    sample_register_upset,
    sample_register_upsets,
)
from radhard.hardware.register_sampler import _at
from radhard.program.rerun import rerun, run_and_keep
from tests.reference.philox import philox

ARRAY = SystolicArray(rows=2, columns=3, dataflow="weight")
PRODUCTS = {
    "first": ImageProducts(groups=2, m=3, k=3, n=4, terms=4),
    "second": ImageProducts(groups=1, m=1, k=2, n=5, terms=2),
}


def test_every_number_is_another_place_in_order() -> None:
    product = PRODUCTS["first"]
    size = ARRAY.bit_cycles(product)
    assert size == 2 * (2 * 2) * (3 + 2 * 2 + 3 - 2) * 6 * 48
    every = [_at(ARRAY, product, number) for number in range(size)]
    order = list(ARRAY.registers)
    keys = [(u.group, *u.tile, u.cycle, u.row, u.column, order.index(u.register), u.mask) for u in every]
    assert keys == sorted(set(keys))
    for upset in every[:: 48 * 7]:
        upset.effect(product)  # the place is there


def test_an_upset_is_where_philox_says() -> None:
    text = "2 3 weight\nfirst 2 3 3 4\nsecond 1 1 2 5"
    sizes = {name: ARRAY.bit_cycles(product) for name, product in PRODUCTS.items()}
    seen: Counter[str] = Counter()
    for image in (0, 1, 2**32 + 7, 9, 11, 12, 13, 14):
        key = philox((5, 0, 3, 0), (0x5EED, 0))[:2]
        counter = (image % 2**32, zlib.crc32(text.encode()), 0, 6 * 2**29 + image // 2**32)
        words = philox(counter, key)
        number = (words[3] * 2**32 + words[2]) % sum(sizes.values())
        name = "first" if number < sizes["first"] else "second"
        number -= 0 if name == "first" else sizes["first"]
        want = _at(ARRAY, PRODUCTS[name], number, image=image)
        assert sample_register_upset(ARRAY, PRODUCTS, seed=5, trial=3, image=image) == (name, want)
        seen[name] += 1
    assert len(seen) == 2


def test_upsets_are_uniform_over_registers_products_and_useful_cycles() -> None:
    n = 4000
    drawn = [sample_register_upset(ARRAY, PRODUCTS, seed=1, image=image) for image in range(n)]
    share = ARRAY.bit_cycles(PRODUCTS["first"]) / sum(map(ARRAY.bit_cycles, PRODUCTS.values()))
    assert sum(name == "first" for name, _ in drawn) / n == pytest.approx(share, abs=0.03)
    duties = {duty.register: duty for duty in register_duties(ARRAY, PRODUCTS.values())}
    for register, bits in ARRAY.registers.items():
        own = [(name, upset) for name, upset in drawn if upset.register == register]
        assert len(own) / n == pytest.approx(bits / 48, abs=0.03)
        useful = sum(len(upset.effect(PRODUCTS[name]).units) > 0 for name, upset in own) / len(own)
        assert useful == pytest.approx(duties[register].duty, abs=0.08)


def test_upsets_of_many_images_are_those_of_each_alone() -> None:
    images = [0, 1, 2**32 + 7, 9, 11]
    together = sample_register_upsets(ARRAY, PRODUCTS, images=images, seed=5, trial=3)
    assert together == {image: sample_register_upset(ARRAY, PRODUCTS, seed=5, trial=3, image=image) for image in images}


def small() -> tuple[rh.Program, torch.Tensor]:
    torch.manual_seed(0)
    layers = (torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(64, 4))
    model, images = torch.nn.Sequential(*layers).eval(), torch.randn(40, 1, 6, 6)
    return rh.quantize(rh.capture(model, images), [images]), images


@pytest.mark.parametrize("dataflow", ["output", "weight"])
def test_a_program_on_an_array_with_one_upset_an_image(dataflow: str) -> None:
    """The same answers in other batches, and those of each image's own fault alone."""
    program, images = small()
    places = rh.RegisterUpsets(array=(4, 4), dataflow=dataflow).places(program)  # type: ignore[arg-type]
    machine = UpsetMachine(rh.Clean(), places, seed=3)
    whole = rh.run(program, images, machine).logits
    assert sorted(machine.upsets) == list(range(40))
    clean = rh.run(program, images).logits
    hit = (whole != clean).any(1)
    assert 3 < int(hit.sum()) < 40
    ids = torch.arange(40)
    parts = [
        rh.run(program, images[i::2], UpsetMachine(rh.Clean(), places, seed=3), ids=ids[i::2]).logits for i in (0, 1)
    ]
    assert torch.equal(torch.stack(parts, 1).flatten(0, 1), whole)
    for image in range(0, 40, 8):
        name, upset = machine.upsets[image]
        assert isinstance(upset, RegisterUpset)
        alone = rh.run(program, images, FaultyArray(rh.Clean(), upset, sites=[name])).logits
        assert torch.equal(alone[image], whole[image])
    kept = run_and_keep(program, images, rh.Clean(), ids=torch.arange(40))
    touched = machine.touched(kept.ids)
    assert torch.equal(rerun(kept, machine, touched=touched).result.logits, whole)
    assert 3 < sum(int(some.sum()) for some in touched.values()) < 40  # the others are idle, and run nothing
    other = rh.run(program, images, UpsetMachine(rh.Clean(), places, seed=3, trial=1)).logits
    assert not torch.equal(other, whole)


def test_what_is_not_there_is_refused() -> None:
    program, _ = small()
    with pytest.raises(InputError, match="without products"):
        sample_register_upset(ARRAY, {}, seed=0)
    with pytest.raises(InputError, match="image=-1"):
        sample_register_upset(ARRAY, PRODUCTS, seed=0, image=-1)
    with pytest.raises(InputError, match="seed=-1"):
        sample_register_upset(ARRAY, PRODUCTS, seed=-1)
    assert set(array_products(program.costs)) == {"0", "3"}
    machine = UpsetMachine(rh.Clean(), rh.RegisterUpsets().places(program))
    with pytest.raises(InputError, match="run one on this machine"):
        machine.add(torch.ones(2), torch.ones(2), site="residual")
