"""The fault model of memory: a wrong weight, against PyTorch and against a program whose constant is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import (
    CellPlaces,
    CellUpset,
    OutputUpset,
    StoredPlaces,
    StoredWeightUpset,
    UpsetMachine,
    WordMemory,
)
from radhard.program.program import Apply
from tests.reference.memory import around, laid_out
from tests.support.models import images, seeded, tiny_program
from tests.support.verbs import floats, network, pictures


def with_wrong_weight(program: rh.Program, name: str, masks: Mapping[int, int]) -> rh.Program:
    """The program with those bits of those words of that constant flipped."""
    step = next(step for step in program.steps if isinstance(step, Apply) and step.site.name == name)
    ref = step.inputs[1]
    assert ref is not None
    words = program.constants[ref.number].numpy().copy(order="C")
    for word, mask in masks.items():
        words.reshape(-1).view(f"u{words.itemsize}")[word] ^= mask
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
        wrong = with_wrong_weight(program, name, {upset.word: 1 << upset.bit})
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
    with pytest.raises(InputError, match="what='biases' is not known; choose from weights, activations, inputs"):
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


@pytest.mark.parametrize("cells", ["pair", "pair-word", "triple"])
@pytest.mark.parametrize("interleave", [1, 4])
def test_several_words_are_those_of_a_program_with_these_weights(cells: str, interleave: int) -> None:
    """Which words are wrong is the reference's: cells laid out one by one."""
    program, batch = tiny_program("int8"), images(24)
    model = rh.MemoryUpsets(cells=rh.read_cell_shapes(cells), line=16, interleave=interleave)
    places = model.places(program)
    assert isinstance(places, CellPlaces)
    machine = UpsetMachine(rh.Clean(), places, seed=5)
    got, clean = rh.run(program, batch, machine).logits, rh.run(program, batch).logits
    shape = [(dx, dy) for dx, dy in model.cells.shapes[0].cells]
    several = 0
    for image, (name, upset) in machine.upsets.items():
        assert isinstance(upset, CellUpset)
        words = upset.memory.words
        lines = laid_out(words.count, 8, at_once=16, interleave=interleave)
        masks: dict[int, int] = {}
        for word, bit in around(lines, (upset.word, upset.bit), shape):
            masks[word] = masks.get(word, 0) ^ 1 << bit
        several += len(masks) > 1
        assert places.words(name, upset) == len(masks)
        wrong = with_wrong_weight(program, name, masks)
        assert torch.equal(got[image], rh.run(wrong, batch).logits[image])
    assert (got != clean).any(1).sum() > 5
    assert several > 10 or (cells, interleave) == ("pair-word", 1)


def test_an_event_of_several_cells_is_where_that_of_one_is() -> None:
    """So shapes, lines and interleaving are compared at the same cells; and one cell in a table of its own is alone."""
    program, ids = tiny_program("int8"), range(200)
    alone = rh.MemoryUpsets().places(program).sample(ids, seed=3, trial=1)
    pairs = rh.MemoryUpsets(cells=rh.read_cell_shapes("pair"), interleave=4).places(program)
    for image, (name, upset) in pairs.sample(ids, seed=3, trial=1).items():
        assert isinstance(upset, CellUpset)
        other = alone[image][1]
        assert isinstance(other, StoredWeightUpset)
        assert (name, upset.word, upset.bit) == (alone[image][0], other.word, other.bit)
    assert pairs.bits == rh.MemoryUpsets().places(program).bits
    assert isinstance(rh.MemoryUpsets(line=32, interleave=4).places(program), StoredPlaces)


def test_shapes_of_a_table_are_drawn_by_their_probabilities(tmp_path: Path) -> None:
    path = tmp_path / "shapes.toml"
    path.write_text(
        'source = "by hand"\nassumes = "nothing"\n[[shapes]]\ncells = [[0, 0]]\nprobability = 0.75\n'
        "[[shapes]]\ncells = [[0, 0], [1, 0]]\nprobability = 0.25\n"
    )
    places = rh.MemoryUpsets(cells=rh.read_cell_shapes(path)).places(tiny_program("int8"))
    sizes = [len(upset.shape) for _, upset in places.sample(range(2000), seed=1, trial=0).values()]  # type: ignore[attr-defined]
    assert sizes.count(2) / 2000 == pytest.approx(0.25, abs=0.04)


