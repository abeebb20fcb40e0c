"""Campaigns of protected models: what an outcome and its account depend on, and what they must not."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.analysis.configurations import Configurations, Trials, plan_configurations
from radhard.analysis.overhead import Weights
from radhard.campaign.execute import execute
from radhard.campaign.executor import Done, InProcess
from radhard.campaign.experiment import Campaign, Setting, Unit
from radhard.campaign.measure import Job, Measured, measure
from radhard.campaign.model_under_test import ModelUnderTest, clean_setting, protected
from radhard.campaign.outcomes import COLUMNS, Outcome, pack, unpack
from radhard.campaign.store import Store
from radhard.faults import Faults, Faulty, Where, trace
from radhard.machine import CHECK, Clean, Machine, Operator, Site, Wrapping
from radhard.program import run
from radhard.protection import Account, IntensityGuided, Operations, Protection, Ranges, Residual, Tmr
from tests.support.campaigns import setting
from tests.support.guarded import SCHEMES, guarded, model_under_test, plain, protection

START, STOP = 3, 17


def unit(one: Setting, *, trial: int = 1, start: int = START, stop: int = STOP) -> Unit:
    return Unit(setting=one, trial=trial, start=start, stop=stop)


def measured(wanted: Unit, on: ModelUnderTest | None = None, *, batch: int = 64) -> Measured:
    on = on or model_under_test()
    (clean,) = measure(Job(units=(wanted.without_faults(),), clean=None), on, batch=batch)
    (found,) = measure(Job(units=(wanted,), clean=clean.outcome), on, batch=batch)
    return found


def account_of(outcome: Outcome) -> Account:
    assert outcome.account is not None
    return outcome.account


# --- identity ---


def test_settings_without_protection_keep_the_identity_that_stores_know_them_by() -> None:
    """DeviceGraph from the program before it knew of protection, when `int8-symmetric` was called `int8`."""
    old = "int8-symmetric"
    recorded = {
        setting(recipe=old): "c61a0ece34b16a5288f16282ab04601203e0a52c537b4fb8e6e4e965f7e1b969",
        setting(0.0, recipe=old): "6691b7653d828370756623bd597803d3bf65da799d5d62afec1cfb8157446a45",
        setting(
            1e-7, recipe=old, seed=3, where=~Where(layers=("a",))
        ): "4c6662e8682fb2a0b1ca9f3dd85281283171030a85e360c009963a811317cffc",
    }
    for one, digest in recorded.items():
        assert one.digest == digest


def test_protection_is_part_of_the_identity() -> None:
    different = [
        setting(), setting(0.0), *(
            setting(ber, protection=each)
            for ber in (0.0, 1e-8)
            for each in (
                Protection(), protection(), protection("immune"), Protection.of({"head": Tmr()}),
                Protection.of({"head": Tmr(vote="bitwise")}), Protection.of({"tail": Tmr()}),
            )
        ),
    ]  # fmt: skip
    assert len({one.digest for one in different}) == len(different) == 14
    one = setting(protection=protection())
    assert json.loads(one.text)["protection"] == protection().as_dict()
    assert one.without_faults() == setting(0.0, kinds=frozenset(), bits=0)
    assert setting(0.0).reference
    assert not setting(0.0, protection=protection()).reference
    assert not setting(1e-8).reference
    reordered = Protection.of(dict(reversed(SCHEMES.items())))
    assert setting(protection=reordered).digest == one.digest
    again = Protection.from_dict(json.loads(one.text)["protection"], place="here")
    assert setting(protection=again).digest == one.digest


def test_equal_protections_are_one_setting_however_their_numbers_are_written() -> None:
    whole = Protection.of({"a": Ranges(low=0, high=1), "b": IntensityGuided(hides="measured", operations_per_byte=9)})
    real = Protection.of(
        {"a": Ranges(low=0.0, high=1.0), "b": IntensityGuided(hides="measured", operations_per_byte=9.0)}
    )
    assert whole == real
    assert setting(protection=whole).digest == setting(protection=real).digest
    again = Protection.from_dict(json.loads(setting(protection=whole).text)["protection"], place="here")
    assert setting(protection=again).digest == setting(protection=whole).digest


# --- what outcomes do not depend on ---


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_neither_outcomes_nor_accounts_depend_on_the_batch(batch: int) -> None:
    expected = measured(unit(guarded()))
    found = measured(unit(guarded()), batch=batch)
    assert pack(found.outcome) == pack(expected.outcome)
    assert found.passes == expected.passes == STOP - START
    account = account_of(found.outcome)
    for event in ("alarms", "flagged", "repaired", "uncorrected", "residual"):
        assert getattr(account, event) > 0, event  # what is compared is there
    assert account.hidden.arithmetic > 0
    assert found.outcome.changed.any()
    assert not found.outcome.changed.all()


def test_units_of_other_sizes_have_the_same_outcomes_and_accounts_that_add_up() -> None:
    whole = measured(unit(guarded())).outcome
    parts = [
        measured(unit(guarded(), start=a, stop=b), batch=4).outcome for a, b in ((3, 4), (4, 9), (9, 10), (10, 17))
    ]
    for column in COLUMNS[: COLUMNS.index("account")]:
        assert np.array_equal(np.concatenate([getattr(part, column) for part in parts]), getattr(whole, column))
    total = Account()
    for part in parts:
        total = total + account_of(part)
    assert total == account_of(whole)


def test_the_place_of_an_image_does_not_matter() -> None:
    whole = measured(unit(guarded())).outcome
    other = replace(
        model_under_test(), data=model_under_test().data.take(torch.arange(START, STOP).flip(0), name="noise")
    )
    found = measured(unit(guarded(), start=0, stop=STOP - START), other, batch=5).outcome
    for column in COLUMNS[: COLUMNS.index("account")]:
        assert np.array_equal(getattr(found, column)[::-1], getattr(whole, column)), column
    assert found.account == whole.account


def test_an_account_is_the_sum_of_runs_of_one_image() -> None:
    one = guarded()
    program, faults = model_under_test().programs["int8"], Faults(ber=one.ber, seed=one.seed, trial=1)
    found = measured(unit(one)).outcome
    mul = add = cmp = alarms = repaired = 0
    for place, image in enumerate(range(START, STOP)):
        ids = torch.tensor([image])
        machine = protection().on(Faulty(Clean(), faults))
        logits = run(program, model_under_test().images(ids), machine, ids=ids).logits
        assert found.prediction[place] == int(logits.argmax())
        assert set(machine.accounts) == set(SCHEMES)
        for account in machine.accounts.values():
            mul, add, cmp = (
                mul + account.executed.mul, add + account.executed.add, cmp + account.executed.cmp
            )  # fmt: skip
            alarms, repaired = alarms + account.alarms, repaired + account.repaired
    account = account_of(found)
    assert account.executed == Operations(mul=mul, add=add, cmp=cmp)
    assert (account.alarms, account.repaired) == (alarms, repaired)


def test_an_account_goes_through_the_store() -> None:
    found = measured(unit(guarded())).outcome
    again = unpack(pack(found), images=STOP - START)
    assert again.account == found.account
    assert pack(again) == pack(found)


# --- the same faults ---


def test_the_flips_are_those_of_the_unprotected_program() -> None:
    with_it, without = measured(unit(guarded())).outcome, measured(unit(plain())).outcome
    assert np.array_equal(with_it.flips, without.flips)
    assert without.flips.min() > 0
    assert not np.array_equal(with_it.prediction, without.prediction)
    program, ids = model_under_test().programs["int8"], torch.arange(START, STOP)
    faults = plain().faults(1)
    inner = Faulty(Clean(), faults)
    run(program, model_under_test().images(ids), protection().on(inner), ids=ids)
    drawn = trace(program, faults, ids)
    assert inner.flips is not None
    assert not any(CHECK in name for name in inner.flips.by_site())
    for column in ("image", "site", "kind", "index", "bit"):
        assert np.array_equal(getattr(inner.flips, column), getattr(drawn, column)), column


class Watch(Wrapping):
    """Notes the outputs of checks that are not what a sound machine yields of the same inputs."""

    def __init__(self, inner: Machine) -> None:
        super().__init__(inner)
        self.hit = 0

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        out = self.inner.apply(operator, inputs, site)
        if CHECK in site.name:
            self.hit += int((out != Clean().apply(operator, inputs, site)).sum())
        return out


def test_immune_checks_are_exposed_ones_that_no_flip_hits() -> None:
    program, faults = model_under_test().programs["int8"], plain(3.0).faults(0)
    # a copy of TMR is exposed like the operator itself, whatever the checks are
    schemes = {name: scheme for name, scheme in SCHEMES.items() if not isinstance(scheme, Tmr)}
    protected = hit = alarms = 0
    for image in range(40):
        ids = torch.tensor([image])
        watch = Watch(Faulty(Clean(), faults))
        exposed = Protection.of(schemes).on(watch)
        one = run(program, model_under_test().images(ids), exposed, ids=ids)
        immune = Protection.of(schemes, checks="immune").on(Faulty(Clean(), faults))
        other = run(program, model_under_test().images(ids), immune, ids=ids)
        if watch.hit:
            hit += 1
            continue
        protected += 1
        assert torch.equal(one.logits, other.logits)
        assert exposed.accounts == immune.accounts
        alarms += sum(account.alarms for account in immune.accounts.values())
    assert protected > 5
    assert hit > 5
    assert alarms > 5


def test_immune_checks_are_never_hit() -> None:
    ids = torch.arange(8)
    schemes = {name: scheme for name, scheme in SCHEMES.items() if not isinstance(scheme, Tmr)}
    hits = {}
    for checks in ("exposed", "immune"):
        watch = Watch(Faulty(Clean(), plain(300.0).faults(0)))
        machine = Protection.of(schemes, checks=checks).on(watch)  # type: ignore[arg-type]
        run(model_under_test().programs["int8"], model_under_test().images(ids), machine, ids=ids)
        hits[checks] = watch.hit
    assert hits["immune"] == 0 < hits["exposed"]


# --- what is left ---


class Spy(Wrapping):
    """Keeps what a protected machine was given and what it returned."""

    def __init__(self, inner: Machine) -> None:
        super().__init__(inner)
        self.seen: list[tuple[Operator, tuple[Tensor | None, ...], Site, Tensor]] = []

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        out = self.inner.apply(operator, inputs, site)
        self.seen.append((operator, tuple(x if x is None else x.clone() for x in inputs), site, out.clone()))
        return out


def words_that_differ(one: Tensor, other: Tensor) -> int:
    """By their bytes, one word after the other."""
    size = one.element_size()
    a, b = (x.contiguous().numpy().tobytes() for x in (one, other))
    return sum(a[k : k + size] != b[k : k + size] for k in range(0, len(a), size))


@pytest.mark.parametrize("flips", [0.0, 60.0])
def test_residual_words_are_those_that_differ_from_a_sound_machines(flips: float) -> None:
    program, ids = model_under_test().programs["int8"], torch.arange(6)

    def inner() -> Machine:
        return Faulty(Clean(), plain(flips).faults(2)) if flips else Clean()

    spy = Spy(protection().on(inner()))
    run(program, model_under_test().images(ids), spy, ids=ids)
    expected = {
        site.name: words_that_differ(out, Clean().apply(operator, inputs, site))
        for operator, inputs, site, out in spy.seen
        if site.name in SCHEMES
    }
    machine = Residual(protection().on(inner()))
    logits = run(program, model_under_test().images(ids), machine, ids=ids).logits
    assert {name: account.residual for name, account in machine.accounts.items()} == expected
    again = protection().on(inner())
    assert torch.equal(run(program, model_under_test().images(ids), again, ids=ids).logits, logits)
    assert {name: replace(account, residual=0) for name, account in machine.accounts.items()} == again.accounts
    ranges = {"blocks.0.mlp.act", "blocks.0.attn.softmax"}  # narrow ones, which change sound words, too
    assert all(expected[name] > 0 for name in ranges)
    others = sum(left for name, left in expected.items() if name not in ranges)
    assert (others > 0) == (flips > 0)


# --- campaigns ---


@dataclass(kw_only=True)
class Mortal:
    """Runs jobs in this process, and dies after `life` of them."""

    life: int = 10**9
    batch: int = 64

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        for number, done in enumerate(InProcess(model_under_test=model_under_test(), batch=self.batch).run(jobs)):
            if number == self.life:
                raise KeyboardInterrupt
            yield done


def configurations() -> Configurations:
    found = plan_configurations((clean_setting(model_under_test(), "int8"), plain()), protection=protection())
    return Configurations(
        model_under_test=model_under_test(), configurations=found, on=Trials(images=12, trials=2, chunk=5)
    )


def result(path: Path) -> str:
    with Store(path, mode="read") as store:
        return json.dumps([one.as_dict() for one in configurations().outcomes(store, weights=Weights())])


def rows(path: Path) -> list[object]:
    with Store(path, mode="read") as store:
        return list(store.rows())


def test_a_killed_campaign_resumed_is_one_that_never_was(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    with Store(whole) as store:
        total = len(list(execute(configurations().campaign, store, executor=Mortal())))
    assert total == 3 + 3 + 2 * 3 * 4  # clean, clean with the plan, all four configurations under faults twice
    done = 0
    for life in (2, 7, 11):
        with Store(broken) as store, pytest.raises(KeyboardInterrupt):
            list(execute(configurations().campaign, store, executor=Mortal(life=life, batch=3)))
        assert len(rows(broken)) > done
        done = len(rows(broken))
    assert done == 2 + (1 + 7) + 11  # what is clean is run apart
    with Store(broken) as store:
        assert len(list(execute(configurations().campaign, store, executor=Mortal(batch=2)))) == total - done
    assert rows(broken) == rows(whole)
    assert result(broken) == result(whole)
    assert '"overhead": {' in result(whole)


def test_one_trial_is_enough_of_a_protected_program_without_faults(tmp_path: Path) -> None:
    one = protected(clean_setting(model_under_test(), "int8"), protection())
    campaign = Campaign(settings=(one,), images=6, trials=4, chunk=6)
    with Store(tmp_path / "run.db") as store:
        seen = [progress.unit for progress in execute(campaign, store, executor=Mortal())]
        assert [(u.setting.reference, u.trial) for u in seen] == [(True, 0), (False, 0)]
        outcome = store.outcome(seen[1])
    assert outcome is not None
    assert outcome.flips.sum() == 0
    assert account_of(outcome).executed.mul > 0
