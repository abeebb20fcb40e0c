"""The fault model of memory: a wrong weight, against PyTorch and against a program whose constant is wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import StoredWeightUpset, UpsetMachine
from radhard.program.program import Apply
from tests.support.models import images, seeded, tiny_program
from tests.support.verbs import floats, network, pictures


def with_wrong_weight(program: rh.Program, name: str, upset: StoredWeightUpset) -> rh.Program:
    """The program with that bit of that constant flipped."""
    step = next(step for step in program.steps if isinstance(step, Apply) and step.site.name == name)
    ref = step.inputs[1]
    assert ref is not None
    words = program.constants[ref.number].numpy().copy(order="C")
    words.reshape(-1).view(f"u{words.itemsize}")[upset.word] ^= 1 << upset.bit
    constants = {**program.constants, ref.number: torch.from_numpy(words)}
    return replace(program, constants=constants)


@pytest.mark.parametrize("recipe", ["int8", "int8-float"])
def test_an_image_has_the_answer_of_a_program_with_that_weight(recipe: str) -> None:
    """Linear layers, a convolution and products of activations; the other images of the batch are not touched."""
    program, batch = tiny_program(recipe), images(24)
    places = rh.MemoryUpsets().places(program)
    machine = UpsetMachine(rh.Clean(), places, seed=5)
    got, clean = rh.run(program, batch, machine).logits, rh.run(program, batch).logits
    for image, (name, upset) in machine.upsets.items():
        assert isinstance(upset, StoredWeightUpset)
        wrong = with_wrong_weight(program, name, upset)
        assert torch.equal(got[image], rh.run(wrong, batch).logits[image])
    assert (got != clean).any(1).sum() > 5


def test_a_convolution_in_groups_and_float_words_are_those_of_pytorch() -> None:
    model = seeded(nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.Flatten(), nn.Linear(6 * 16, 5)))
    batch = torch.randn(6, 4, 6, 6, generator=torch.Generator().manual_seed(3))
    program = rh.capture(model, batch)
    places = rh.MemoryUpsets().places(program)
    assert places.bits == 32 * (6 * 2 * 9 + 96 * 5)
    for image in range(6):
        upset = StoredWeightUpset(words=places.of["0"], word=17 * image + 3, bit=29, image=image)
        machine = UpsetMachine(rh.Clean(), places, given={image: ("0", upset)})
        got = rh.run(program, batch, machine, ids=torch.arange(6)).logits
        wrong = seeded(nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.Flatten(), nn.Linear(6 * 16, 5)))
        with torch.no_grad():
            raw = wrong[0].weight.numpy().reshape(-1).view(np.uint32)  # type: ignore[union-attr, operator]
            raw[upset.word] ^= np.uint32(1 << 29)
            want = wrong(batch)[image]
        torch.testing.assert_close(got[image], want, rtol=1e-4, atol=1e-4)
        others = [other for other in range(6) if other != image]
        assert torch.equal(got[others], rh.run(program, batch).logits[others])


def test_activations_are_the_outputs_of_all_operators() -> None:
    program = tiny_program("int8")
    stored = rh.MemoryUpsets(what="activations").places(program)
    assert stored == rh.OutputUpsets(of="operators").places(program)
    assert stored.bits != rh.MemoryUpsets().places(program).bits


def test_a_word_is_stored_once_however_many_read_it() -> None:
    """By hand: the image and the outputs of three layers in words of 8 bits, and the logits once more as floats."""
    convolutions = (nn.Conv2d(3, 6, (3, 2), stride=(2, 1), padding=(1, 0)), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6))
    model = seeded(nn.Sequential(*convolutions, nn.ReLU(), nn.Flatten(), nn.Linear(6 * 6 * 11, 7)))
    batch = torch.randn(4, 3, 16, 14, generator=torch.Generator().manual_seed(3))
    program = rh.quantize(rh.capture(model, batch), [batch])
    words = 3 * 16 * 14 + 6 * 8 * 13 + 6 * 6 * 11 + 7
    assert rh.MemoryUpsets(what="activations").places(program).bits == 8 * words + 32 * 7
    assert rh.OutputUpsets().places(program).bits == 8 * (words - 3 * 16 * 14)
    assert rh.MemoryUpsets().places(program).bits == 8 * (6 * 3 * 6 + 6 * 9 + 7 * 6 * 6 * 11)


def test_no_protection_is_measured_under_wrong_weights() -> None:
    model, batch = rh.capture(network(), floats(pictures()[0][:2]), name="small"), floats(pictures(160)[0])
    labels = pictures(160)[1]
    options, run = rh.CompareOptions(schemes=("tmr",)), rh.RunOptions(images=4, trials=1)
    with pytest.raises(InputError, match=r"faults memory:what=weights: no protection .* read the same wrong weight"):
        rh.compare(model, (batch, labels), fault_model="memory:what=weights", compare_options=options, run=run)


def test_what_has_no_place_is_refused() -> None:
    program = tiny_program("int8")
    softmax = next(site.name for site in program.sites if site.operator == "softmax")
    with pytest.raises(InputError, match="none of the sites is a convolution or a linear layer"):
        rh.MemoryUpsets().places(program, sites=[softmax])
    with pytest.raises(InputError, match="what='biases' is not known; choose from weights, activations"):
        rh.MemoryUpsets(what="biases")  # type: ignore[arg-type]

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(self.layer(x))

    tied = rh.capture(Tied().eval(), torch.ones(2, 6))
    with pytest.raises(InputError, match=r"sites .* read one weight"):
        rh.MemoryUpsets().places(tied)
    assert len(rh.OutputUpsets().places(tied).of) == 2
