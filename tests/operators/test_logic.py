"""Booleans and integers in models: logic is no operation, a sum of booleans counts, and every word has a format."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from radhard.errors import CaptureError
from radhard.faults import Faults, Faulty
from radhard.machine import KINDS, Clean, Counting, Site, read_cost
from radhard.operators import Mul
from radhard.program import capture, quantize, run
from radhard.words import CARRIERS

Function = Callable[[Tensor], Tensor]
# of each: the multiplications and additions of one image of 16 values between the two linear layers, by site
LOGIC: dict[str, tuple[Function, dict[str, int]]] = {
    "product of masks": (lambda x: x * ((x > 0) * (x < 1)), {"mul": 16}),
    "sum of masks": (lambda x: x * ((x > 1) + (x < -1)), {"mul": 16}),
    "and, or, xor, not": (lambda x: x * (((x > 0) & (x < 1) | (x > 2)) ^ ~(x < 3)), {"mul": 16}),
    "where": (lambda x: torch.where((x > 0) * (x < 1), x, 0.0), {}),
    "greater of masks": (lambda x: x * torch.maximum(x > 0, x < -1), {"mul": 16}),
    "any and all": (lambda x: x * (x > 0).any(1, keepdim=True) * (x > -99).all(1, keepdim=True), {"mul": 32}),
    "count of a mask": (lambda x: x * (x > 0).sum(1, keepdim=True), {"mul": 16, "add": 15}),
    "share of a mask": (lambda x: x * (x > 0).float().mean(1, keepdim=True), {"mul": 17, "add": 15}),
    "integers": (lambda x: (x.long() * 3 + 1).float(), {"mul": 16, "add": 16}),
    "one less a mask": (lambda x: x * (1 - (x > 0).int()), {"mul": 16, "add": 16}),
    "mask times integers": (lambda x: x * ((x > 0) * (x > 1).int()), {"mul": 32}),
    "isnan": (lambda x: torch.where(torch.isnan(x), 0.0, x), {}),
    "isfinite": (lambda x: torch.where(torch.isfinite(x), x, 0.0), {}),
    "isclose": (lambda x: torch.where(torch.isclose(x, x.flip(1)), 0.0, x), {"mul": 16, "add": 32}),
    "nan_to_num": (torch.nan_to_num, {}),
    "heaviside": (lambda x: torch.heaviside(x, torch.tensor(0.5)), {}),
    "copysign": (lambda x: torch.copysign(x, x.flip(1)), {}),
    "bucketize": (lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0])).float(), {}),
    "logaddexp": (lambda x: torch.logaddexp(x, x.flip(1)), {"add": 32}),
    "softplus": (lambda x: functional.softplus(x, beta=2.0, threshold=1.0), {"mul": 32}),
    "huber": (lambda x: functional.huber_loss(x, x.flip(1), reduction="none"), {"mul": 48, "add": 32}),
}


class Between(nn.Module):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self.first, self.last, self.function = nn.Linear(16, 16), nn.Linear(16, 5), function

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.first(x)))


def seeded(function: Function) -> tuple[nn.Module, Tensor]:
    draw = torch.Generator().manual_seed(3)
    model = Between(function).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.5)
    return model, torch.randn(6, 16, generator=draw)


@pytest.mark.parametrize("name", LOGIC)
def test_logic_is_no_operation(name: str) -> None:
    function, wanted = LOGIC[name]
    model, x = seeded(function)
    program = capture(model, x)
    torch.testing.assert_close(run(program, x).logits, model(x).detach(), rtol=1e-5, atol=1e-5)
    counting = Counting()
    run(program, x, counting)
    between = [c for site, c in counting.costs.items() if not site.name.startswith(("first", "last"))]
    found = {kind: sum(c.operations(kind) for c in between) for kind in ("mul", "add")}
    assert {kind: count for kind, count in found.items() if count} == wanted
    for other in (program, quantize(program, [x])):
        run(other, x, counting)
        assert {step.dtype for cost in counting.costs.values() for step in cost.steps} <= set(CARRIERS)
        faults = Faults(ber=0.02, kinds=frozenset(KINDS), seed=1)
        hit = run(other, x, Faulty(Clean(), faults)).logits
        alone = run(other, x[2:3], Faulty(Clean(), faults), ids=torch.tensor([2])).logits
        torch.testing.assert_close(hit[2:3], alone, equal_nan=True, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("to", [torch.float64, torch.float16, torch.bfloat16])
def test_other_floats_are_refused_by_name(to: torch.dtype) -> None:
    model, x = seeded(lambda y: (y.to(to) * 2).float())
    with pytest.raises(
        CaptureError, match=rf"aten\.mul\.Tensor in module '\(root\)' computes in {str(to)[6:]}, .*float32"
    ):
        capture(model, x)


def test_words_without_a_format_name_their_site() -> None:
    with pytest.raises(CaptureError, match=r"site 'here': mul yields words in torch\.bool, of which no bit can flip"):
        read_cost(Mul(), (torch.ones(3) > 0, torch.ones(3) > 0), Site(name="here"))
