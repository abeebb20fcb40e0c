"""Deployed forms of schemes: frozen values, from which `radhard.deploy` makes modules.

Each scheme says what it is in its `deployed`, a property. A module does what its scheme does on a machine
(`radhard.protection`): under the same faults in accumulators and stored weights it yields the same words. A scheme that
has no such module says why, with `NoForm`.
"""

from dataclasses import dataclass
from typing import Literal

from radhard.protection.cost.shape import Block

BlockRecovery = Literal["leave", "intersect", "row", "block", "weighted"]
"""What becomes of a faulty block: a policy of LB-ABFT, or "weighted", the recovery by rows of row ABFT."""


class Form:
    """What a scheme is when it is deployed: a frozen value, which a file of `radhard.deploy.forms` makes a step of."""


class ProductForm(Form):
    """A form that int8 matrix products alone have."""


@dataclass(frozen=True, kw_only=True)
class RowCheck(ProductForm):
    """Every row of an int8 product is summed and compared; rows that are off are computed again and compared again."""


@dataclass(frozen=True, kw_only=True)
class BlockCheck(ProductForm):
    """Every int8 product is checked as a whole; after an alarm its blocks are, and faulty ones are recovered.

    `block` None is the whole product. A block is taken up again at most `retries` times; 0 leaves a repair unchecked.
    `repair="visible"` passes over blocks whose errors no written word shows; `width` is that of the sums, in bits.
    """

    block: Block | None = None
    recovery: BlockRecovery = "leave"
    retries: int = 0
    repair: Literal["all", "visible"] = "all"
    width: Literal[32, 64] = 32


@dataclass(frozen=True, kw_only=True)
class Vote(Form):
    """The operator runs three times, and its words are voted on, as a whole or bit by bit."""

    by: Literal["word", "bitwise"]


@dataclass(frozen=True, kw_only=True)
class Bounds(Form):
    """Values outside `low` ... `high` become 0 ("zero") or the nearer bound ("clamp")."""

    low: float
    high: float
    outside: Literal["zero", "clamp"]


@dataclass(frozen=True, kw_only=True)
class NoForm(Form):
    """The scheme is measured, and not deployed; `reason` completes the sentence "float-abft is not deployed: ..."."""

    reason: str
