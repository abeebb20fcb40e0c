"""`python -m tests.support.extended`: radhard with a toy scheme and a toy operator, of which it has no other word.

A process of its own, since what is registered stays.
"""

import contextlib
import io
from collections.abc import Callable

import pytest
import torch
from jsonschema import Draft202012Validator
from torch import Tensor, nn

import radhard as rh
from radhard.cli import completion
from radhard.errors import InputError
from radhard.protection import Protection, scheme_dict, scheme_from
from radhard.protection.planning.schema import plan_schema
from radhard.report.scheme_table import option_table, scheme_rows, scheme_table
from tests.support.toy_norm import toy_norm
from tests.support.toy_operator import ToyHypot
from tests.support.toy_scheme import ToyMedian

NAME = "toy-median"


class Model(nn.Module):
    """Two linear layers, the toy operator of both, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(12, 8), nn.Linear(12, 8), nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, 2, 2] -> [B, 4]."""
        x = images.flatten(1)
        logits: Tensor = self.head(torch.hypot(self.first(x), self.second(x)))
        return logits


def data(model: nn.Module) -> tuple[Tensor, Tensor]:
    """Images, and what the model says of them."""
    images = torch.randn(160, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return images, model(images).argmax(1)


def check_scheme(model: nn.Module) -> None:
    """Compared, planned, written, read, described, shown, deployed and refused."""
    images, labels = data(model)
    run = rh.RunOptions(images=20, trials=1)
    within = rh.CompareOptions(schemes=("row-check", f"{NAME}:spread=1"))
    compared = rh.compare(model, (images, labels), ber=1e-4, compare_options=within, run=run)
    assert f"{NAME}:spread=1" in {row["configuration"] for row in compared.rows()}
    options = rh.PlanOptions(scheme=NAME, max_loss=20, max_overhead=300)
    plan = rh.plan(model, (images, labels), ber=1e-4, plan_options=options, run=run).plan
    assert NAME in completion.schemes("toy")

    schema = Draft202012Validator(plan_schema())
    written = plan.as_dict()
    schema.validate(written)
    assert written["method"]["scheme"] == NAME
    wrong = {**written, "protection": {"sites": {"head": {"scheme": NAME, "spread": -1}}}}
    assert not schema.is_valid(wrong)
    assert scheme_from(scheme_dict(ToyMedian(spread=2)), place="here") == ToyMedian(spread=2)

    row = next(row for row in scheme_rows() if row.name == NAME)
    assert (row.takes, row.deployed) == ("any operator", "vote")
    assert NAME in scheme_table((row,))
    assert "How far the words of two runs may be apart." in option_table((NAME,))


def check_deployed(program: rh.Program, images: Tensor) -> None:
    """The words of the scheme on a machine, the operator under it, and a form that there is none of."""
    sites = [site.name for site in program.sites if site.operator in ("linear", ToyHypot.name)]
    assert len(sites) == 4
    hardened = rh.harden(program, Protection.of(dict.fromkeys(sites, ToyMedian())))
    assert torch.equal(hardened(images), rh.run(program, images).logits)
    refused = rf"{NAME} is not deployed: a vote knows no spread .* plan with .*{NAME}"  # without a spread it is
    with pytest.raises(InputError, match=refused):
        rh.harden(program, Protection.of({sites[0]: ToyMedian(spread=3)}))


def check_operator(model: nn.Module, images: Tensor) -> rh.Program:
    """Captured, counted, hit, quantised, and shown."""
    program = rh.capture(model, images)
    (site,) = [site for site in program.sites if site.operator == ToyHypot.name]
    cost = program.costs[site]
    assert (cost.operations("mul"), cost.operations("add"), cost.operations("special")) == (16, 8, 8)
    integer = rh.quantize(program, [images])
    for one in (program, integer):
        faults = rh.Faults(ber=1e-3, where=rh.Where(sites=(site.name,)))
        hit = rh.run(one, images, rh.Faulty(rh.Clean(), faults))
        assert (hit.logits != rh.run(one, images).logits).any()
    shown = rh.inspect(model, model_options=rh.ModelOptions(input_shape=(3, 2, 2)))
    assert ToyHypot.name in str(shown.to_dict())
    return integer


class Block(nn.Module):
    """An MLP on a stream behind a normalisation."""

    def __init__(self, norm: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.norm, self.fc1, self.fc2 = norm, nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 8] -> [B, 8]."""
        sum_: Tensor = x + self.fc2(self.fc1(self.norm(x)).relu())
        return sum_


def check_anatomy() -> None:
    """A normalisation that is not known by name is one to the anatomy, by its role."""

    def parts(norm: Callable[[Tensor], Tensor]) -> list[tuple[str, str]]:
        model = nn.Sequential(nn.Linear(8, 8), Block(norm), Block(norm), nn.Linear(8, 4)).eval()
        sites = rh.capture(model, torch.zeros(2, 8)).sites
        return [(site.layer, site.module) for site in sites]

    def known(x: Tensor) -> Tensor:
        return nn.functional.layer_norm(x, (8,))

    assert parts(toy_norm) == parts(known)
    assert len(set(parts(toy_norm))) > 3


def main() -> None:
    """All of it; an AssertionError says what is missing."""
    torch.manual_seed(0)
    model = Model().eval()
    images, _ = data(model)
    with contextlib.redirect_stdout(io.StringIO()):
        check_deployed(check_operator(model, images), images)
        check_scheme(model)
        check_anatomy()


if __name__ == "__main__":
    main()
