"""Protected products followed where faults touch them, against the same computed word by word: nothing may differ."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from radhard.faults import Faults, Faulty
from radhard.kernels import sums
from radhard.machine import Clean, Kind, Machine, Operator, Site
from radhard.protection import Account, Block, LbAbft, Protected, RowAbft, Scheme
from radhard.protection.abft import faulty_blocks
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.protected import CheckExposure
from tests.support.protections import ABFT, ANY, OTHERS, PRODUCTS, Case

IDS = torch.tensor([5, 9, 2, 7])
KINDS: frozenset[Kind] = frozenset({"mul", "add", "scale", "load", "special"})
SMALL, SLAB, WHOLE = Block(m=3, k=4, n=3), Block(m=4, k=99, n=4), Block(m=99, k=99, n=99)
MORE: dict[str, Scheme] = {
    **{f"lb {policy}": LbAbft(block=SMALL, policy=policy, retries=2) for policy in ("leave", "row", "block")},
    "lb whole": LbAbft(block=WHOLE, policy="row", retries=0),
    "lb slab in 64 bits": LbAbft(block=SLAB, policy="intersect", retries=2, width=64),
    "row whole": RowAbft(block=WHOLE, retries=3),
    "row slab in 64 bits": RowAbft(block=SLAB, width=64),
    "row of words": RowAbft(block=Block(m=1, k=1, n=1)),
}
IDENTITY = [name for name, case in PRODUCTS.items() if case.site.batch_axis == 0 and case.site.blocks == 1]


class WordByWord(Clean):
    """A machine without faults of which nobody supposes that it computes what kernels do."""

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        return super().apply(operator, inputs, site)


def run(
    case: Case, scheme: Scheme, inner: Machine, *, ber: float, checks: CheckExposure, seed: int = 3
) -> tuple[Tensor, Account, Tensor]:
    machine = Protected(Faulty(inner, Faults(ber=ber, seed=seed, kinds=KINDS)), {"here": scheme}, checks=checks)
    machine.begin(case.costs, IDS)
    out = machine.apply(case.operator, case.inputs, case.site)
    return out, machine.accounts["here"], machine.non_finite


def same(case: Case, scheme: Scheme, *, ber: float, checks: CheckExposure) -> Account:
    slow = run(case, scheme, WordByWord(), ber=ber, checks=checks)
    fast = run(case, scheme, Clean(), ber=ber, checks=checks)
    assert fast[1] == slow[1]
    assert torch.equal(fast[0].nan_to_num(), slow[0].nan_to_num())
    assert torch.equal(fast[2], slow[2])
    return slow[1]


@pytest.mark.parametrize("checks", ["exposed", "immune"])
@pytest.mark.parametrize("scheme", [*ABFT, *MORE])
def test_products_at_high_and_low_rates(scheme: str, checks: CheckExposure) -> None:
    flagged = 0
    for name in PRODUCTS:
        for ber in (1e-3, 1e-4):
            flagged += same(PRODUCTS[name], {**ABFT, **MORE}[scheme], ber=ber, checks=checks).flagged
    assert flagged > 50


def test_blocks_of_many_slabs_are_met_so_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two faults of a word that which is met first decides what is repaired: the order is that of memory."""
    block = (SMALL.m + SMALL.n) * SMALL.k + SMALL.m * SMALL.n
    monkeypatch.setattr(faulty_blocks, "GATHERED_AT_ONCE", 3 * block)
    assert same(PRODUCTS["convolution of unsigned words"], MORE["lb row"], ber=2e-3, checks="exposed").flagged > 50


@pytest.mark.parametrize("scheme", [*ANY, "dmr"])
def test_runs_that_are_repeated(scheme: str) -> None:
    flagged = 0
    for case in (*PRODUCTS.values(), *OTHERS.values()):
        flagged += same(case, ANY[scheme], ber=1e-3, checks="exposed").flagged
    assert flagged or scheme.startswith("ranges")


@pytest.mark.parametrize("scheme", [*ABFT, *MORE])
@pytest.mark.parametrize("case", IDENTITY)
def test_no_accumulator_is_computed_that_no_fault_touches(
    case: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Tensor:
        raise AssertionError("all accumulators were asked for")

    monkeypatch.setattr(ProtectedApplication, "accumulators", refuse)
    out, account, _ = run(PRODUCTS[case], {**ABFT, **MORE}[scheme], Clean(), ber=0.0, checks="exposed")
    assert torch.equal(out, PRODUCTS[case].clean())
    assert account.alarms == 0 < account.checks


def test_a_weight_that_changed_is_not_followed() -> None:
    """Its stored sums are those of another weight: every word is computed, and the change is seen."""
    case = PRODUCTS["linear"]
    weight = case.inputs[1].clone()
    inputs = (case.inputs[0], weight, case.inputs[2])
    machine = Protected(Clean(), {"here": ABFT["lb-abft"]})
    machine.apply(case.operator, inputs, case.site)
    assert machine.accounts["here"].alarms == 0
    weight[1, 2] ^= 64
    machine.apply(case.operator, inputs, case.site)
    assert machine.accounts["here"].alarms == 4


@pytest.mark.parametrize("ber", [1e-3, 1e-4])
def test_a_weight_is_looked_into_by_the_same_sums(ber: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what two wrong sums are off, not only that they are, a word of the weight would be set right."""
    seen: list[tuple[Tensor, Tensor]] = []

    def noted(stored: sums.SummedWeight, columns: Tensor, rows: Tensor) -> object:
        seen.append((columns.clone(), rows.clone()))
        return judged(stored, columns, rows)

    judged = sums.judged
    monkeypatch.setattr(sums, "judged", noted)
    for name in IDENTITY:
        seen.clear()
        same(PRODUCTS[name], ABFT["row check"], ber=ber, checks="exposed")
        half = len(seen) // 2
        for (columns, rows), (fast_columns, fast_rows) in zip(seen[:half], seen[half:], strict=True):
            assert torch.equal(columns, fast_columns)
            assert torch.equal(rows, fast_rows)
        assert bool(half) == (not name.startswith("attention"))
