"""The verb `evaluate`: against single runs of the program, against the command, and what it refuses."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from radhard.analysis.noninferiority import Differences, lower_limit, upper_limit
from radhard.errors import InputError
from radhard.faults import Faults, Faulty
from radhard.machine import Clean
from radhard.program import run
from radhard.protection import Plan, Protection, write_plan
from radhard.protection.planning.grounds import Goal
from radhard.studies.comparison import compare
from radhard.studies.evaluation import Evaluated, evaluate
from radhard.studies.options import CompareOptions, ModelOptions, RunOptions
from radhard.studies.under_test import under_test
from tests.cli.test_commands import call, refused
from tests.cli.test_json import printed
from tests.support.planned import RATE, RUN, data, planned
from tests.support.verbs import Told, network, pictures


def evaluated(plan: Plan, **options: object) -> Evaluated:
    return evaluate(network(), data(), plan=plan, **{"run": RUN, **options})  # type: ignore[arg-type]


def test_accuracies_and_the_verdict_are_those_of_single_runs() -> None:
    plan = planned().plan
    found = evaluated(plan)
    model_under_test = under_test(network(), data())
    program, places = model_under_test.programs["int8"], range(60)
    right = {}
    for name, machine in {
        "clean": Clean,
        "unprotected": lambda: Faulty(Clean(), Faults(ber=RATE)),
        "plan": lambda: plan.protection.on(Faulty(Clean(), Faults(ber=RATE))),
    }.items():
        answers = []
        for place in places:
            one = torch.tensor([place])
            logits = run(program, model_under_test.images(one), machine(), ids=model_under_test.data.ids[one]).logits
            answers.append(int(logits.argmax(1)) == int(model_under_test.data.labels[place]))
        right[name] = np.array(answers)
    outcomes = {(o.configuration.name, o.configuration.amount): o for o in found.evaluation.outcomes}
    wholes = [o for (_, ber), o in outcomes.items() if ber and o.configuration.setting.protection == plan.protection]
    (whole,) = wholes
    assert outcomes["unprotected", 0.0].point.accuracy == right["clean"].mean()
    assert outcomes["unprotected", RATE].point.accuracy == right["unprotected"].mean() < right["clean"].mean()
    assert whole.point.accuracy == right["plan"].mean()
    lost = int((right["clean"] & ~right["plan"]).sum())
    gained = int((~right["clean"] & right["plan"]).sum())
    (check,) = found.checks
    differences = Differences(lost=lost, gained=gained, n=60)
    assert (check.limit.low, check.limit.high) == (
        lower_limit(differences, level=0.95),
        upper_limit(differences, level=0.95),
    )
    assert check.verdict == (
        "met" if check.limit.high <= 0.1 else "not met" if check.limit.low > 0.1 else "cannot tell"
    )
    assert (check.target, check.images, check.loss) == (0.1, 60, pytest.approx((lost - gained) / 60))


def test_a_verdict_follows_the_target_of_the_plan() -> None:
    plan = planned().plan
    strict, loose = (replace(plan, limits=replace(plan.limits, loss=loss)) for loss in (0.0, 0.9))
    assert evaluated(loose).checks[0].verdict == "met"
    assert evaluated(strict).checks[0].verdict != "met"
    without = replace(plan, limits=Goal())
    assert evaluated(without).checks == ()
    assert evaluated(without).to_dict()["checks"] == []
    elsewhere = evaluated(plan, ber=(1e-6,))
    assert elsewhere.checks == ()  # the target is at the plan's own rate


def test_a_plan_that_protects_nothing_is_checked_too() -> None:
    nothing = replace(planned().plan, protection=Protection())
    (check,) = evaluated(nothing).checks
    bare = next(o for o in evaluated(nothing).evaluation.outcomes if o.configuration.amount)
    assert bare.configuration.name == "unprotected"
    assert check.loss == bare.loss.rate


def test_its_result_in_all_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told()
    found = evaluated(planned().plan, progress=told)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [row["configuration"] for row in record["configurations"]] == [row["configuration"] for row in found.rows()]
    assert record["checks"][0]["verdict"] in repr(found)
    assert "at most 10 points lost" in found._repr_html_()
    for name in ("x.svg", "x.png"):
        found.plot(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    axes = plt.figure().subplots()
    found.plot(axes)
    assert axes.get_xlabel() == "points more than unprotected"
    assert any(type(event).__name__ == "Measuring" for event in told.events)
    assert capsys.readouterr() == ("", "")


def test_images_that_chose_the_plan_are_refused() -> None:
    plan = planned().plan
    with pytest.raises(InputError, match=r"^1 of the 201 images .* chose or judged the plan"):
        evaluated(plan, run=RunOptions(images=201, trials=1))
    told = Told()
    taken = evaluated(plan, run=RunOptions(trials=1, batch=100, chunk=100), progress=told)
    assert taken.evaluation.on.images == 200
    assert "the first 200 of these are evaluated: the next one chose a plan" in told.notes


def test_the_recipe_is_the_plans_and_another_one_is_refused(tmp_path: Path) -> None:
    model_under_test = under_test(network(), data(), model_options=ModelOptions(recipe="int8-symmetric"))
    program = model_under_test.programs["int8-symmetric"]
    plan = replace(planned().plan, recipe="int8-symmetric", program=program.digest, calibration=program.calibration)
    told = Told()
    found = evaluated(plan, progress=told)
    assert found.to_dict()["recipe"] == "int8-symmetric"
    assert "Sequential: recipe int8-symmetric, which the plan is for" in told.notes
    with pytest.raises(InputError, match=r"recipe int8-float: the plan .* is for the recipe int8-symmetric; leave"):
        evaluated(plan, model_options=ModelOptions(recipe="int8-float"))
    with pytest.raises(InputError, match="recipes int8 and int8-symmetric; give those of one"):
        evaluate(network(), data(), plan=[planned().plan, replace(plan, ber=1e-6)], run=RUN)
    write_plan(replace(plan, model="fashion-vit"), tmp_path / "plan.json")
    said = refused("evaluate", "fashion-vit", "--plan", tmp_path / "plan.json", "--recipe", "int8")
    assert "--recipe int8: the plan for BER 2e-05 is for the recipe int8-symmetric; leave --recipe out" in said


def test_what_cannot_be_meant_is_refused() -> None:
    plan = planned().plan
    for options, text in (
        ({"plan": []}, "give one plan or more"),
        ({"plan": [plan, plan]}, "two plans for Sequential are for the same bit error rate"),
        ({"plan": [plan, replace(plan, ber=1e-6)], "ber": 1e-6}, "ber with 2 plans"),
        ({"plan": plan, "run": RunOptions(until_width=1.0)}, "until_width: "),
    ):
        with pytest.raises(InputError, match=text):
            evaluate(network(), data(), **options)  # type: ignore[arg-type]


def test_the_command_says_what_the_verb_says(tmp_path: Path) -> None:
    """A module from a file and images from a file, by both ways."""
    images, labels = pictures(400)
    (tmp_path / "net.py").write_text("from tests.support.verbs import network as net\n")
    np.savez(tmp_path / "data.npz", test_images=images.permute(0, 2, 3, 1).numpy(), test_labels=labels.numpy())
    model, source = f"{tmp_path / 'net.py'}:net", str(tmp_path / "data.npz")
    stated = ("--input-shape", "3,8,8", "--mean", "0.5", "--std", "0.25", "--data", source)
    how = ("--images", 40, "--trials", 1, "--batch", 40, "--chunk", 20)
    limits = ("--max-loss", 10, "--max-overhead", 90, "--out", tmp_path / "plan.json")
    made = printed("plan", model, "--ber", RATE, *limits, *stated, *how)
    options = ModelOptions(input_shape=(3, 8, 8), mean=(0.5,), std=(0.25,))
    run_ = RunOptions(images=40, trials=1, batch=40, chunk=20)
    assert made["settings"]["max_loss"] == 10
    (record,) = made["models"]
    assert record["plan"]["model"] == model
    told = printed("evaluate", model, "--plan", tmp_path / "plan.json", *stated, *how, "--csv", tmp_path / "x.csv")
    found = evaluate(model, source, plan=tmp_path / "plan.json", model_options=options, run=run_)
    assert told["models"] == [json.loads(json.dumps(found.to_dict()))]
    rows = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    assert [row["accuracy"] for row in rows] == [str(row["accuracy"]) for row in found.rows()]
    text = call("evaluate", model, "--plan", tmp_path / "plan.json", *stated, *how)
    assert "plan for BER 2e-05, at most 10 points lost: " in text
    schemes = ("tmr:ranges=none", "row-abft")
    pairs = printed("compare", model, "--schemes", ",".join(schemes), "--ber", RATE, *stated, *how)
    chosen = CompareOptions(schemes=schemes)
    both = compare(model, source, ber=RATE, compare_options=chosen, model_options=options, run=run_)
    assert pairs["models"] == [json.loads(json.dumps(both.to_dict()))]
    assert pairs["settings"]["schemes"] == list(schemes)
