"""The fault model of outputs, against a hook of PyTorch that flips the same bit, and word by word."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import radhard as rh
from radhard.errors import InputError
from radhard.hardware import OutputUpset, StoredPlaces, UpsetMachine, WordArray
from radhard.machine import Recording
from tests.support.models import MultiheadViT, images, tiny_program
from tests.support.verbs import floats, network, pictures


def hooked(model: nn.Module, layer: str, batch: Tensor, *, slot: int, word: int, bit: int) -> Tensor:
    """The logits of PyTorch with that bit of the layer's output flipped by a hook, as fault injectors do it."""

    def flip(_: nn.Module, __: object, out: Tensor) -> Tensor:
        raw = out.detach().numpy().copy()
        flat = raw[slot].reshape(-1)
        flat.view(np.uint32)[word] ^= np.uint32(1 << bit)
        return torch.from_numpy(raw)

    handle = model.get_submodule(layer).register_forward_hook(flip)
    with torch.no_grad():
        logits = model(batch)
    handle.remove()
    return logits


def test_float_words_flip_as_a_hook_flips_them() -> None:
    model, batch = network(), floats(pictures()[0][:12])
    program = rh.capture(model, batch)
    places = rh.OutputUpsets().places(program)
    assert {name: words.shape for name, words in places.of.items()} == {"0": (1, 4, 4, 4), "3": (1, 5)}
    assert places.bits == (64 + 5) * 32
    machine = UpsetMachine(rh.Clean(), places, seed=2)
    got = rh.run(program, batch, machine).logits
    clean = rh.run(program, batch).logits
    for slot, (layer, upset) in machine.upsets.items():
        assert isinstance(upset, OutputUpset)
        want = hooked(model, layer, batch, slot=slot, word=upset.word, bit=upset.bit)
        torch.testing.assert_close(got[slot], want[slot], equal_nan=True)
    assert (got != clean).any(1).sum() >= 4  # of 12: a ReLU hides some


@pytest.mark.parametrize("kind", ["tiny", "batch in the middle"])
@pytest.mark.parametrize("of", ["layers", "operators"])
def test_exactly_one_bit_of_one_word_is_another(kind: str, of: str) -> None:
    program = tiny_program("int8") if kind == "tiny" else tiny_program("int8", MultiheadViT)
    places = rh.OutputUpsets(of=of).places(program)  # type: ignore[arg-type]
    batch, ids = images(9), torch.arange(9)
    clean = Recording(rh.Clean())
    rh.run(program, batch, clean, ids=ids)
    sites = {site.name: site for site in program.sites}
    for image, (name, upset) in places.sample(range(9), seed=1).items():
        assert isinstance(upset, OutputUpset)
        machine = UpsetMachine(rh.Clean(), places, given={image: (name, upset)})
        struck = Recording(machine)
        rh.run(program, batch, struck, ids=ids)
        before, after = (each.outputs[sites[name]] for each in (clean, struck))
        raw = [np.ascontiguousarray(x.numpy()).view(f"u{x.element_size()}") for x in (before, after)]
        differing = np.argwhere(raw[0] != raw[1])
        assert len(differing) == 1
        at = tuple(differing[0])
        assert int(raw[0][at]) ^ int(raw[1][at]) == 1 << upset.bit
        own = sites[name].take(after, torch.tensor([image])).flatten()[upset.word]
        assert own == after[at] or bool(own.isnan())


def test_all_bits_of_all_words_are_alike() -> None:
    narrow = WordArray(dtype=torch.int8, shape=(1, 3))
    wide = WordArray(dtype=torch.float32, shape=(1, 2))
    places = StoredPlaces(of={"narrow": narrow, "wide": wide}, kind=OutputUpset)
    assert places.bits == 3 * 8 + 2 * 32
    drawn = [
        (name, upset.word, upset.bit)  # type: ignore[attr-defined]
        for name, upset in places.sample(range(8800), seed=4).values()
    ]
    counts = Counter(drawn)
    assert len(counts) == 88
    assert 60 < min(counts.values()) <= max(counts.values()) < 145  # 100 in the mean, 4 deviations


def test_where_an_upset_is_is_told_and_read_again() -> None:
    words = WordArray(dtype=torch.float32, shape=(1, 4, 8, 8))
    places = StoredPlaces(of={"conv": words}, kind=OutputUpset)
    upset = OutputUpset(words=words, word=70, bit=31, image=3)
    assert places.told("conv", upset) == "bit 31 of word [0, 1, 0, 6]"
    assert places.upset("conv", {"word": "70", "bit": 31, "effect": "read by nobody"}, image=3) == upset
    for record, message in (
        ({"word": 256, "bit": 0}, "word 256: there are 1 x 4 x 8 x 8 words of 32 bits"),
        ({"word": 0, "bit": 32}, "bit 32: there are"),
        ({"word": 0}, r"bit \(nothing\) is not a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            places.upset("conv", record, image=3)
    with pytest.raises(InputError, match="site 'there' has no such word; those that have: conv"):
        places.upset("there", {"word": 0, "bit": 0}, image=3)


def test_what_has_no_place_is_refused() -> None:
    program = tiny_program("int8")
    softmax = next(site.name for site in program.sites if site.operator == "softmax")
    with pytest.raises(InputError, match=r"none of the sites is one of words that convolutions.*outputs:of=operators"):
        rh.OutputUpsets().places(program, sites=[softmax])
    assert set(rh.OutputUpsets(of="operators").places(program, sites=[softmax]).of) == {softmax}
    with pytest.raises(InputError, match="of='weights' is not known; choose from layers, operators"):
        rh.OutputUpsets(of="weights")  # type: ignore[arg-type]
