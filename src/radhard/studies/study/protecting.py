"""The steps that protect: two plans, what the better one gives on other images, and schemes against each other."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from radhard.protection import Plan, read_plan, write_plan
from radhard.studies.comparison import compare as compare_verb
from radhard.studies.evaluation import evaluate as evaluate_verb
from radhard.studies.options import PlanOptions
from radhard.studies.planning import plan as plan_verb
from radhard.studies.study.study_step import Here, StepResult, StepSkipped

PAPER: Mapping[str, Any] = {"strategy": "algorithm1", "scheme": "lb-abft"}
GAIN: Mapping[str, Any] = {"strategy": "gain", "scheme": "row-abft"}
"""How the two plans are made: by the paper's algorithm and scheme; by gain, with the scheme that costs least."""

_BEST = ("met", "cannot tell", "not met", "")


def planned(name: str, how: Mapping[str, Any]) -> Callable[[Here], StepResult]:
    """The step that makes a plan for the operating point, layer by layer, until a limit is passed."""

    def run(here: Here) -> StepResult:
        ber = here.ber
        options = replace(here.study.plan_options, grain="layer", frontier="needed", judge=here.study.run.images, **how)
        found = plan_verb(
            here.model, here.data, ber=ber, plan_options=options, progress=here.report, **here.study.options
        )
        file = here.folder.path / f"plan-{name}.json"
        command = here.command(
            "plan", f"--ber {ber:g}", f"--strategy {options.strategy}", f"--scheme {options.scheme}", f"--out {file}"
        )
        here.folder.write(file, lambda draft: write_plan(found.plan, draft))
        envelope = here.envelope(command, found.to_dict(), ber=ber, plan_options=options)
        return StepResult(envelope=envelope, line=found.headline, drawn=found)

    return run


def plans_of(here: Here) -> dict[str, Plan]:
    """The plans that were made, by their steps' names, the best first: met, then at the least overhead."""
    found = {
        name: read_plan(here.folder.path / f"plan-{name}.json")
        for name in ("paper", "gain")
        if (here.folder.path / f"plan-{name}.json").is_file()
    }
    return dict(sorted(found.items(), key=lambda each: _rank(each[1])))


def _rank(plan: Plan) -> tuple[bool, int, float]:
    spent = None if plan.expected is None else plan.expected.overhead
    overhead = float("inf") if spent is None else spent.share
    return not plan.protection.sites, _BEST.index(plan.verdict), overhead


def chosen(here: Here) -> tuple[str, Plan]:
    """The plan that is deployed, with its name; it is `plan.json`, too. StepSkipped if none protects anything."""
    found = next(((name, plan) for name, plan in plans_of(here).items() if plan.protection.sites), None)
    if found is not None:
        here.folder.write(here.folder.plan, lambda draft: write_plan(found[1], draft))
        return found
    raise StepSkipped("no plan protects anything: none was made, or the model needs no protection at this rate")


def evaluated(here: Here) -> StepResult:
    """What the chosen plan gives on images that neither chose nor judged it."""
    name, plan = chosen(here)
    found = evaluate_verb(here.model, here.data, plan=plan, progress=here.report, **here.study.options)
    command = here.command("evaluate", f"--plan {here.folder.plan}")
    envelope = here.envelope(command, found.to_dict(), plan=[str(here.folder.plan)])
    return StepResult(envelope=envelope, line=f"plan of step {name}: {found.headline}", drawn=found)


def compared(here: Here) -> StepResult:
    """The schemes of the study against each other, on all products."""
    ber = here.ber
    found = compare_verb(
        here.model,
        here.data,
        ber=ber,
        compare_options=here.study.compare_options,
        progress=here.report,
        **here.study.options,
    )
    command = here.command("compare", f"--ber {ber:g}")
    envelope = here.envelope(command, found.to_dict(), ber=[ber], compare_options=here.study.compare_options)
    return StepResult(envelope=envelope, line=found.headline, drawn=found)


def plan_options() -> PlanOptions:
    """The limits of a study's plans, unless others are stated."""
    return PlanOptions(max_overhead=20.0, grain="layer", frontier="needed", scheme="lb-abft")
