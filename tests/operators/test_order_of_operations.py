"""The documented order of operations is what operators do: by its table, and against NumPy, one operation at a time."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from radhard.faults import Faulty, Flips
from radhard.machine import KINDS, Clean, Gemm, Operator, Site, read_cost
from radhard.operators import (
    Add,
    AvgPool2d,
    Div,
    Gelu,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    LayerNorm,
    Linear,
    Mean,
    Mul,
    RealPower,
    RmsNorm,
    Sigmoid,
    Silu,
    Softmax,
    Sum,
)  # fmt: skip

DOCS = Path(__file__).parents[2] / "docs"
F = np.float32
N = 6


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


CASES: dict[str, tuple[Operator, tuple[Tensor | None, ...], int]] = {
    "matmul": (Gemm(), (normal(2, N), normal(N, 3, seed=1)), N),
    "linear": (Linear(), (normal(2, N), normal(3, N, seed=1), normal(3, seed=2)), N),
    "softmax": (Softmax(), (normal(2, N),), N),
    "gelu": (Gelu(), (normal(2, N),), 1),
    "gelu (tanh)": (Gelu(form="tanh"), (normal(2, N),), 1),
    "layer_norm": (LayerNorm(shape=(N,)), (normal(2, N), normal(N, seed=1), normal(N, seed=2)), N),
    "group_norm": (GroupNorm(groups=2), (normal(1, 4, 3), normal(4, seed=1), normal(4, seed=2)), 6),
    "rms_norm": (RmsNorm(shape=(N,)), (normal(2, N), normal(N, seed=1)), N),
    "mean": (Mean(dims=(1,)), (normal(2, N),), N),
    "avg_pool2d": (AvgPool2d(size=(2, 2), stride=(2, 2)), (normal(1, 1, 4, 4),), 4),
    "add": (Add(), (normal(2, N), normal(2, N, seed=1)), 1),
    "mul": (Mul(), (normal(2, N), normal(2, N, seed=1)), 1),
    "div": (Div(), (normal(2, N), normal(2, N, seed=1)), 1),
    "sum": (Sum(dims=(1,)), (normal(2, N),), N),
    "sigmoid": (Sigmoid(), (normal(2, N),), 1),
    "silu": (Silu(), (normal(2, N),), 1),
    "hard_sigmoid": (HardSigmoid(), (normal(2, N),), 1),
    "hard_swish": (HardSwish(), (normal(2, N),), 1),
    "real_power": (RealPower(exponent=0.75), (normal(2, N).abs(),), 1),
}  # fmt: skip


def documented() -> dict[str, list[tuple[str, str]]]:
    """Operator -> its steps by the table of docs/faults.md: kind, and operations a unit such as `n-1`."""
    found = {}
    for line in (DOCS / "faults.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 2 and re.match(r"(mul|add|special) ", cells[1]):
            steps = [tuple(step.split(":")[0].split()[:2]) for step in cells[1].split("; ")]
            found.update(dict.fromkeys(cells[0].split(", "), steps))
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_table_is_what_is_done(name: str) -> None:
    operator, inputs, n = CASES[name]
    sizes = {"1": 1, "n": n, "n-1": n - 1, "k": n, "k-1": n - 1}
    wanted = [(kind, sizes[size]) for kind, size in documented()[name]]
    cost = read_cost(operator, inputs, Site(name="s"))
    assert [(step.kind, step.per_unit) for step in cost.steps] == wanted


def test_every_line_of_the_table_is_tried() -> None:
    assert documented().keys() - {"conv2d", "sub"} == CASES.keys()


class Words:
    """One operation after another in float32, each word noted; the one that is `hit` flips at `bit`."""

    def __init__(self, *, hit: tuple[str, int], bit: int) -> None:
        self.counts = dict.fromkeys(KINDS, 0)
        self.hit, self.bit = hit, bit

    def word(self, kind: str, value: np.float32) -> np.float32:
        found = F(value)
        if (kind, self.counts[kind]) == self.hit:
            found = (found.view(np.uint32) ^ np.uint32(1 << self.bit)).view(np.float32)
        self.counts[kind] += 1
        return found

    def add(self, x: np.float32, y: np.float32) -> np.float32:
        return self.word("add", F(x) + F(y))

    def mul(self, x: np.float32, y: np.float32) -> np.float32:
        return self.word("mul", F(x) * F(y))

    def special(self, function: str, x: np.float32) -> np.float32:
        of_torch: Callable[[Tensor], Tensor] = getattr(torch, function)
        return self.word("special", F(of_torch(torch.tensor(x)).item()))

    def sum(self, row: list[np.float32]) -> np.float32:
        total = row[0]
        for value in row[1:]:
            total = self.add(total, value)
        return total


def softmax(w: Words, rows: list[list[np.float32]]) -> list[list[np.float32]]:
    """All units go through a step before the next step."""
    centred = [[w.add(x, -max(row)) for x in row] for row in rows]
    exponentials = [[w.special("exp", x) for x in row] for row in centred]
    sums = [w.sum(row) for row in exponentials]
    shares = [w.special("reciprocal", total) for total in sums]
    return [[w.mul(x, share) for x in row] for row, share in zip(exponentials, shares, strict=True)]


def gelu(w: Words, rows: list[list[np.float32]]) -> list[list[np.float32]]:
    inner = [[w.mul(x, F(np.sqrt(0.5))) for x in row] for row in rows]
    inner = [[w.special("erf", x) for x in row] for row in inner]
    inner = [[w.add(x, F(1)) for x in row] for row in inner]
    outer = [[w.mul(x, y) for x, y in zip(*pair, strict=True)] for pair in zip(rows, inner, strict=True)]
    return [[w.mul(x, F(0.5)) for x in row] for row in outer]


def layer_norm(w: Words, rows: list[list[np.float32]]) -> list[list[np.float32]]:
    weight, bias = (CASES["layer_norm"][1][place].numpy() for place in (1, 2))  # type: ignore[union-attr]
    sums = [w.sum(row) for row in rows]
    means = [w.mul(total, F(1.0 / N)) for total in sums]
    centred = [[w.add(x, -mean) for x in row] for row, mean in zip(rows, means, strict=True)]
    squares = [[w.mul(x, x) for x in row] for row in centred]
    sums = [w.sum(row) for row in squares]
    variances = [w.mul(total, F(1.0 / N)) for total in sums]
    variances = [w.add(v, F(1e-5)) for v in variances]
    factors = [w.special("rsqrt", v) for v in variances]
    scaled = [[w.mul(x, factor) for x in row] for row, factor in zip(centred, factors, strict=True)]
    scaled = [[w.mul(x, g) for x, g in zip(row, weight, strict=True)] for row in scaled]
    return [[w.add(x, b) for x, b in zip(row, bias, strict=True)] for row in scaled]


def mean(w: Words, rows: list[list[np.float32]]) -> list[list[np.float32]]:
    sums = [w.sum(row) for row in rows]
    return [[w.mul(total, F(1.0 / N))] for total in sums]


def linear(w: Words, rows: list[list[np.float32]]) -> list[list[np.float32]]:
    weight, bias = (CASES["linear"][1][place].numpy() for place in (1, 2))  # type: ignore[union-attr]
    products = [[[w.mul(x, y) for x, y in zip(row, column, strict=True)] for column in weight] for row in rows]
    return [[w.sum([*chain, b]) for chain, b in zip(of_row, bias, strict=True)] for of_row in products]


REFERENCES = {"softmax": softmax, "gelu": gelu, "layer_norm": layer_norm, "mean": mean, "linear": linear}


@pytest.mark.parametrize("name", REFERENCES)
def test_every_operation_is_where_the_documentation_says(name: str) -> None:
    operator, inputs, _ = CASES[name]
    x = inputs[0]
    assert isinstance(x, Tensor)
    rows = [[F(value) for value in row] for row in x.tolist()]
    site = Site(name="s")
    cost = read_cost(operator, inputs, site)
    tried = 0
    for code, kind in enumerate(KINDS):
        for index in range(cost.operations(kind)):
            for bit in (22, 31):
                table = Flips(
                    sites=("s",), image=np.array([0]), site=np.array([0]), kind=np.array([code]),
                    index=np.array([index]), bit=np.array([bit]),
                )  # fmt: skip
                machine = Faulty(Clean(), table)
                machine.begin({site: cost}, torch.tensor([0]))
                found = machine.apply(operator, inputs, site).view(2, -1)
                wanted = REFERENCES[name](Words(hit=(kind, index), bit=bit), rows)
                clean = Clean().apply(operator, inputs, site).view(2, -1)
                for row in range(2):
                    if not torch.equal(found[row], clean[row]):  # units that are not hit come from a fused kernel
                        # exp and erf of a vector and of a number differ in the last bit
                        np.testing.assert_allclose(
                            found[row].numpy(), wanted[row], rtol=1e-5, atol=1e-6, err_msg=f"{kind} {index}"
                        )
                        tried += 1
    assert tried > cost.operations("add")


def blocks_of(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S)


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        for block in blocks_of("traces.md"):
            exec(compile(block, "docs/traces.md", "exec"), {})
