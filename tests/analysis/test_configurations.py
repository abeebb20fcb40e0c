"""Configurations under the same faults: losses and gains against a loop over the outcomes in the store."""

from pathlib import Path

import numpy as np
import pytest

from radhard.analysis.configurations import (
    Configuration,
    ConfigurationOutcome,
    Configurations,
    Trials,
    gained,
    parts_of,
    plan_configurations,
)
from radhard.analysis.overhead import Weights
from radhard.campaign.execute import execute
from radhard.campaign.executor import InProcess
from radhard.campaign.experiment import Setting
from radhard.campaign.model_under_test import clean_setting, protected
from radhard.campaign.outcomes import Tally
from radhard.campaign.store import Store
from radhard.protection import Protection, Ranges
from tests.support.campaigns import Toy, setting
from tests.support.guarded import SCHEMES, model_under_test, plain, protection

ON = Trials(images=70, trials=3, chunk=30)
BOTH = Protection.of({"a": Ranges(low=0.0, high=1.0)})
FEWER = Protection.of({"b": Ranges(low=0.0, high=1.0)})


def made_up(*configurations: Configuration, on: Trials = ON) -> Configurations:
    """Of a model that is not there; its costs are the tiny one's."""
    return Configurations(model_under_test=model_under_test(), configurations=configurations, on=on)


def toy(ber: float, protection: Protection | None = None) -> Setting:
    program = model_under_test().programs["int8"].digest
    return setting(ber, program=program, protection=protection)


CONFIGURATIONS = made_up(
    Configuration(name="unprotected", setting=toy(1e-8)),
    Configuration(name="one", setting=toy(1e-8, BOTH)),
    Configuration(name="other", setting=toy(1e-8, FEWER)),
    Configuration(name="alone", setting=toy(3e-8, BOTH), note="its rate has no unprotected one"),
    Configuration(name="clean", setting=toy(0.0)),
    Configuration(name="clean, protected", setting=toy(0.0, BOTH)),
)


def outcomes(path: Path, configurations: Configurations) -> tuple[ConfigurationOutcome, ...]:
    with Store(path) as store:
        list(execute(configurations.campaign, store, executor=Toy()))
        return configurations.outcomes(store, weights=Weights())


def right(path: Path, one: Setting, configurations: Configurations) -> dict[tuple[int, int], bool]:
    """(trial, image) -> whether the answer was right, row by row from the file."""
    found = {}
    campaign = configurations.campaign
    with Store(path, mode="read") as store:
        for trial in range(1 if one.clean else ON.trials):
            for unit in campaign.units(one, trial):
                outcome = store.outcome(unit)
                assert outcome is not None
                found.update({(trial, unit.start + k): bool(x) for k, x in enumerate(outcome.correct)})
    return found


