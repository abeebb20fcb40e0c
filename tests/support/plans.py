"""Plans with known numbers, for tests of what is drawn and written."""

from collections.abc import Sequence
from typing import Any

from radhard.analysis.configurations import ConfigurationOutcome
from radhard.analysis.intervals import Interval
from radhard.analysis.judging import Judgement, ProtectionStep, limit
from radhard.analysis.ordering import Candidate
from radhard.protection import Block, ChosenOn, LbAbft, Method, Plan, Protection, Ranges, Scheme
from radhard.protection.planning.grounds import Expected, Goal, Judged
from tests.support.outcomes import outcome, spent

PRODUCTS = ("blocks.1.mlp.fc1", "blocks.1.mlp.fc2", "blocks.0.attn.qkv", "head")
LAYERS = ("blocks.1", "blocks.1", "blocks.0", "head")
ACCURACY = (0.3, 0.6, 0.8, 0.885, 0.89)
OVERHEAD = (None, 0.004, 0.01, 0.015, 0.03)
RANGES: dict[str, Scheme] = {
    "blocks.0.attn.softmax": Ranges(low=0.0, high=1.0),
    "blocks.1.mlp.act": Ranges(low=-0.17, high=3.21987, outside="clamp"),
    "norm": Ranges(low=-4.0, high=4.0),
}


def candidate(k: int) -> Candidate:
    """The `k`-th product: 8 points at first, less and less, 1,000 operations more each."""
    rate = 0.08 / (k + 1)
    factor = Interval(rate=rate, low=rate - 0.03, high=rate + 0.01)
    return Candidate(site=PRODUCTS[k], layer=LAYERS[k], factor=factor, layer_factor=0.1, operations=1000.0 * (k + 1))


def step(products: int, *, ranges: bool = False) -> ProtectionStep:
    """With so many products; ranges add a point and 0.2 % of operations."""
    share = OVERHEAD[products]
    name = "unprotected" if share is None and not ranges else "products only"
    extra = None if share is None and not ranges else spent((share or 0.0) + 0.002 * ranges)
    found: ConfigurationOutcome = outcome(name, 1e-7, ACCURACY[products] + 0.01 * ranges, overhead=extra)
    return ProtectionStep(products=PRODUCTS[:products], ranges=ranges, outcome=found)


def judgement(taken: ProtectionStep, *, loss: float = 0.02) -> Judgement:
    """Of one step, on a target of at most so much lost."""
    return Judgement(
        tested=(taken,), limits=(limit(taken.outcome.differing, level=0.95),), unprotected=step(0).outcome, loss=loss,
        level=0.95, looks=1,
    )  # fmt: skip


def judged(of: Judgement) -> Judged:
    """As a plan has it."""
    return of.recorded


def plan(chosen: int = 3, *, ranges: Sequence[int] = (3,), **changes: Any) -> Plan:
    """The first `chosen` of four products, and three ranges if these were measured with so many products."""
    sites: dict[str, Scheme] = {name: LbAbft(block=Block(m=16, k=64, n=32)) for name in PRODUCTS[:chosen]}
    with_ranges = chosen in ranges
    steps = [*map(step, range(5)), *(step(k, ranges=True) for k in ranges)]
    taken = step(chosen, ranges=with_ranges)
    fields: dict[str, Any] = {
        "model": "toy", "program": "ab" * 32, "recipe": "int8", "ber": 1e-7,
        "protection": Protection.of({**sites, **(RANGES if with_ranges else {})}),
        "method": Method(scheme="lb-abft", name="lb-abft:retries=1"), "strategy": "algorithm1",
        "limits": Goal(loss=0.02, overhead=0.02, level=0.95), "bound": "accuracy", "seed": 7,
        "verdict": judgement(taken).verdict, "judged": judged(judgement(taken)),
        "words": {"product": "int16", "accumulator": "int32"},
        "expected": Expected.from_dict({
            **taken.recorded.as_dict(), "clean": 0.9, "unprotected": 0.3,
            "weights": {"mul": 1.0, "add": 0.5, "cmp": 0.25},
            "remark": "", "refused": {"conv": "its scales are not known"},
        }, place="expected"),
        "chosen_on": ChosenOn(
            data="toy/test", data_digest="cd" * 32, images=500, trials=1, calibrated_on="toy/train",
            fingerprints_of="content", fingerprints=("0badcafe0badcafe", "1234567812345678"),
        ),
        "order": tuple(candidate(k).recorded for k in range(4)),
        "frontier": tuple(s.recorded for s in steps),
    }  # fmt: skip
    return Plan(**{**fields, **changes})
