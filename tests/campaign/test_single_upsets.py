"""Single upsets of registers: outcomes against each image run alone, and plans that see all or nothing."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import radhard as rh
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.single_upsets import UpsetCampaign
from radhard.errors import InputError
from radhard.hardware import EffectiveUpsets, FaultyArray, MemoryUpsets, OutputUpset, SystolicArray, array_products
from radhard.machine import Operator, Site, Wrapping
from radhard.program import run_and_keep
from radhard.protection import LbAbft, Protection, RowAbft, Tmr, cube
from radhard.studies.under_test import under_test
from tests.support.verbs import network, pictures

ARRAY = SystolicArray(rows=4, columns=4)
REGISTERS = tuple(ARRAY.registers)
IMAGES, TRIALS = 20, 3


def set_up() -> tuple[ModelUnderTest, rh.Program]:
    found = under_test(network(), pictures(), images=IMAGES)
    return found, found.programs["int8"]


def campaign(protection: Protection | None = None, *, batch: int = 7, images: int = IMAGES) -> UpsetCampaign:
    return UpsetCampaign(
        array=ARRAY, struck=REGISTERS, images=images, trials=TRIALS, seed=5, batch=batch, protection=protection
    )


def test_outcomes_are_those_of_each_image_alone() -> None:
    model_under_test, program = set_up()
    found = campaign().measure(model_under_test, program)
    products, data = array_products(program.costs), model_under_test.data
    batch = model_under_test.images(torch.arange(IMAGES))
    clean = rh.run(program, batch).logits.argmax(1)
    spoiled = 0
    for register in REGISTERS:
        upsets = EffectiveUpsets(array=ARRAY, products=products, register=register)
        wrong = np.zeros(IMAGES, np.int64)
        for place in range(IMAGES):
            ids = data.ids[place : place + 1]
            for trial in range(TRIALS):
                site, upset = upsets.sample(seed=5, trial=trial, image=int(ids[0]))
                machine = FaultyArray(rh.Clean(), upset, sites=[site])
                logits = rh.run(program, batch[place : place + 1], machine, ids=ids).logits
                wrong[place] += int(logits.argmax(1)[0]) != int(clean[place])
        assert found[register].wrong.tolist() == wrong.tolist()
        assert found[register].upsets.tolist() == [TRIALS] * IMAGES
        assert found[register].silent is None
        spoiled += int(wrong.sum())
    assert spoiled > 3


class Flipped(Wrapping):
    """Flips bits of a word of one site, of the only image, by NumPy."""

    def __init__(self, site: str, index: int, mask: int) -> None:
        super().__init__(rh.Clean())
        self.site, self.index, self.mask = site, index, mask

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        out = self.inner.apply(operator, inputs, site)
        if site.name != self.site:
            return out
        words = out.numpy().copy()
        words.view(np.uint8).reshape(-1)[self.index] ^= np.uint8(self.mask)
        return torch.from_numpy(words)


def test_upsets_of_stored_words_are_those_of_each_image_alone() -> None:
    model_under_test, program = set_up()
    struck = UpsetCampaign(array=ARRAY, struck=("activations",), images=IMAGES, trials=30, seed=5, batch=7)
    found = struck.measure(model_under_test, program)["activations"]
    data, batch = model_under_test.data, model_under_test.images(torch.arange(IMAGES))
    kept = run_and_keep(program, batch, rh.Clean(), ids=data.ids[:IMAGES])
    places = MemoryUpsets(what="activations").places(program)
    words = replace(places, of={name: own for name, own in places.of.items() if own.dtype in (torch.int8, torch.uint8)})
    written = {site.name: out[0].numel() for site, out in kept.outputs.items() if site.name in words.of}
    assert {name: own.count for name, own in words.of.items()} == written
    assert sum(written.values()) >= 64  # what the convolution writes
    wrong = np.zeros(IMAGES, np.int64)
    for place in range(IMAGES):
        ids = data.ids[place : place + 1]
        for trial in range(30):
            ((site, upset),) = words.sample(ids.tolist(), seed=5, trial=trial).values()
            assert isinstance(upset, OutputUpset)
            machine = Flipped(site, upset.word, 1 << upset.bit)
            logits = rh.run(program, batch[place : place + 1], machine, ids=ids).logits
            wrong[place] += int(logits.argmax(1)[0]) != int(kept.result.logits[place].argmax())
    assert found.wrong.tolist() == wrong.tolist()
    assert wrong.sum() > 3


def test_checks_read_what_is_stored() -> None:
    """So no scheme sees an upset of an activation that is there before it is read."""
    model_under_test, program = set_up()
    every = Protection.of({name: Tmr() for name in array_products(program.costs)})
    struck = UpsetCampaign(
        array=ARRAY, struck=("activations",), images=IMAGES, trials=30, seed=5, batch=7, protection=every
    )
    found = struck.measure(model_under_test, program)["activations"]
    assert found.silent is not None
    assert found.silent.tolist() == found.wrong.tolist()


def test_batches_change_nothing_and_progress_counts_inferences() -> None:
    model_under_test, program = set_up()
    seen: list[tuple[int, int]] = []
    one = campaign(batch=20).measure(model_under_test, program)
    counted = UpsetCampaign(
        array=ARRAY,
        struck=REGISTERS,
        images=IMAGES,
        trials=TRIALS,
        seed=5,
        batch=6,
        progress=lambda *at: seen.append(at),
    )
    other = counted.measure(model_under_test, program)
    assert all(one[name].wrong.tolist() == other[name].wrong.tolist() for name in REGISTERS)
    total = IMAGES * TRIALS * len(REGISTERS)
    assert seen[-1] == (total, total)


@pytest.mark.parametrize("scheme", [Tmr(), RowAbft(block=cube(8))])
def test_a_plan_of_all_products_misses_nothing_and_one_of_none_misses_all(scheme: Tmr | RowAbft) -> None:
    model_under_test, program = set_up()
    every = Protection.of(dict.fromkeys(array_products(program.costs), scheme))
    covered = campaign(every).measure(model_under_test, program)
    bare = campaign(Protection()).measure(model_under_test, program)
    for name in REGISTERS:
        assert covered[name].silent is not None
        assert bare[name].silent is not None
        assert covered[name].wrong.tolist() == bare[name].wrong.tolist() == bare[name].silent.tolist()
        assert covered[name].silent.sum() == 0
    assert sum(int(each.wrong.sum()) for each in covered.values()) > 3


def test_what_raises_an_alarm_is_not_silent() -> None:
    """Blocks are checked, and those with several wrong words are left as they are: which is known."""
    model_under_test, program = set_up()
    every = Protection.of(dict.fromkeys(array_products(program.costs), LbAbft(block=cube(64), policy="leave")))
    found = campaign(every).measure(model_under_test, program)
    left = 0
    for outcomes in found.values():
        assert outcomes.silent is not None
        assert outcomes.silent.sum() == 0
        left += int(outcomes.wrong.sum())
    assert left > 3


def test_more_images_than_there_are_are_refused() -> None:
    model_under_test, program = set_up()
    with pytest.raises(InputError, match=r"images 1000: .* has 4"):
        campaign(images=1000).measure(model_under_test, program)
