"""An operator whose file is all there is of it: captured whole, counted, hit; at infinities it is what torch's is."""

import math

import torch
from torch import Tensor, nn

from radhard.faults import Faults, Faulty, Where
from radhard.machine import Clean, Operator
from radhard.operators.log_add_exp import LogAddExp
from radhard.program import capture, quantize, run

EDGES = torch.tensor([-math.inf, -1e30, -2.5, 0.0, 100.0, 1e30, math.inf])


class Paths(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.logaddexp(self.one(x), self.other(x))


def test_it_is_captured_whole_counted_and_hit() -> None:
    torch.manual_seed(1)
    model, images = Paths().eval(), torch.randn(16, 8)
    program = capture(model, images)
    (site,) = (site for site in program.sites if site.operator == "log_add_exp")
    cost = program.costs[site]
    assert {kind: cost.operations(kind) for kind in ("mul", "add", "special")} == {"mul": 0, "add": 8, "special": 8}
    torch.testing.assert_close(run(program, images).logits, model(images).detach())
    for each in (program, quantize(program, [images])):
        clean = run(each, images).logits
        hit = run(each, images, Faulty(Clean(), Faults(ber=1e-2, where=Where(sites=(site.name,))))).logits
        assert (hit != clean).any()


def test_definition_and_kernel_agree_at_infinities() -> None:
    x, y = EDGES[:, None].contiguous(), EDGES[None].contiguous()
    exact = [[_exactly(a, b) for b in EDGES.tolist()] for a in EDGES.tolist()]
    for found in (LogAddExp().kernel((x, y), print), Operator.kernel(LogAddExp(), (x, y), print)):
        torch.testing.assert_close(found, torch.tensor(exact))


def _exactly(a: float, b: float) -> float:
    """In Python's floats, larger ones aside."""
    largest = max(a, b)
    return largest if math.isinf(largest) else largest + math.log(sum(math.exp(x - largest) for x in (a, b)))
