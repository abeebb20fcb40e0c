"""Flips of operations as they show in running sums, against one flip after another by hand."""

import numpy as np
import pytest
import torch
from benchmarks.gpu import fig13
from benchmarks.gpu.blows import TINY, Drawn, Kind, Operands, blows, drawn, operands

from radhard.kernels.cuda.slabs import running_sums

IMAGES, STEP = 3, 4


def lost(x: Operands, flips: Drawn, place: int) -> int:
    """What one flip adds to its chain."""
    g, word, term, of_sum, bit = (int(column[place]) for column in vars(flips).values())
    n, k = x.b.shape[1], x.a.shape[2]
    a, b = x.a[g, word // n].tolist(), x.b[g % len(x.b), word % n].tolist()
    value = sum(p * q for p, q in zip(a[: term + 1], b[: term + 1], strict=True)) if of_sum else a[term] * b[term]
    if of_sum and term == k:
        assert x.bias is not None
        value += int(x.bias[0, word % n])
    size = np.int32 if of_sum else np.int16
    hit = np.array([value], size) ^ np.array([1 << bit]).astype(size)
    return int(hit[0]) - value


@pytest.mark.parametrize("kind", TINY, ids=lambda kind: kind.name)
def test_what_flips_do_to_running_sums(kind: Kind, device: torch.device) -> None:
    on_host = operands(kind, batch=IMAGES, device=torch.device("cpu"))
    flips = drawn(kind, images=IMAGES, ber=3e-4)
    x = operands(kind, batch=IMAGES, device=device)
    clean = running_sums(x.a, x.b, x.bias, step=STEP)
    hit = clean.clone()
    blows(flips, x, step=STEP).strike(hit)
    expected, n = torch.zeros(clean.shape, dtype=torch.int64), clean.shape[3]
    assert flips.of_sum.any()
    assert not flips.of_sum.all()
    for place in range(len(flips.g)):
        first = min(int(flips.term[place]), kind.shape.k - 1) // STEP
        row, column = divmod(int(flips.word[place]), n)
        expected[first:, flips.g[place], row, column] += lost(on_host, flips, place)
    assert torch.equal((hit.cpu().long() - clean.cpu()).to(torch.int32), expected.to(torch.int32))


def test_claims_are_judged_by_their_rules() -> None:
    def record(scheme: str, ber: float, **seconds: float) -> fig13.Record:
        return {"product": "FC1", "batch": 8, "ber": ber, "scheme": scheme, "seconds": seconds}

    records: list[fig13.Record] = [
        record("standard-abft", 1e-8, product=1.0, detection=0.1, recovery=0.3),
        record("lb-abft", 1e-8, product=1.0, detection=0.2, recovery=0.1),
        record("standard-abft", 1e-7, product=1.0, detection=0.1, recovery=0.3),
        record("lb-abft", 1e-7, product=1.0, detection=0.2, recovery=2.0),
        {"seconds": 3.0},
    ]
    found = {claim: text.split(":")[0] for claim, text in fig13.verdicts(records).items()}
    assert found == {
        "10 against TMR": "in part",
        "10 against standard ABFT": "in part",
        "11, standard ABFT": "reproduced",
        "11, LB-ABFT": "in part",
    }