def test_losses_and_gains_are_paired_image_by_image(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    found = outcomes(path, CONFIGURATIONS)
    assert [one.configuration.name for one in found] == [c.name for c in CONFIGURATIONS.configurations]
    clean = right(path, toy(0.0), CONFIGURATIONS)
    unprotected = right(path, toy(1e-8), CONFIGURATIONS)
    for one in found:
        mine = right(path, one.configuration.setting, CONFIGURATIONS)
        assert one.point.n == len(mine) == (70 if one.configuration.setting.clean else 210)
        assert one.point.accuracy == pytest.approx(sum(mine.values()) / len(mine))
        lost = sum(clean[0, image] - answer for (_, image), answer in mine.items()) / len(mine)
        assert one.loss.rate == pytest.approx(lost)
        assert one.loss.low <= one.loss.rate <= one.loss.high
    by = {one.configuration.name: one for one in found}
    for name in ("one", "other"):
        mine = right(path, by[name].configuration.setting, CONFIGURATIONS)
        gain = sum(mine[key] - unprotected[key] for key in mine) / len(mine)
        it = by[name].gain
        assert it is not None
        assert it.rate == pytest.approx(gain)
        # the interval is that of images: roughly 1.96 standard errors of their mean differences
        each = [np.mean([mine[t, i] - unprotected[t, i] for t in range(3)]) for i in range(70)]
        half = 1.96 * np.std(each, ddof=1) / np.sqrt(70)
        assert (it.high - it.low) / 2 == pytest.approx(half, rel=0.15)
    assert by["unprotected"].gain is None
    assert by["alone"].gain is None
    assert by["clean"].gain is None
    same = by["clean, protected"].gain
    assert same is not None
    assert same.rate == 0.0
    assert by["clean"].loss.rate == 0.0
    assert by["one"].gain != by["other"].gain


def test_a_gain_of_unequal_trials_is_a_difference_of_rates() -> None:
    def tally(correct: list[int], trials: int) -> Tally:
        nothing = np.zeros(len(correct), np.int64)
        return Tally(
            trials=np.full(len(correct), trials), correct=np.array(correct), changed=nothing, non_finite=nothing,
            flips=nothing, sdc=nothing, due=nothing, mistaken=nothing,
        )  # fmt: skip

    found = gained(tally([2, 2, 1, 0], 2), over=tally([1, 0, 1, 1], 1))
    assert found.rate == pytest.approx(5 / 8 - 3 / 4)
    assert gained(tally([1, 1], 1), over=tally([0, 0], 1)).rate == 1.0
    assert gained(tally([0, 0], 1), over=tally([1, 1], 1)).rate == -1.0
    twice = gained(tally([4, 2], 4), over=tally([2, 2], 4))
    once = gained(tally([2, 1], 2), over=tally([1, 1], 2))
    assert (twice.rate, twice.low, twice.high) == pytest.approx((once.rate, once.low, once.high))


def test_configurations_that_are_one_setting_are_run_once(tmp_path: Path) -> None:
    twice = made_up(
        Configuration(name="a", setting=toy(1e-8)),
        Configuration(name="b", setting=toy(1e-8)),
        on=Trials(images=9, trials=2),
    )
    executor = Toy()
    with Store(tmp_path / "run.db") as store:
        list(execute(twice.campaign, store, executor=executor))
        one, other = twice.outcomes(store, weights=Weights())
    assert len(executor.given) == 1 + 2
    assert (one.point, one.loss) == (other.point, other.loss)


def test_a_plan_is_taken_apart() -> None:
    whole = protection("immune")
    parts = parts_of(whole)
    assert list(parts) == ["ranges only", "products only", "both"]
    assert parts["both"] == whole
    ranges = {name for name, scheme in SCHEMES.items() if isinstance(scheme, Ranges)}
    assert set(parts["ranges only"].schemes) == ranges
    assert set(parts["products only"].schemes) == set(SCHEMES) - ranges
    assert all(part.checks == "immune" for part in parts.values())
    assert list(parts_of(BOTH)) == ["ranges only"]
    assert parts_of(Protection()) == {}
    clean, faulty = clean_setting(model_under_test(), "int8"), plain()
    found = plan_configurations((clean, faulty), protection=whole)
    assert [(c.name, c.amount) for c in found] == [
        ("unprotected", 0.0), ("both", 0.0), *((name, faulty.ber) for name in ("unprotected", *parts))
    ]  # fmt: skip
    assert found[0].setting == clean
    assert found[1].setting == protected(clean, whole)
    assert found[2].setting == faulty
    assert found[5].setting == protected(faulty, whole)


def test_the_same_seed_gives_the_same_result_and_another_one_another(tmp_path: Path) -> None:
    def result(name: str, seed: int, batch: int) -> list[object]:
        configurations = made_up(
            *(
                Configuration(name=name, setting=protected(plain(50.0, seed=seed), part))
                for name, part in (("unprotected", None), ("both", protection()))
            ),
            on=Trials(images=10, trials=2, chunk=4),
        )
        with Store(tmp_path / name) as store:
            list(
                execute(
                    configurations.campaign, store, executor=InProcess(model_under_test=model_under_test(), batch=batch)
                )
            )
            return [one.as_dict() for one in configurations.outcomes(store, weights=Weights())]

    one, again, other = result("a.db", 5, 64), result("b.db", 5, 3), result("c.db", 6, 64)
    assert one == again
    assert one != other
    unprotected, both = one
    assert isinstance(unprotected, dict)
    assert isinstance(both, dict)
    assert unprotected["overhead"] is None
    assert unprotected["sites"] == 0
    assert both["sites"] == len(SCHEMES)
    assert both["overhead"]["images"] == 20
    assert both["overhead"]["own_mul"] > 0
    assert both["flips"] == unprotected["flips"] > 0
    assert both["gain"]["rate"] == pytest.approx(both["accuracy"] - unprotected["accuracy"])
