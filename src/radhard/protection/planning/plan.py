"""`Plan`: the protected sites of one program and their schemes, and its JSON file.

Its file is JSON. `docs/schema/plan-file.json` describes it; a plan is for one program, whose digest it names.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_type_hints

from radhard import strict_json
from radhard.errors import InputError
from radhard.json_record import Record, read
from radhard.program import Calibration, Program
from radhard.protection.planning.grounds import ChosenOn, Digest, Expected, FrontierStep, Goal, Judged, OrderedProduct
from radhard.protection.planning.method import Method
from radhard.protection.planning.protection import Protection

FORMAT = 2
_MAKERS = "radhard or torch"
_READ = (1, FORMAT)  # plans of format 1 were not judged

Strategy = Literal["", "algorithm1", "gain"]
Bound = Literal["", "accuracy", "overhead", "products"]
TargetVerdict = Literal["", "met", "not met", "cannot tell"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`protection` of the program of digest `program`, made for bit error rate `ber`.

    `method` and `strategy` made it, within `limits`, of which `bound` names the one that ended it ("accuracy": the
    target is reached). `verdict` ("met", "not met", "cannot tell") on the target and `judged`, its grounds, are of
    images that did not choose it; a plan of format 1 has neither. `expected` is what was measured with it on these (in
    format 1: on those that chose it). `chosen_on` says which images chose and judged: never ones that evaluate.
    `order` and `frontier` are the steps that the choice was among. With its `calibration` the program is made again on
    any machine. `anatomy` is what the user said of layers.

    >>> import radhard as rh
    >>> from radhard.protection import Protection, Tmr
    >>> plan = rh.Plan(model="m", program="0" * 64, recipe="int8", ber=1e-6, protection=Protection.of({"head": Tmr()}))
    >>> list(plan.protection.schemes)
    ['head']
    """

    model: str
    program: Digest
    recipe: str
    ber: float
    protection: Protection
    method: Method | None = None
    strategy: Strategy = ""
    limits: Goal = field(default_factory=Goal)
    bound: Bound = ""
    verdict: TargetVerdict = ""
    judged: Judged | None = None
    seed: int = 0
    words: Mapping[str, str] = field(default_factory=dict)
    expected: Expected | None = None
    chosen_on: ChosenOn = field(default_factory=ChosenOn)
    order: tuple[OrderedProduct, ...] = ()
    frontier: tuple[FrontierStep, ...] = ()
    calibration: Calibration | None = None
    anatomy: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def labelled(self) -> bool:
        """Whether the images that chose and judged it had labels; without, it is by agreement with clean answers."""
        return self.chosen_on.measure is None

    def check(self, program: Program) -> None:
        """Raise InputError unless the plan is for `program`."""
        if self.program != program.digest:
            raise InputError(
                f"the plan is for the program {self.program[:12]} of {self.model} ({self.recipe}), this is "
                f"{program.digest[:12]} of {program.name} ({program.recipe}): {self._difference(program)}; make a plan "
                "for it with `radhard plan`"
            )
        names = {site.name for site in program.costs}
        if unknown := sorted(self.protection.schemes.keys() - names):
            raise InputError(f"the plan protects {unknown[0]!r}, which is none of the program's {len(names)} sites")

    def _difference(self, program: Program) -> str:
        """In what the program that the plan is for differs from this one, as far as the plan says what that was."""
        if self.recipe != program.recipe:
            return f"the recipe is another one (--recipe {self.recipe})"
        own, other = self.calibration, program.calibration
        if own is None or other is None:
            return "its weights or its scales are other ones, and the plan does not say which it was made with"
        if own.recipe != other.recipe:
            return "the recipe int8 had no words with zero points in the earlier version of radhard that made the plan"
        if own.program != other.program:
            return f"its weights or its architecture are other ones, or another version of {_MAKERS} captures it"
        if own.digest == other.digest:
            return f"weights and scales are the same, and another version of {_MAKERS} makes another program of them"
        if own.images == other.images:
            return "its scales differ, though the same images calibrated both, on processors that round otherwise"
        return "its scales are other ones: other images calibrated it"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name != "anatomy" or self.anatomy}
        values["calibration"] = None if self.calibration is None else self.calibration.as_dict()
        return {"radhard_plan": FORMAT, **values}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: dict(each) if isinstance(each, Mapping) else each for name, each in value.items()}
    if value is None:
        return {}
    return value.as_dict() if isinstance(value, Record | Protection | Method) else value


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan as JSON."""
    path.write_text(json.dumps(plan.as_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_plan(path: str | Path) -> Plan:
    """Read a plan. InputError names the file, the place in it and what was expected there.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import radhard as rh
    >>> from radhard.protection import Protection, Tmr, write_plan
    >>> plan = rh.Plan(model="m", program="0" * 64, recipe="int8", ber=1e-6, protection=Protection.of({"head": Tmr()}))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_plan(plan, Path(folder, "plan.json"))
    ...     rh.read_plan(f"{folder}/plan.json").protection == plan.protection
    True
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"plan {path} is a folder or a device, not a file; make one with `radhard plan`")
        values = strict_json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"plan {path} cannot be read: {error.strerror}; make one with `radhard plan`") from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"plan {path} is no JSON: {error}; make it again with `radhard plan`") from error
    place = f"plan {path}"
    version = values.pop("radhard_plan", None) if isinstance(values, dict) else None
    if version not in _READ or isinstance(version, bool):
        raise InputError(f"{place} is no plan of format {FORMAT} ('radhard_plan': {FORMAT}); `radhard plan` makes one")
    values = {"anatomy": {}} | values
    if version == 1:
        values = {"verdict": "", "judged": {}, "calibration": None} | values
        if values.get("recipe") == "int8":  # what that recipe was called when format 1 was written
            values["recipe"] = "int8-symmetric"
    return _read(values, place=place)


