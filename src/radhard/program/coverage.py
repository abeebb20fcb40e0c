"""Coverage of the exported graph: which nodes compute and can be hit, and which only move data."""

from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from radhard.machine import KINDS, Kind
from radhard.program.program import Program

_PRODUCTS = frozenset({"linear", "conv2d", "matmul"})
_MEANING = {
    "computes": "exposed",
    "writes": "in the write-back of the product before it",
    "moves": "data movement",
    "stays": "no step of its own",
    "sizes": "from sizes alone, not exposed",
}


@dataclass(frozen=True, kw_only=True)
class OpRow:
    """All `nodes` of one operation `op` with one `role`, and the operations of one image's inference by kind."""

    op: str
    role: str
    nodes: int
    operations: Mapping[Kind, int]

    @property
    def meaning(self) -> str:
        """The role in words; what computes but has only special or scale operations is exposed only when asked."""
        if self.role != "computes" or self.operations["mul"] or self.operations["add"]:
            return _MEANING[self.role]
        named = [kind for kind in ("special", "scale", "load") if self.operations[kind]]
        return f"{', '.join(named)}: exposed when asked" if named else "comparison"


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """A row an operation and role, most operations first; `macs` by our count of products and convolutions."""

    model: str
    recipe: str
    rows: tuple[OpRow, ...]
    nodes: int
    macs: int


def coverage(program: Program) -> Coverage:
    """Sum up what became of the nodes of the program's graph."""
    costs = {site.name: cost for site, cost in program.costs.items()}
    nodes: Counter[tuple[str, str]] = Counter()
    operations: dict[tuple[str, str], Counter[Kind]] = {}
    for account in program.accounts:
        key = (account.op, account.role)
        nodes[key] += 1
        tally = operations.setdefault(key, Counter())
        for name in account.sites if account.role == "computes" else ():
            tally.update({kind: costs[name].operations(kind) for kind in KINDS})
    rows = [
        OpRow(op=op, role=role, nodes=nodes[op, role], operations={kind: tally[kind] for kind in KINDS})
        for (op, role), tally in operations.items()
    ]
    rows.sort(key=lambda row: (-row.operations["mul"] - row.operations["add"], -row.nodes))
    return Coverage(
        model=program.name,
        recipe=program.recipe,
        rows=tuple(rows),
        nodes=len(program.accounts),
        macs=multiply_accumulates(program),
    )


def multiply_accumulates(program: Program) -> int:
    """Multiplications of matrix products and convolutions in one image's inference."""
    return sum(cost.operations("mul") for site, cost in program.costs.items() if site.operator in _PRODUCTS)


def counted_by_torch(module: nn.Module, example: torch.Tensor) -> int:
    """Multiply-accumulates of `module` on `example` [1, ...] by PyTorch's own counter, an independent count.

    It knows matrix products and convolutions alone. Its holes: it does not see inside fused attention on a CPU, so
    attention runs unfused here; nor inside the fused path of nn.MultiheadAttention and nn.TransformerEncoderLayer,
    which is switched off here.
    """
    from torch.utils.flop_counter import FlopCounterMode  # it imports Triton, which takes 0.2 s of every start

    module = deepcopy(module).requires_grad_(False)  # the counter trips over views of parameters
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
            module(example)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return int(counter.get_total_flops()) // 2
