"""A unit of work on the real model, against runs of its images one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from radhard.campaign import measure as measuring
from radhard.campaign.experiment import Setting, Unit
from radhard.campaign.measure import Job, measure, predictions
from radhard.campaign.model_under_test import ModelUnderTest, clean_setting, exposed_bits, faulty_setting
from radhard.campaign.outcomes import UNDECIDED, Outcome, pack
from radhard.errors import InputError
from radhard.faults import Faults, Faulty, Where, room
from radhard.machine import Clean
from radhard.program import run
from tests.support.models_under_test import fashion_under_test

START, STOP = 7, 19


@pytest.fixture(scope="module")
def model_under_test() -> ModelUnderTest:
    return fashion_under_test("int8")


def unit(setting: Setting, *, trial: int = 0) -> Unit:
    return Unit(setting=setting, trial=trial, start=START, stop=STOP)


def measured(setting: Setting, model_under_test: ModelUnderTest, *, trial: int = 0, batch: int = 64) -> Outcome:
    clean = alone(unit(setting).without_faults(), model_under_test, batch=batch)
    return alone(unit(setting, trial=trial), model_under_test, clean=clean, batch=batch)


def alone(unit: Unit, model_under_test: ModelUnderTest, *, clean: Outcome | None = None, batch: int = 64) -> Outcome:
    (found,) = measure(Job(units=(unit,), clean=clean), model_under_test, batch=batch)
    return found.outcome


@pytest.mark.parametrize("flips", [1.0, 300.0])
def test_a_unit_is_what_its_images_give_one_by_one(model_under_test: ModelUnderTest, flips: float) -> None:
    program = model_under_test.programs["int8"]
    setting = faulty_setting(model_under_test, "int8", ber=flips / exposed_bits(program, Faults(ber=0.0)), seed=3)
    found = measured(setting, model_under_test, trial=2)
    hit = 0
    for place, image in enumerate(range(START, STOP)):
        ids = torch.tensor([image])
        machine = Faulty(Clean(), Faults(ber=setting.ber, seed=3, trial=2))
        faulty = run(program, model_under_test.images(ids), machine, ids=ids)
        clean = run(program, model_under_test.images(ids), Clean(), ids=ids)
        answer = int(faulty.logits.argmax())
        assert machine.flips is not None
        hit += len(machine.flips) > 0
        assert found.flips[place] == len(machine.flips)
        assert found.prediction[place] == answer
        assert found.correct[place] == (answer == int(model_under_test.data.labels[image]))
        assert found.changed[place] == (answer != int(clean.logits.argmax()))
        assert found.non_finite[place] == int(faulty.non_finite[0])
    assert hit > 0
    assert hit < STOP - START or flips > 100  # at one flip an image some have none: these were not run


@pytest.mark.parametrize("batch", [1, 5, 7])
def test_the_batch_does_not_matter(
    model_under_test: ModelUnderTest, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = faulty_setting(model_under_test, "int8", ber=2e-7)
    expected = pack(measured(setting, model_under_test))
    monkeypatch.setattr(room, "DRAWN_AT_ONCE", 300)  # so that flips are drawn in groups, too
    assert pack(measured(setting, model_under_test, batch=batch)) == expected


def test_the_place_of_an_image_does_not_matter(model_under_test: ModelUnderTest) -> None:
    setting = faulty_setting(model_under_test, "int8", ber=2e-7)
    expected = measured(setting, model_under_test)
    order = torch.arange(START, STOP).flip(0)
    other = replace(model_under_test, data=model_under_test.data.take(order, name=model_under_test.data.name))
    here = Unit(setting=setting, trial=0, start=0, stop=STOP - START)
    clean = alone(here.without_faults(), other, batch=5)
    found = alone(here, other, clean=clean, batch=5)
    assert expected.flips.sum() > 0
    for name in ("prediction", "correct", "changed", "non_finite", "flips"):
        assert np.array_equal(getattr(found, name)[::-1], getattr(expected, name)), name


def test_images_without_a_flip_are_not_run(model_under_test: ModelUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = faulty_setting(model_under_test, "int8", ber=1e-15)
    clean = alone(unit(setting).without_faults(), model_under_test)
    monkeypatch.setattr(measuring, "run", None)
    (found,) = measure(Job(units=(unit(setting),), clean=clean), model_under_test, batch=64)
    assert pack(found.outcome) == pack(replace(clean, leading=None))
    assert found.outcome.flips.sum() == found.passes == 0


def test_an_image_without_a_flip_has_its_clean_answer_wherever_that_was_made(
    model_under_test: ModelUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All images are run here; another device may have made the clean answers, and have answered one otherwise."""
    setting = faulty_setting(
        model_under_test, "int8", ber=1.0 / exposed_bits(model_under_test.programs["int8"], Faults(ber=0.0)), seed=3
    )
    here = alone(unit(setting).without_faults(), model_under_test)
    there = replace(here, prediction=(here.prediction + 1) % 10, non_finite=here.non_finite + 2)
    monkeypatch.setattr(room, "DRAWN_AT_ONCE", 1)
    found = alone(unit(setting), model_under_test, clean=there)
    unhit = found.flips == 0
    assert 0 < unhit.sum() < len(unhit)
    assert (found.prediction[unhit] == there.prediction[unhit]).all()
    assert (found.non_finite[unhit] == 2).all()
    assert not found.changed[unhit].any()
    assert (found.prediction[~unhit] != there.prediction[~unhit]).any()