def test_check_bits_are_cells_and_cells_are_drawn_uniformly() -> None:
    program = tiny_program("int8")
    places = rh.MemoryUpsets(ecc="secded").places(program, sites=["head"])
    assert isinstance(places, CellPlaces)
    assert places.of["head"] == WordMemory(words=places.of["head"].words, ecc="secded")
    assert places.bits == 5 * 16 // 8 * 72
    bits = [upset.bit for _, upset in places.sample(range(3600), seed=2, trial=0).values()]  # type: ignore[attr-defined]
    assert set(bits) == set(range(72))
    assert sum(bit >= 64 for bit in bits) / 3600 == pytest.approx(8 / 72, abs=0.02)


def by_hand(out: torch.Tensor, word: int, mask: int) -> None:
    """Flip bits of one word of a batch of one, through NumPy's view of its bytes."""
    raw = out.numpy().reshape(-1).view(f"u{out.element_size()}")
    raw[word] ^= raw.dtype.type(mask)


def test_the_words_of_the_image_in_a_float_program_are_its_pixels() -> None:
    """Against PyTorch on a picture with that pixel wrong; the user's own pictures stay as they are."""
    model, batch = network(), floats(pictures(20)[0])
    before = batch.clone()
    program = rh.capture(model, batch)
    places = rh.MemoryUpsets(what="inputs").places(program)
    assert places.bits == 32 * 3 * 8 * 8
    machine = UpsetMachine(rh.Clean(), places, seed=4)
    got, changed = rh.run(program, batch, machine).logits, 0
    for image, (_, upset) in machine.upsets.items():
        assert isinstance(upset, OutputUpset)
        wrong = batch[image : image + 1].clone()
        by_hand(wrong, upset.word, 1 << upset.bit)
        with torch.no_grad():
            torch.testing.assert_close(got[image], model(wrong)[0], rtol=1e-4, atol=1e-4, equal_nan=True)
        changed += not torch.equal(got[image], rh.run(program, batch).logits[image])
    assert changed > 5
    assert torch.equal(batch, before)


def test_the_words_of_the_image_in_an_integer_program_are_those_it_is_quantised_to() -> None:
    """Against the steps after the quantisation, run on words one of which is wrong."""
    model, batch = network(), floats(pictures(20)[0])
    program = rh.quantize(rh.capture(model, batch), [batch])
    places = rh.MemoryUpsets(what="inputs", cells=rh.read_cell_shapes("pair-word"), interleave=2).places(program)
    assert places.bits == 8 * 3 * 8 * 8
    (name,) = places.of
    machine = UpsetMachine(rh.Clean(), places, seed=4)
    got, changed = rh.run(program, batch, machine).logits, 0
    first = next(step for step in program.steps if isinstance(step, Apply))
    assert first.site.name == name
    for image, (_, upset) in machine.upsets.items():
        words = first.operator.kernel([batch[image : image + 1]], lambda _: None).clone()
        lines = laid_out(192, 8, at_once=64, interleave=2)
        for word, bit in around(lines, (upset.word, upset.bit), [(0, 0), (1, 0)]):  # type: ignore[attr-defined]
            by_hand(words, word, 1 << bit)
        values: dict[int, Any] = {**program.constants, program.input: batch[image : image + 1], first.out: words}
        for step in program.steps:
            if step is first:
                continue
            if isinstance(step, Apply):
                inputs = [None if ref is None else values[ref.number] for ref in step.inputs]
                values[step.out] = step.operator.kernel(inputs, lambda _: None)
            else:
                values[step.out] = step.moved(values.__getitem__)
        assert torch.equal(got[image], values[program.output][0])
        changed += not torch.equal(got[image], rh.run(program, batch).logits[image])
    assert changed > 5


def test_an_image_that_is_not_read_from_memory_has_no_words() -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.other = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (self.one(x) + self.other(x)).flatten(1)

    batch = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    twice = rh.capture(seeded(Doubled()), batch)
    with pytest.raises(InputError, match=r"load the image: an upset of a word would be of all of them"):
        rh.MemoryUpsets(what="inputs").places(twice)
    quantized = rh.quantize(twice, [batch])
    assert rh.MemoryUpsets(what="inputs").places(quantized).bits % (8 * 16) == 0
    with pytest.raises(InputError, match=r"none of the sites has words of the image; those that have: "):
        rh.MemoryUpsets(what="inputs").places(quantized, sites=["one"])


def test_lines_that_do_not_hold_whole_codewords_are_refused() -> None:
    with pytest.raises(InputError, match=r"line=64: a line holds whole groups of 16 codewords of 8 words"):
        rh.MemoryUpsets(interleave=16, ecc="secded").places(tiny_program("int8"))
    with pytest.raises(InputError, match=r"cells='pair': give radhard.read_cell_shapes\('pair'\)"):
        rh.MemoryUpsets(cells="pair")  # type: ignore[arg-type]
