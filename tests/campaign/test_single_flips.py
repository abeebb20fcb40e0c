"""Settings of one flip an inference: their places, and that runs from the clean one on give what full runs give."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from radhard.campaign.components import BYS
from radhard.campaign.effects import effects
from radhard.campaign.execute import execute
from radhard.campaign.executor import InProcess
from radhard.campaign.experiment import Campaign, Setting, Unit
from radhard.campaign.image_rows import image_rows
from radhard.campaign.measure import Job, measure
from radhard.campaign.model_under_test import ModelUnderTest, clean_setting, exposed_bits, faulty_setting
from radhard.campaign.outcomes import UNDECIDED, Outcome, pack
from radhard.campaign.single_flips import targets
from radhard.campaign.store import Provenance, Store
from radhard.errors import InputError
from radhard.faults import Where, trace
from tests.support.campaigns import setting
from tests.support.explorations import tiny_under_test


@pytest.fixture(scope="module")
def model_under_test() -> ModelUnderTest:
    return tiny_under_test()


def whole(model_under_test: ModelUnderTest, **changes: object) -> Setting:
    return replace(faulty_setting(model_under_test, "int8", flips=1, seed=3), **changes)


@pytest.mark.parametrize("by", BYS)
def test_components_share_the_bits_of_the_whole(model_under_test: ModelUnderTest, by: str) -> None:
    every = whole(model_under_test)
    program = model_under_test.programs["int8"]
    found = targets(model_under_test, every, by=by, grid=(2, 2) if by == "patch" else None)
    assert len({target.setting.digest for target in found}) == len(found) > 1
    assert sum(target.setting.bits for target in found if not target.part) == every.bits
    for target in found:
        assert target.setting.flips == 1
        assert target.setting.bits == exposed_bits(program, target.setting.faults(0))


@pytest.mark.parametrize("by", ["layer", "module", "site"])
def test_flips_are_in_their_component(model_under_test: ModelUnderTest, by: str) -> None:
    program = model_under_test.programs["int8"]
    base = whole(model_under_test, where=~Where(sites=("head",)))
    base = replace(base, bits=exposed_bits(program, base.faults(0)))
    name = {site.name: getattr(site, "name" if by == "site" else by) for site in program.costs}
    for target in targets(model_under_test, base, by=by):
        flips = trace(program, target.setting.faults(1), np.arange(50))
        hit = {flips.sites[place] for place in flips.site}
        assert "head" not in hit
        assert {name[site] for site in hit} == {target.name.partition(": ")[0]}
        assert Counter(flips.image.tolist()) == dict.fromkeys(range(50), 1)


def test_only_some_components(model_under_test: ModelUnderTest) -> None:
    found = targets(model_under_test, whole(model_under_test), by="layer", only=("blocks.*",))
    assert found
    assert all(target.name.startswith("blocks.") for target in found)
    with pytest.raises(InputError, match="nothing"):
        targets(model_under_test, whole(model_under_test), by="layer", only=("nothing",))
    with pytest.raises(InputError, match="give a number of flips"):
        targets(model_under_test, faulty_setting(model_under_test, "int8", ber=1e-6), by="layer")
    with pytest.raises(InputError, match="grid 7x7"):
        targets(model_under_test, whole(model_under_test), by="patch")


@pytest.mark.parametrize("flips", [1, 3])
@pytest.mark.parametrize("batch", [64, 5])
def test_runs_from_the_clean_one_on_give_what_full_runs_give(
    model_under_test: ModelUnderTest, flips: int, batch: int
) -> None:
    clean = Unit(setting=clean_setting(model_under_test, "int8"), trial=0, start=2, stop=19)
    settings = [
        replace(target.setting, flips=flips)
        for target in targets(model_under_test, whole(model_under_test), by="layer")
    ]
    units = [Unit(setting=one, trial=4, start=2, stop=19) for one in settings]
    (known,) = measure(Job(units=(clean,), clean=None), model_under_test, batch=batch)
    first, *together = measure(Job(units=(clean, *units), clean=known.outcome), model_under_test, batch=batch)
    assert pack(first.outcome) == pack(known.outcome)
    changed, passes = 0, [0.0, 0.0]
    for unit, found in zip(units, together, strict=True):
        (alone,) = measure(Job(units=(unit,), clean=known.outcome), model_under_test, batch=batch)
        assert found.outcome.reached is not None  # only a run from the clean one on knows it
        assert pack(replace(found.outcome, reached=None)) == pack(alone.outcome)
        assert found.outcome.flips.tolist() == [flips] * 17
        passes = [passes[0] + found.passes, passes[1] + alone.passes]
        changed += int(found.outcome.changed.sum())
    assert changed > 0
    assert passes[0] < 0.95 * passes[1]


def test_a_campaign_starts_from_its_clean_run(model_under_test: ModelUnderTest, tmp_path: object) -> None:
    clean = clean_setting(model_under_test, "int8")
    ones = [target.setting for target in targets(model_under_test, whole(model_under_test), by="layer")]
    campaign = Campaign(settings=(clean, *ones), images=12, trials=2, chunk=5, whole=clean)
    with Store(tmp_path / "run.db") as store:  # type: ignore[operator]
        states = list(
            execute(
                campaign,
                store,
                executor=InProcess(model_under_test=model_under_test),
                model_under_test=model_under_test,
            )
        )
        assert [state.done for state in states] == list(range(1, 3 + 2 * 3 * len(ones) + 1))
        assert {trial for digest, trial, *_ in store.keys() if digest == clean.digest} == {0}  # noqa: SIM118
        assert effects(campaign, ones[0], store=store).trials.tolist() == [2] * 12


def test_what_does_not_start_from_the_clean_run_is_refused() -> None:
    clean = setting(0.0).without_faults()
    one = replace(clean, flips=1, kinds=frozenset({"mul"}), bits=100)
    Campaign(settings=(clean, one), images=1, whole=clean)
    for other in (setting(1e-8), replace(one, program="cd" * 32), replace(one, data_digest="ef" * 32)):
        with pytest.raises(InputError, match="does not start from the clean run"):
            Campaign(settings=(clean, one, other), images=1, whole=clean)


def test_fewer_flips_are_within_more_of_the_same_places() -> None:
    one = setting(0.0, flips=1)
    assert one.within(setting(0.0, flips=2))
    assert not setting(0.0, flips=2).within(one)
    assert not one.within(setting(1e-3))
    assert not setting(1e-3).within(one)
    assert not one.within(setting(0.0, flips=2, where=Where(sites=("a",))))
    assert not replace(one, where=Where(sites=("a",))).within(setting(0.0, flips=2))
    assert one.without_faults().within(one)


def test_a_count_has_a_digest_of_its_own_and_rates_keep_theirs() -> None:
    assert len({setting(0.0).digest, setting(0.0, flips=1).digest, setting(0.0, flips=2).digest}) == 3
    assert "flips" not in setting(1e-8).text
    assert '"flips":1' in setting(0.0, flips=1).text
    assert not setting(0.0, flips=1).clean
    assert setting(0.0, flips=3).flips_expected == 3
    assert (setting(0.0, flips=1).rate, setting(0.0, flips=2).rate) == ("1 flip an inference", "2 flips an inference")


@pytest.mark.parametrize("labelled", [True, False])
def test_effects_by_hand(tmp_path: object, labelled: bool) -> None:
    """Images: unharmed, an SDC that was right, one that was wrong, one mended, a NaN, a NaN in the clean run too."""
    one = setting(0.0, flips=1, labelled=labelled)
    campaign = Campaign(settings=(one,), images=6, trials=3, chunk=6)

    def outcome(prediction: list[int], label: list[int], clean: list[int]) -> Outcome:
        found, answers, labels = (np.array(x, np.int32) for x in (prediction, clean, label))
        correct = found == (labels if labelled else answers)
        return Outcome(
            prediction=found, correct=correct, changed=found != answers, non_finite=0 * found, flips=0 * found + 1
        )

    clean = [1, 2, 3, 4, 5, UNDECIDED]
    label = [1, 2, 0, 9, 5, 6]
    with Store(tmp_path / "run.db") as store:  # type: ignore[operator]
        how = Provenance(seconds=0.0, passes=0.0, made_by="{}")
        unit = Unit(setting=one, trial=0, start=0, stop=6)
        before = Unit(setting=one.without_faults(), trial=0, start=0, stop=6)
        store.write(before, outcome(clean, label, clean), provenance=how)
        store.write(unit, outcome([1, 7, 7, 9, UNDECIDED, UNDECIDED], label, clean), provenance=how)
        store.write(replace(unit, trial=2), outcome([1, 7, 3, 4, 5, 6], label, clean), provenance=how)
        found = effects(campaign, one, store=store)
    assert found.trials.tolist() == [2] * 6
    assert found.sdc.tolist() == [0, 2, 1, 1, 0, 1]
    assert found.critical.tolist() == ([0, 2, 0, 0, 0, 0] if labelled else [0] * 6)
    assert found.due.tolist() == [0, 0, 0, 0, 1, 0]


def test_effects_that_need_more_than_the_answer(tmp_path: object) -> None:
    """Images: masked, benign, an SDC among the five leading classes, one beyond, a NaN; and an older store."""
    one = setting(0.0, flips=1)
    campaign = Campaign(settings=(one,), images=5, chunk=5)
    five = np.array([[c, 10, 11, 12, 13] for c in range(5)], np.int32)

    def outcome(prediction: list[int], **more: np.ndarray) -> Outcome:
        found, clean = np.array(prediction, np.int32), np.arange(5, dtype=np.int32)
        correct = found == clean
        return Outcome(prediction=found, correct=correct, changed=~correct, non_finite=0 * found, flips=found, **more)

    how = Provenance(seconds=0.0, passes=0.0, made_by="{}")
    unit = Unit(setting=one, trial=0, start=0, stop=5)
    before = unit.without_faults()
    answers = [0, 1, 13, 7, UNDECIDED]
    with Store(tmp_path / "run.db") as store:  # type: ignore[operator]
        store.write(before, outcome([0, 1, 2, 3, 4]), provenance=how)
        store.write(unit, outcome(answers), provenance=how)
        older = effects(campaign, one, store=store)
        store.write(before, outcome([0, 1, 2, 3, 4], leading=five), provenance=how)
        store.write(unit, outcome(answers, reached=np.array([False, True, True, True, True])), provenance=how)
        store.write(unit, outcome(answers), provenance=how)  # knows less, and takes nothing away
        found = effects(campaign, one, store=store)
    assert (older.masked, older.benign, older.sdc5) == (None, None, None)
    assert older.sdc.tolist() == found.sdc.tolist() == [0, 0, 1, 1, 0]
    assert found.masked is not None
    assert found.masked.tolist() == [1, 0, 0, 0, 0]
    assert found.benign is not None
    assert found.benign.tolist() == [0, 1, 0, 0, 0]
    assert found.sdc5 is not None
    assert found.sdc5.tolist() == [0, 0, 0, 1, 0]
    assert found.due.tolist() == [0, 0, 0, 0, 1]


def test_a_component_without_exposed_bits_is_named(model_under_test: ModelUnderTest) -> None:
    only_special = whole(model_under_test, kinds=frozenset({"special"}))
    named = next(site.name for site in model_under_test.programs["int8"].sites if site.operator == "linear")
    with pytest.raises(InputError, match=f"component {named}: site {named} has no exposed bit .kinds special"):
        targets(model_under_test, only_special, by="site", only=(named,))


def test_rows_of_images_have_no_rate(model_under_test: ModelUnderTest, tmp_path: object) -> None:
    clean = clean_setting(model_under_test, "int8")
    (one, *_) = (target.setting for target in targets(model_under_test, whole(model_under_test), by="layer"))
    campaign = Campaign(settings=(clean, one), images=3, whole=clean)
    with Store(tmp_path / "run.db") as store:  # type: ignore[operator]
        list(execute(campaign, store, executor=InProcess(model_under_test=model_under_test)))
        rows = {block.of.setting: block for block in image_rows(store)}
    assert rows[one.digest].of.ber is None
    assert rows[one.digest].flips.tolist() == [1, 1, 1]
    assert rows[clean.digest].of.ber == 0.0
