"""A study: what fits into a time, by hand; what is done, skipped and why; and that a run after a kill goes on."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import radhard as rh
from radhard.campaign.store import Store
from radhard.errors import InputError
from radhard.studies.progress import Event, Measuring
from radhard.studies.study.extent import LEAST, clock, fit
from radhard.studies.study.hardening import ROUNDS, take_turns
from radhard.studies.study.measuring import LOSSES, _point
from radhard.studies.study.own_module import own_module
from radhard.studies.study.pace import Pace
from radhard.studies.study.protecting import _rank
from radhard.studies.study.study_events import FittedAgain, Scheduled, StepEnded
from radhard.studies.study.study_run import _available
from radhard.studies.study.study_step import Here, StepCost, StepResult, StudyStep
from radhard.studies.study.study_steps import STEPS, wanted, with_needed
from radhard.studies.study_file.study import Study
from tests.support.verbs import folder, network, pictures

PACE = Pace(
    opening=2.0, float_=0.5, clean=1.0, rates=((1e-9, 1.0), (1e-8, 2.0), (1e-7, 6.0)), operating=2.0,
    protected=(("lb-abft", 3.0), ("row-abft", 1.5)), flipped=0.5, products=4, sites=9,
    components=(("layer", 8.0), ("module", 4.0), ("bit", 96.0), ("patch", 0.0)),
)  # fmt: skip


def never(here: Here) -> StepResult:
    raise AssertionError(here)


def step(name: str, *, fixed: float = 0.0, image: float = 1.0, share: float = 1.0) -> StudyStep:
    return StudyStep(name=name, does=name, run=never, cost=lambda _: StepCost(fixed=fixed, image=image), share=share)


def test_the_pace_between_measured_rates_is_on_a_line() -> None:
    assert [PACE.at(place) for place in range(9)] == [1.0, 1.25, 1.5, 1.75, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert PACE.curve == 25.5


def test_images_fit_into_the_budget() -> None:
    found = fit([step("a", fixed=10), step("b", image=3.0)], PACE, budget=210, stated=True, available=900)
    assert (found.images, found.trials) == (50, 1)  # 10 + 50 x (1 + 3)
    assert dict(found.seconds) == {"a": 60.0, "b": 150.0}
    assert found.total == 210


def test_trials_take_what_images_leave() -> None:
    found = fit([step("a")], PACE, budget=200, stated=True, available=50)
    assert (found.images, found.trials) == (50, 4)
    assert fit([step("a")], PACE, budget=10**6, stated=True, available=50).trials == 5
    fixed = fit([step("a")], PACE, budget=200, stated=True, available=50, images=20, trials=2)
    assert (fixed.images, fixed.trials) == (20, 2)


def test_workers_share_the_images() -> None:
    found = fit([step("a", fixed=10)], PACE, budget=30, stated=True, available=900, workers=4)
    assert found.images == 80


def test_a_step_takes_its_share_of_the_images_and_no_fewer_than_the_least() -> None:
    third = step("c", share=1 / 3)
    assert [third.images(n, least=LEAST) for n in (5, 12, 30, 90)] == [5, LEAST, LEAST, 30]


def test_a_budget_that_is_too_small_is_refused_with_one_that_is_not() -> None:
    with pytest.raises(InputError, match=r"budget 0:05: 10 images in 1 trial take about 0:40: give budget 1m.*skip b"):
        fit([step("a"), step("b", image=3.0)], PACE, budget=5, stated=True, available=900)
    with pytest.raises(InputError, match=r"budget 3:00: .* about 0:40 beside 2:55 to capture, .*: give budget 4m"):
        fit([step("a"), step("b", image=3.0)], PACE, budget=5, stated=True, available=900, spent=175)
    found = fit([step("a"), step("b", image=3.0)], PACE, budget=5, stated=False, available=900)
    assert found.images == LEAST
    assert found.total == 40


def test_what_takes_most_of_the_budget_is_left_out_unless_it_is_named() -> None:
    steps = [step("a"), step("bits", image=10.0, share=1 / 3)]
    found = fit(steps, PACE, budget=200, stated=True, available=900)
    assert list(found.left_out) == ["bits"]
    assert "10 images would take 1:40 of a budget of 3:20: ask for it by --only bits" in found.left_out["bits"]
    assert found.images == 200
    assert not fit(steps, PACE, budget=200, stated=True, available=900, named=["bits"]).left_out
    assert not fit(steps, PACE, budget=None, stated=False, available=900).left_out


def test_times() -> None:
    assert [clock(seconds) for seconds in (0, 59.6, 61, 3725)] == ["0:00", "1:00", "1:01", "1:02:05"]


def names(steps: Any) -> list[str]:
    return [each.name for each in steps]


def test_steps_that_are_wanted() -> None:
    assert names(wanted(only=(), skip=())) == names(STEPS)
    assert names(wanted(only=("plan", "sweep"), skip=())) == ["sweep", "paper", "gain"]
    assert names(wanted(only=("vulnerability",), skip=("bit", "patch"))) == ["layer", "module"]
    for only, skip in ((("swep",), ()), ((), ("x",)), (("bit",), ("bit",))):
        with pytest.raises(InputError, match=r"steps are sweep, points, vulnerability, layer"):
            wanted(only=only, skip=skip)


def test_steps_bring_what_they_need() -> None:
    gain = wanted(only=("gain",), skip=())
    assert names(with_needed(gain, done=frozenset(), rate_stated=False)) == ["sweep", "points", "gain"]
    assert names(with_needed(gain, done=frozenset({"points"}), rate_stated=False)) == ["gain"]
    assert names(with_needed(gain, done=frozenset(), rate_stated=True)) == ["gain"]
    hard = wanted(only=("harden",), skip=())
    assert names(with_needed(hard, done=frozenset(), rate_stated=True)) == ["paper", "gain", "harden"]
    assert names(with_needed(hard, done=frozenset({"gain"}), rate_stated=True)) == ["harden"]


def test_operating_points_by_hand() -> None:
    """Between 1e-8, where nothing is lost, and 1e-6, where 0.2 are, 0.1 are lost at 1e-7: half of the logarithm."""
    measured = [
        {"ber": 1e-8, "accuracy": 0.9, "low": 0.8, "high": 1.0},
        {"ber": 1e-6, "accuracy": 0.7, "low": 0.6, "high": 0.8},
    ]
    found = _point(0.1, 0.9, measured, labelled=True)
    assert found["ber"] == pytest.approx(1e-7)
    assert found["high"] == pytest.approx(1e-6)  # there the upper limit is at 0.8
    assert found["low"] is None  # the lower limit is there at the first rate already
    changed = [
        {"ber": each["ber"], "changed": 1 - each["accuracy"], "changed_low": 0.0, "changed_high": 1.0}
        for each in measured
    ]
    assert _point(0.2, 1.0, changed, labelled=False)["ber"] == pytest.approx(1e-7)


def test_a_third_of_the_images_evaluates_where_as_many_choose_and_judge() -> None:
    def here(images: int) -> Any:
        return SimpleNamespace(model_under_test=SimpleNamespace(data=range(images)))

    assert [_available(here(n)) for n in (3 * LEAST, 3 * LEAST + 2, 100)] == [LEAST, LEAST, 33]
    assert _available(here(3 * LEAST - 1)) == 3 * LEAST - 1  # too few to plan: all evaluate


def test_the_plan_that_meets_its_target_at_the_least_overhead_comes_first() -> None:
    def plan(verdict: str, overhead: float | None, *, sites: tuple[str, ...] = ("head",)) -> Any:
        expected = None if overhead is None else SimpleNamespace(overhead=SimpleNamespace(share=overhead))
        return SimpleNamespace(protection=SimpleNamespace(sites=sites), verdict=verdict, expected=expected)

    worst_first = [
        plan("met", 0.0, sites=()),
        plan("not met", 0.0), plan("cannot tell", 0.0), plan("met", None), plan("met", 0.3), plan("met", 0.1),
    ]  # fmt: skip
    assert sorted(worst_first, key=_rank) == worst_first[::-1]


def test_cases_take_turns() -> None:
    ticks = iter(range(10**6))
    calls: list[str] = []
    found = take_turns(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, seconds=0, clock=lambda: float(next(ticks))
    )
    assert calls[:4] == ["a", "b", "b", "a"]
    assert {name: len(times) for name, times in found.items()} == {"a": ROUNDS, "b": ROUNDS}
    assert all((times == 1).all() for times in found.values())


class StoppedHereError(Exception):
    pass


OPTIONS = rh.ModelOptions(mean=(0.5,) * 3, std=(0.25,) * 3)
ONLY = ("sweep", "points", "layer")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images, labels = pictures(60)
    return folder(tmp_path_factory.mktemp("images"), images, labels)


def studied(
    out: Path, data: Any, *, only: tuple[str, ...] = ONLY, progress: Any = None, **options: Any
) -> rh.StudyResult:
    asked: dict[str, Any] = {"images": 12, "trials": 1, "model_options": OPTIONS, **options}
    model_options = asked.pop("model_options")
    if not isinstance(data, tuple):
        model_options = rh.ModelOptions(**{**vars(model_options), "input_shape": (3, 8, 8)})
        data = str(data)
    return rh.study(network(), data, out=out, only=only, progress=progress, model_options=model_options, **asked)


def outcomes(file: Path) -> list[Any]:
    """The keys of all units: each outcome is what its key says, and results are compared by themselves."""
    with Store(file, mode="read") as store:
        return sorted(store.keys())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, data: Path) -> rh.StudyResult:
    return studied(tmp_path_factory.mktemp("whole"), data)


def test_a_folder_holds_everything(whole: rh.StudyResult) -> None:
    home = whole.folder
    assert {each["name"]: each["state"] for each in whole.record["steps"]} == dict.fromkeys(ONLY, "done")
    assert {path.name for path in (home / "steps").iterdir()} == {f"{name}.json" for name in ONLY}
    assert {path.name for path in (home / "figures").glob("*.png")} == {"sweep.png", "layer.png"}
    summary = json.loads((home / "study.json").read_text())
    assert summary["models"][0] == json.loads(json.dumps(whole.record))
    sweep = json.loads((home / "steps" / "sweep.json").read_text())
    assert sweep["command"].startswith(f"radhard sweep --study {home / 'study.toml'} --ber ")
    points = json.loads((home / "steps" / "points.json").read_text())["models"][0]
    assert [each["loss"] for each in points["points"]] == list(LOSSES)


def test_the_file_gives_the_same_results_again(whole: rh.StudyResult) -> None:
    """The verbs take the study from its file: nothing is said twice, and nothing is measured twice."""
    study = Study.read(whole.folder / "study.toml")
    assert study.run.images == 12
    measured: list[Event] = []
    record = json.loads((whole.folder / "steps" / "sweep.json").read_text())["models"][0]
    rates = [point["ber"] for point in record["points"]]
    found = rh.sweep(network(), study.data, ber=rates, progress=measured.append, **study.options)
    assert json.loads(json.dumps(found.to_dict())) == record
    assert not [event for event in measured if isinstance(event, Measuring)]


def test_a_killed_study_goes_on(tmp_path: Path, data: Path, whole: rh.StudyResult) -> None:
    seen: list[Measuring] = []

    def stop(event: Event) -> None:
        if isinstance(event, Measuring):
            seen.append(event)
            if len(seen) == 6:
                raise StoppedHereError

    with pytest.raises(StoppedHereError):
        studied(tmp_path, data, progress=stop)
    assert not (tmp_path / "steps" / "sweep.json").exists()
    again: list[Event] = []
    found = studied(tmp_path, data, progress=again.append)
    schedule = next(event for event in again if isinstance(event, Scheduled))
    assert [each.name for each in schedule.steps] == list(ONLY)
    for name in ONLY:
        one, other = (json.loads((home / "steps" / f"{name}.json").read_text()) for home in (whole.folder, tmp_path))
        assert one["models"] == other["models"], name
    assert outcomes(whole.folder / "run.db") == outcomes(tmp_path / "run.db")
    assert [each["state"] for each in found.record["steps"]] == ["done"] * 3
    last: list[Event] = []
    assert studied(tmp_path, data, progress=last.append).record["steps"] == found.record["steps"]
    assert not [event for event in last if isinstance(event, Measuring)]
    assert next(event for event in last if isinstance(event, Scheduled)).done == tuple(sorted(ONLY))


def test_another_study_in_the_folder_is_refused(whole: rh.StudyResult, data: Path, tmp_path: Path) -> None:
    home = whole.folder
    with pytest.raises(InputError, match=r"trials 3: in .*study\.toml it is 1; leave it out, or give another folder"):
        studied(home, data, trials=3)
    with pytest.raises(InputError, match=r"images 7: in .* it is 12"):
        studied(home, data, images=7)
    with pytest.raises(InputError, match=r"seed 9: in .* it is 0"):
        studied(home, data, faults=rh.FaultOptions(seed=9))
    with pytest.raises(InputError, match=r"data .*: .* is a study of"):
        studied(home, tmp_path)
    with pytest.raises(InputError, match=r"std .*: in .* it is"):
        studied(home, data, model_options=rh.ModelOptions(std=(0.1,) * 3))
    with pytest.raises(InputError, match=r"trials 2: study takes"):
        rh.study(network(), str(data), out=tmp_path / "x", run=rh.RunOptions(trials=2))


def test_images_without_labels(tmp_path: Path) -> None:
    """All steps go by answers that change: a plan is made, evaluated and deployed, and schemes are compared."""
    images, _ = pictures(60)
    events: list[Any] = []
    only = ("sweep", "points", "gain", "evaluate", "compare", "harden")
    found = studied(tmp_path, (images, None), only=only, progress=events.append)
    (scheduled,) = (event for event in events if isinstance(event, Scheduled))
    assert [step.name for step in scheduled.steps] == list(only)
    assert scheduled.left_out == ()
    states = {each["name"]: (each["state"], each["line"]) for each in found.record["steps"]}
    assert not found.record["labelled"]
    for name in ("sweep", "points", "gain", "compare"):
        assert states[name][0] == "done", states[name]
    assert "points of agreement" in states["gain"][1]
    for name in ("evaluate", "harden"):
        assert states[name][0] == "done" or "no plan protects anything" in states[name][1]
    (compared,) = json.loads((tmp_path / "steps" / "compare.json").read_text())["models"]
    assert (compared["labelled"], compared["measure"]) == (False, "kept")


def test_what_images_cannot_do_takes_no_time_of_the_budget(tmp_path: Path) -> None:
    """Steps that need more images are left out before any step begins."""
    events: list[Any] = []
    studied(tmp_path, pictures(20), only=("sweep", "points", "gain", "harden"), images=None, progress=events.append)
    (scheduled,) = (event for event in events if isinstance(event, Scheduled))
    assert [step.name for step in scheduled.steps] == ["sweep", "points"]
    assert [name for name, _ in scheduled.left_out] == ["gain", "harden"]
    assert all("images are too few" in why for _, why in scheduled.left_out)


def test_avfs_need_neither_labels_nor_a_rate(tmp_path: Path) -> None:
    images, _ = pictures(60)
    found = studied(tmp_path, (images, None), only=("avf",))
    (step,) = found.record["steps"]
    assert (step["name"], step["state"], step["images"]) == ("avf", "done", 12)
    envelope = json.loads((tmp_path / "steps" / "avf.json").read_text())
    assert envelope["command"] == f"radhard avf --study {tmp_path / 'study.toml'} --by layer"
    assert envelope["models"][0]["images"] == 12
    assert step["estimated"] > 0
    assert (tmp_path / "figures" / "avf.png").is_file()
    again = rh.avf(network(), (images, None), by="layer", **Study.read(tmp_path / "study.toml").options)
    assert json.loads(json.dumps(again.to_dict())) == envelope["models"][0]


def test_the_hardened_module_is_timed_beside_the_users_own() -> None:
    model = network()
    options = rh.ModelOptions(input_shape=(3, 8, 8))
    own = own_module(model, options, images=(3, 8, 8), device=torch.device("cpu"))
    assert own is model
    images = torch.randn(2, 3, 8, 8)
    exported = torch.export.export(model, (images,))
    again = own_module(exported, rh.ModelOptions(), images=(3, 8, 8), device=torch.device("cpu"))
    assert again is not None
    assert torch.equal(again(images), model(images))
    program = rh.capture(model, images)
    assert own_module(program, rh.ModelOptions(), images=(3, 8, 8), device=torch.device("cpu")) is None


def test_too_few_images_to_plan(tmp_path: Path) -> None:
    images, labels = pictures(35)
    found = studied(tmp_path, (images, labels), only=("gain",), images=10, plan_ber=1e-4)
    (step,) = found.record["steps"]
    assert (step["state"], step["line"]) == ("skipped", "28 images are too few: 30 at least evaluate, choose and judge")


def test_a_rate_that_is_not_there(tmp_path: Path) -> None:
    """A model that is never right has no operating point: what works at one is skipped, with the way out."""

    images, answers = pictures(60)
    wrong = (answers + 1) % 5  # nothing is right, so that nothing can be lost
    found = studied(tmp_path, (images, wrong), only=("layer",))
    layer = found.record["steps"][-1]
    assert layer["name"] == "layer"
    assert layer["state"] == "skipped"
    assert "give --plan-ber" in layer["line"]


def test_what_is_left_is_timed_again_at_its_rate(tmp_path: Path, data: Path) -> None:
    """Before the curve, the rate of plans is a guess: if it costs more, the steps after the curve take fewer images."""
    tick, now, told = [0.001], [0.0], list[Event]()

    def clock() -> float:
        now[0] += tick[0]
        return now[0]

    def tell(event: Event) -> None:
        told.append(event)
        if isinstance(event, StepEnded) and event.step["name"] == "points":
            tick[0] = 20.0

    found = studied(tmp_path, data, images=None, trials=None, budget=120.0, clock=clock, progress=tell)
    scheduled = next(event for event in told if isinstance(event, Scheduled))
    again = next(event for event in told if isinstance(event, FittedAgain))
    assert (scheduled.images, again.before, again.images) == (16, 16, LEAST)
    assert again.lines()[0].endswith(", on 10 of 16 images")
    steps = {step["name"]: step for step in found.record["steps"]}
    assert {name: step["images"] for name, step in steps.items()} == {"sweep": 16, "points": 16, "layer": 10}
    study = Study.read(tmp_path / "study.toml")
    assert study.run.images == 16
    assert " --images" not in steps["sweep"]["command"]
    assert steps["layer"]["command"].endswith(" --images 10")
    kept = json.loads((tmp_path / "steps" / "layer.json").read_text())
    options = {**study.options, "run": replace(study.run, images=10)}
    same = rh.vulnerability(network(), study.data, by="layer", ber=kept["models"][0]["points"][0]["ber"], **options)
    assert json.loads(json.dumps(same.to_dict())) == kept["models"][0]


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        now += step
        yield now


def test_a_budget_by_a_clock(tmp_path: Path, data: Path) -> None:
    """Every look at the clock is 1 s later: a run of images takes 1 s however many there are."""
    ticks, told = ticking(1.0), list[Event]()
    options: dict[str, Any] = {"only": ("sweep",), "images": None, "trials": None}
    found = studied(tmp_path, data, budget=120.0, clock=lambda: next(ticks), progress=told.append, **options)
    schedule = next(event for event in told if isinstance(event, Scheduled))
    assert schedule.seconds <= 120
    assert schedule.images == found.record["images"] >= LEAST
    ticks = ticking(1.0)
    with pytest.raises(InputError, match=r"budget .*: (capturing|.* images in 1 trial take about)"):
        studied(tmp_path / "y", data, budget=20.0, clock=lambda: next(ticks), **options)
