"""A method to protect a whole model: one scheme for its matrix products, and ranges for what is not linear.

Written as text it is the name of a scheme and options behind colons, such as `lb-abft:policy=leave:ranges=none`.
"""

import math
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Literal, get_args, get_type_hints

from radhard.errors import InputError
from radhard.machine import Shape
from radhard.protection.abft.recovery import Policy
from radhard.protection.cost.blocks import cubes, optimal_block
from radhard.protection.cost.models import CostModel, Exact, Printed, Volume
from radhard.protection.cost.row_cost import ExactRows, boxes
from radhard.protection.cost.shape import Block
from radhard.protection.protected import Exposure, Scheme
from radhard.protection.schemes.huang_abraham import HuangAbraham
from radhard.protection.schemes.intensity_guided import IntensityGuided
from radhard.protection.schemes.lb_abft import LbAbft, Repair
from radhard.protection.schemes.ranges import Outside
from radhard.protection.schemes.row_abft import RowAbft
from radhard.protection.schemes.standard_abft import StandardAbft
from radhard.protection.schemes.tmr import Tmr, Vote
from radhard.words import Words

Kind = Literal[
    "none", "lb-abft", "row-abft", "standard-abft", "huang-abraham", "intensity-ideal", "intensity-measured", "tmr"
]
Bounds = Literal["none", "observed", "paper"]
_ALSO = {"better": "row-abft"}
_DEFAULT_BLOCKS = {"row-abft": "box"}


@dataclass(frozen=True, kw_only=True)
class Method:
    """What to do at every product, and at every non-linear operator.

    `policy`, `blocks`, `cost`, `repair`, `retries` and `flips` (most that a block may expect) are for schemes with
    blocks, of which the one that costs least is taken; `vote` is for TMR; `intensity`, the operations a byte of the
    device, for `intensity-measured`. `ranges` are the bounds of non-linear operators, `margin` makes observed ones
    wider by this share of their distance. `batch`: images that a roofline supposes to share the weights.
    """

    scheme: Kind = "row-abft"
    policy: Policy = "intersect"
    blocks: Literal["", "cube", "box"] = ""
    cost: Literal["exact", "volume", "printed"] = "exact"
    repair: Repair = "all"
    retries: int = 1
    flips: float = 1.0
    vote: Vote = "bitwise"
    intensity: float = 400.0
    batch: int = 1
    ranges: Bounds = "observed"
    outside: Outside = "zero"
    margin: float = 0.05
    checks: Exposure = "exposed"
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise InputError(f"batch={self.batch}: give the number of images that share the weights, at least 1")

    @property
    def title(self) -> str:
        """What to call it: the text that it was read from, or that of its scheme."""
        return self.name or self.scheme

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**vars(self), "name": self.title}

    def scheme_of(self, shape: Shape, *, ber: float, words: Words) -> Scheme | None:
        """The scheme of a product of this shape at bit error rate `ber`; None for none.

        Raises InputError if no block expects few enough flips.
        """
        match self.scheme:
            case "none":
                return None
            case "lb-abft":
                block = best_block(self, shape, ber=ber, words=words)
                return LbAbft(block=block, policy=self.policy, retries=self.retries, repair=self.repair)
            case "row-abft":
                return RowAbft(block=best_block(self, shape, ber=ber, words=words), retries=self.retries)
            case "standard-abft":
                return StandardAbft()
            case "huang-abraham":
                return HuangAbraham()
            case "intensity-ideal":
                return IntensityGuided()
            case "intensity-measured":
                return IntensityGuided(hides="measured", operations_per_byte=self.intensity, batch=self.batch)
            case "tmr":
                return Tmr(vote=self.vote)


@cache
def best_block(method: Method, shape: Shape, *, ber: float, words: Words) -> Block:
    """The block of `shape` that costs least by the method's model, among those that expect few enough flips."""
    models: dict[str, CostModel] = {
        "exact": Exact(words=words, retries=method.retries),
        "volume": Volume(bits=words.product.exposed + words.accumulator.exposed),
        "printed": Printed(),
    }
    model = models[method.cost]
    if method.scheme == "row-abft" and method.cost == "exact":
        model = ExactRows(words=words, retries=method.retries)
    kind = method.blocks or _DEFAULT_BLOCKS.get(method.scheme, "cube")
    candidates = boxes(shape) if kind == "box" else cubes(shape)
    # rows with several faulty words are no obstacle to RowAbft, so its blocks need not be small
    most = math.inf if method.scheme == "row-abft" else method.flips
    return optimal_block(shape, ber=ber, model=model, most_flips=most, candidates=candidates).block.clipped(shape)


def read_method(text: str) -> Method:
    """`lb-abft:policy=leave` -> Method. InputError names the option, its value, and what it can be."""
    name, *options = text.split(":")
    scheme = _ALSO.get(name, name)
    if scheme not in get_args(Kind):
        raise InputError(f"scheme {name!r} is not known; it is one of {', '.join((*get_args(Kind), *_ALSO))}")
    hints = get_type_hints(Method)
    known = {f.name: hints[f.name] for f in fields(Method) if f.name not in ("scheme", "name")}
    values: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or key not in known:
            raise InputError(f"scheme {text!r}: {option!r} is no option=value; options are {', '.join(known)}")
        if key in values:
            raise InputError(f"scheme {text!r}: {key} is given twice; give it once")
        values[key] = _read(value, known[key], place=f"scheme {text!r}: {key}")
    return replace(Method(scheme=scheme), **values, name=text)  # type: ignore[arg-type]


def _read(value: str, kind: Any, *, place: str) -> Any:
    if kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            wanted = "whole number" if kind is int else "number"
            raise InputError(f"{place}={value!r} is no {wanted}; write one") from None
        if not (math.isfinite(number) and number >= 0):
            raise InputError(f"{place}={value}: write a finite number from 0 on")
        return number
    choices = [choice for choice in get_args(kind) if choice]
    if value not in choices:
        raise InputError(f"{place}={value!r} is not known; choose from {', '.join(choices)}")
    return value
