"""The record of one node of an exported graph: the operator or move that it became."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["computes", "writes", "moves", "stays", "sizes"]


@dataclass(frozen=True, kw_only=True)
class NodeAccount:
    """What became of one node of the exported graph: `op` in the module at `path`.

    It "computes" at `sites`; or it is part of what the product at `sites` "writes" back, as a ReLU that a convolution
    feeds alone, and has no operation of its own; or it "moves" or compares data; or it "stays" without a step of its
    own, as a copy, a check, or a scale that the operator beside it absorbs; or it computes from "sizes" alone what is
    the same for all images, and is not exposed. What depends on constants alone was computed before, and is no node
    any more.
    """

    op: str
    path: str
    role: Role
    sites: tuple[str, ...]
