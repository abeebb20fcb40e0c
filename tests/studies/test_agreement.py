"""Without labels `compare`, `evaluate` and `plan` count what they count with the fault-free answers as labels."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.machine import Clean
from radhard.program import run as run_program
from radhard.protection import Plan, read_plan, write_plan
from radhard.report.configurations.target import target_line
from radhard.report.frontier import frontier_data
from radhard.studies.comparison import compare
from radhard.studies.evaluation import evaluate
from radhard.studies.options import CompareOptions, DataOptions, FaultOptions, ModelOptions, PlanOptions, RunOptions
from radhard.studies.planning import plan
from radhard.studies.reproduction.estimate import measure_pace
from radhard.studies.under_test import under_test
from tests.support.planned import RATE, RUN, data, planned
from tests.support.verbs import Told, network

Record = Mapping[str, Any]


@cache
def answers() -> Tensor:
    """The classes that the int8 program answers without faults, int64 [400], from one plain run."""
    images, _ = data()
    program = under_test(network(), (images, None)).programs["int8"]
    return run_program(program, images, Clean()).logits.argmax(1)


def schemes(labels: Tensor | None, **options: Any) -> dict[str, Any]:
    chosen = CompareOptions(**{"schemes": ("row-abft", "tmr:ranges=none", "none"), "margin": 15.0, **options})
    found = compare(network(), (data()[0], labels), ber=[RATE, 5e-5], compare_options=chosen, run=RUN)
    return json.loads(json.dumps(found.to_dict(), allow_nan=False))  # type: ignore[no-any-return]


def plans(labels: Tensor | None, made: Plan) -> dict[str, Any]:
    found = evaluate(network(), (data()[0], labels), plan=made, run=RUN)
    return json.loads(json.dumps(found.to_dict(), allow_nan=False))  # type: ignore[no-any-return]


def check_alike(without: Record, with_answers: Record) -> None:
    """Agreement is 1 less what changes; accuracy is there by the answers. All else is the same number."""
    assert (without["labelled"], with_answers["labelled"]) == (False, True)
    others = [one for one in with_answers["configurations"] if one["configuration"] != "float program"]
    assert len(without["configurations"]) == len(others) > 0
    for one, other in zip(without["configurations"], others, strict=True):
        assert one["accuracy"] is one["low"] is one["high"] is None
        shares = [1 - one[name] for name in ("changed", "changed_high", "changed_low")]
        assert shares == pytest.approx([other[name] for name in ("accuracy", "low", "high")])
        same = one.keys() - {"accuracy", "low", "high", "relative", "relative_low", "relative_high"}
        same -= {"critical", "critical_low", "critical_high"}
        assert {name: one[name] for name in same} == {name: other[name] for name in same}
    assert any(0 < one["changed"] < 1 for one in without["configurations"])


@pytest.mark.parametrize("options", [{}, {"extent": "needed", "max_loss": 20.0, "select": 40}], ids=["all", "needed"])
def test_schemes_agree_as_they_are_right_by_the_fault_free_answers(options: dict[str, Any]) -> None:
    without, with_answers = schemes(None, **options), schemes(answers(), **options)
    check_alike(without, with_answers)
    assert without["pairs"] == with_answers["pairs"]
    assert len(without["pairs"]) == 4


def test_plans_are_evaluated_by_agreement() -> None:
    made = planned().plan
    without, with_answers = plans(None, made), plans(answers(), made)
    check_alike(without, with_answers)
    assert without["checks"] == with_answers["checks"]
    (check,) = evaluate(network(), (data()[0], None), plan=made, run=RUN).checks
    assert target_line(check).startswith("plan for BER 2e-05, at most 10 points of agreement lost: ")


def test_a_plan_is_chosen_and_judged_by_agreement(tmp_path: Path) -> None:
    """The same products, verdict and numbers as by the fault-free answers."""
    within = PlanOptions(max_loss=10, max_overhead=90)
    without, with_answers = (
        plan(network(), (data()[0], labels), ber=RATE, plan_options=within, run=RUN).plan
        for labels in (None, answers())
    )
    assert (without.labelled, with_answers.labelled) == (False, True)
    assert without.protection == with_answers.protection
    assert (without.verdict, without.judged, without.order) == (
        with_answers.verdict, with_answers.judged, with_answers.order,
    )  # fmt: skip
    one, other = without.expected, with_answers.expected
    assert one is not None
    assert other is not None
    assert (one.accuracy, one.low, one.high, one.clean) == (None, None, None, 1.0)
    assert (one.loss, one.gain, one.overhead, one.changed) == (other.loss, other.gain, other.overhead, other.changed)
    assert one.unprotected == pytest.approx(other.unprotected)
    (line,), (beside,) = frontier_data([without]).lines, frontier_data([with_answers]).lines
    for mine, theirs in ((line.steps.quality, beside.steps.quality), (line.ranges.quality, beside.ranges.quality)):
        for end in ("rate", "low", "high"):
            assert getattr(mine, end) == pytest.approx(getattr(theirs, end))
    write_plan(without, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == without
    told = Told()
    evaluate(network(), data(), plan=without, run=RUN, progress=told)
    assert [note for note in told.notes if "checked by" in note] == [
        "the plan was chosen by agreement, without labels; its target is checked by accuracy, which loses no more"
    ]


def test_accuracy_loses_no_more_than_agreement() -> None:
    """What the table says beside agreement, for labels that are not the answers."""
    labels = torch.randint(0, 5, (400,), generator=torch.Generator().manual_seed(7))
    options = CompareOptions(schemes=("row-abft", "none"))
    found = compare(network(), (data()[0], labels), ber=5e-5, compare_options=options, run=RUN)
    losses = {row["configuration"]: (row["loss_rate"], row["changed"]) for row in found.rows() if row["ber"]}
    assert losses["unprotected"][1] > 0.1
    assert all(lost <= changed for lost, changed in losses.values())


def test_the_papers_claims_on_schemes_need_labels() -> None:
    """They are of accuracy."""
    with pytest.raises(InputError, match=r"^reproduce, figures 9 to 12, needs labels, as it decides by accuracy"):
        measure_pace(
            network(),
            (data()[0], None),
            ber=RATE,
            protected=True,
            model_options=ModelOptions(),
            data_options=DataOptions(),
            faults=FaultOptions(),
            run=RunOptions(trials=1),
        )