def _read(values: dict[str, Any], *, place: str) -> Plan:
    types: dict[str, type | tuple[type, ...]] = {
        **dict.fromkeys(("model", "program", "recipe", "strategy", "bound", "verdict"), str),
        **dict.fromkeys(
            ("protection", "method", "limits", "words", "judged", "expected", "chosen_on", "anatomy"), dict
        ),
        **dict.fromkeys(("order", "frontier"), list),
        "ber": (int, float),
        "seed": int,
        "calibration": (dict, NoneType),
    }
    for name, kind in types.items():
        if name not in values or not isinstance(values[name], kind) or isinstance(values[name], bool):
            wanted = kind.__name__ if isinstance(kind, type) else "number" if name == "ber" else "calibration"
            raise InputError(f"{place}: {name!r} is {values.get(name)!r}, not a {wanted}")
    if unknown := sorted(values.keys() - types.keys()):
        raise InputError(f"{place}: {unknown[0]!r} is no field of a plan; fields are {', '.join(types)}")
    if not 0 <= values["ber"] <= 1:
        raise InputError(f"{place}: 'ber' is {values['ber']}; the bit error rate is a probability, from 0 to 1")
    hints = get_type_hints(Plan, include_extras=True)
    found = dict(values)
    for name in ("strategy", "bound", "verdict", "limits", "words", "chosen_on", "order", "frontier", "anatomy"):
        found[name] = read(hints[name], values[name], place=f"{place}, {name!r}")
    for name, grounds in (("judged", Judged), ("expected", Expected), ("method", Method)):
        own = f"{place}, {name!r}"
        found[name] = grounds.from_dict(values[name], place=own) if values[name] else None
    if values["calibration"] is not None:
        found["calibration"] = Calibration.from_dict(values["calibration"], place=f"{place}, 'calibration'")
    found["protection"] = Protection.from_dict(values["protection"], place=place)
    return Plan(**found)
