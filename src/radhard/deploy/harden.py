"""Makes the deployable module of a model and a plan."""

from collections.abc import Iterable
from typing import Any, Protocol, get_args

from torch import Tensor, nn

from radhard.deploy.graph import graph_of
from radhard.deploy.hardened import Hardened, OnAlarm
from radhard.errors import InputError
from radhard.kernels import AlarmPolicy
from radhard.program import RECIPES, Program, capture, quantize
from radhard.protection import Plan, Protection


class HardeningPlan(Protocol):
    """A plan: how a program is protected, and the digest of the program that it was made for."""

    @property
    def protection(self) -> Protection:
        """The scheme of each site."""
        ...

    @property
    def program(self) -> str:
        """`Program.digest`."""
        ...


def harden(
    model: nn.Module | Program,
    plan: Protection | HardeningPlan,
    *,
    calibration: Iterable[Tensor] | None = None,
    policy: AlarmPolicy = "raise",
    on_alarm: OnAlarm | None = None,
) -> Hardened:
    """The model as a module that checks itself as `plan` says, with the same inputs and outputs.

    Its logits are those of the program, bit for bit, when nothing is wrong, and it is where the program is. A module is
    captured and quantised to int8 with batches of `calibration` images [B, ...] float32; a plan that carries its scales
    decides them. What cannot be repaired raises FaultError ("raise"), warns ("warn"), or is computed once more on
    another back end before it raises ("recompute"). Raises InputError for a plan of another program, of unknown sites
    or of schemes that do not fit them.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    >>> images = torch.ones(2, 8)
    >>> program = rh.quantize(rh.capture(model, images), [images])
    >>> from radhard.protection import Protection, Tmr
    >>> hardened = rh.harden(program, Protection.of({"2": Tmr()}))
    >>> torch.equal(hardened(images), rh.run(program, images).logits)
    True
    """
    if policy not in get_args(AlarmPolicy):
        raise InputError(f"policy {policy!r} is not known; choose from {', '.join(get_args(AlarmPolicy))}")
    program = _program(model, plan, calibration)
    protection = _protection(plan, program)
    names = {site.name for site in program.sites}
    if unknown := sorted(protection.schemes.keys() - names):
        raise InputError(
            f"the plan protects {unknown[0]!r}, which is none of the {len(names)} sites of {program.name}; `radhard "
            "inspect` lists them"
        )
    body = graph_of(program.on_host, protection, policy=policy)
    hardened = Hardened(body, name=program.name, input_shape=program.input_shape, on_alarm=on_alarm).eval()
    return hardened.to(program.device)


def _program(model: nn.Module | Program, plan: object, calibration: Iterable[Tensor] | None) -> Program:
    if isinstance(model, Program):
        if calibration is not None:
            raise InputError(f"{model.name} is a program, which is calibrated already: leave calibration out")
        return model
    batches = [] if calibration is None else list(calibration)
    if not batches:
        raise InputError(
            f"{type(model).__name__} is not quantised: give calibration=[images, ...], typical images as it takes them"
        )
    captured = capture(model, batches[0])
    if not isinstance(plan, Plan):
        return quantize(captured, batches)
    recipe = next((recipe for recipe in RECIPES if recipe == plan.recipe), None)
    if recipe is None:
        raise InputError(f"the plan is for recipe {plan.recipe}: give a program of that recipe, not a module")
    if plan.calibration is not None and plan.calibration.program == captured.digest:
        return quantize(captured, recipe=recipe, calibration=plan.calibration)
    return quantize(captured, batches, recipe=recipe)


def _protection(plan: Any, program: Program) -> Protection:
    if isinstance(plan, Protection):
        return plan
    if not isinstance(getattr(plan, "protection", None), Protection):
        raise InputError(f"plan is {type(plan).__name__}; give a Plan, or a radhard.protection.Protection")
    if isinstance(plan, Plan):
        plan.check(program)
    if plan.program != program.digest:
        raise InputError(
            f"the plan is for the program {plan.program}, and {program.name} is {program.digest}: plan for this, or "
            "give the model with the weights and calibration that it was planned for"
        )
    protection: Protection = plan.protection
    return protection
