"""What protecting each product takes, counted against a run of one image after another."""

import pytest
import torch

from radhard.analysis.overhead import Weights
from radhard.faults import Faulty
from radhard.machine import Clean
from radhard.program import run
from radhard.protection import Method, Protection
from radhard.studies.ordering import executed
from tests.support.choosing import PROTECTABLE
from tests.support.guarded import model_under_test, plain


def test_operations_are_those_of_the_images_that_plan() -> None:
    program = model_under_test().programs["int8"]
    schemes = Method().schemes_of(PROTECTABLE, ber=plain().ber)
    weights = Weights(mul=2.0, add=1.0, cmp=0.5)
    found = executed(model_under_test(), plain(), Protection.of(schemes), images=3, weights=weights)
    expected = dict.fromkeys(schemes, 0.0)
    for image in range(3):
        ids = torch.tensor([image])
        machine = Protection.of(schemes).on(Faulty(Clean(), plain().faults(0)))
        run(program, model_under_test().images(ids), machine, ids=ids)
        for name, account in machine.accounts.items():
            expected[name] += (2 * account.executed.mul + account.executed.add + account.executed.cmp / 2) / 3
    assert found == pytest.approx(expected)