def test_passes_are_images_that_were_run(model_under_test: ModelUnderTest) -> None:
    setting = faulty_setting(
        model_under_test, "int8", ber=1.0 / exposed_bits(model_under_test.programs["int8"], Faults(ber=0.0))
    )
    (clean,) = measure(Job(units=(unit(setting).without_faults(),), clean=None), model_under_test, batch=5)
    (found,) = measure(Job(units=(unit(setting),), clean=clean.outcome), model_under_test, batch=5)
    assert clean.passes == STOP - START
    assert found.passes == np.count_nonzero(found.outcome.flips)
    assert 0 < found.passes < STOP - START
    assert min(clean.seconds, found.seconds) > 0


def test_faults_need_the_clean_outcome(model_under_test: ModelUnderTest) -> None:
    with pytest.raises(InputError, match="clean outcome"):
        alone(unit(faulty_setting(model_under_test, "int8", ber=1e-8)), model_under_test)


def test_a_nan_is_no_class() -> None:
    inf, nan = float("inf"), float("nan")
    logits = torch.tensor([[0.0, 2.0, 1.0], [nan, 2.0, 1.0], [inf, 0.0, inf], [-inf, -inf, -inf], [0.0, 0.0, nan]])
    assert predictions(logits).tolist() == [1, UNDECIDED, 0, 0, UNDECIDED]
    assert predictions(logits).dtype == np.int32


def test_the_selection_and_its_complement_share_all_bits(model_under_test: ModelUnderTest) -> None:
    program, layer = model_under_test.programs["int8"], Where(layers=("blocks.2",))
    everywhere = exposed_bits(program, Faults(ber=1e-8))
    inside = exposed_bits(program, Faults(ber=1e-8, where=layer))
    outside = exposed_bits(program, Faults(ber=1e-8, where=~layer))
    assert 0 < inside < everywhere
    assert inside + outside == everywhere
    assert faulty_setting(model_under_test, "int8", ber=1e-8, where=layer).bits == inside
    with pytest.raises(InputError, match=r"blocks\.99"):
        faulty_setting(model_under_test, "int8", ber=1e-8, where=Where(layers=("blocks.99",)))


def test_another_program_is_not_taken_for_the_settings_own(model_under_test: ModelUnderTest) -> None:
    setting = clean_setting(model_under_test, "int8")
    other = ModelUnderTest(
        model=model_under_test.model,
        programs={"int8": model_under_test.programs["float"]},
        data=model_under_test.data,
        mean=model_under_test.mean,
        std=model_under_test.std,
    )
    with pytest.raises(InputError, match=f"wants the int8 program {setting.program[:12]}, the model under test holds"):
        alone(unit(setting), other)
