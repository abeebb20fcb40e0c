"""Every claim judged on made-up records: that hold, that refute and that do not tell; the tests by hand."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radhard.analysis.claims.claim import ClaimJudgement
from radhard.analysis.claims.claims import CLAIMS, claims_of, summaries_of
from radhard.analysis.claims.evidence import Statistic, above, all_of, any_of, counted, estimate_of, within
from radhard.analysis.claims.holm import holm
from radhard.analysis.claims.layer_claims import variance
from radhard.analysis.claims.measured import kind_of
from radhard.analysis.claims.patch_claims import centre_over_edge

Record = dict[str, Any]
Z = 1.959963984540054
VIT, RESNET = "my-vit", "my-resnet50"
HOLDS, FAILS, UNSURE = "reproduced", "not reproduced", "cannot tell"


def rates(rate: float, half: float = 0.001) -> Record:
    return {"rate": rate, "low": rate - half, "high": rate + half}


# --- made-up records of every command ---


def sweep(model: str, *relative: float, half: float = 0.002) -> Record:
    points = [
        {
            "ber": 10.0 ** (place - 9), "n": 1000, "relative": value, "relative_low": value - half,
            "relative_high": value + half, "accuracy": 0.9 * value, "low": 0.9 * value - half,
            "high": 0.9 * value + half,
        }
        for place, value in enumerate(relative)
    ]  # fmt: skip
    return {
        "model": model, "recipe": "int8", "images": 1000, "clean": {"int8": 0.9}, "loses_half": {}, "points": points
    }  # fmt: skip


def point(loss: float = 0.3, ber: float = 1e-6, half: float = 1.05, **more: Any) -> Record:
    """A point of a study; the interval of its rate is a factor of `half` either way."""
    searched = {"loss": loss, "ber": ber, "low": ber / half, "high": ber * half}
    return {"ber": ber, "operating_point": searched, "evenness": None, "components": [], **more}


def components(half: float = 0.001, **factors: float) -> list[Record]:
    return [
        {"name": name, "factor": factor, "low": factor - half, "high": factor + half}
        for name, factor in factors.items()
    ]


def study(model: str, by: str, *points: Record, kinds: tuple[str, ...] = ("add", "mul")) -> Record:
    return {"model": model, "recipe": "int8", "by": by, "images": 1000, "kinds": list(kinds), "points": list(points)}


def blocks_of(*factors: float, half: float = 0.001) -> list[Record]:
    named = {f"blocks.{place}": factor for place, factor in enumerate(factors)}
    return components(half, stem=0.5, **named, head=0.0)


def layers(vit: tuple[float, ...], resnet: tuple[float, ...], half: float = 0.001) -> list[Record]:
    of = {VIT: vit, RESNET: resnet}
    return [study(model, "layer", point(components=blocks_of(*each, half=half))) for model, each in of.items()]


def drop(vit: tuple[float, float], resnet: tuple[float, float], half: float = 1.05) -> list[Record]:
    """The rates that cost 10 and 30 points."""
    of = {VIT: vit, RESNET: resnet}
    return [
        study(model, "layer", point(0.1, first, half), point(0.3, last, half)) for model, (first, last) in of.items()
    ]


def modules(half: float = 0.001, **factors: float) -> Record:
    named = {name.replace("__", ": ").replace("_", "-"): factor for name, factor in factors.items()}
    return study(VIT, "module", point(components=components(half, **named)))


def small(softmax: float, gelu: float, half: float) -> Record:
    parts = [{"name": f"NLF: {name}", "factor": value, "low": value - half, "high": value + half}
             for name, value in (("softmax", softmax), ("gelu", gelu))]  # fmt: skip
    return study(VIT, "module", point(components=parts))


def of_resnet(half: float = 0.001, **factors: float) -> Record:
    return study(RESNET, "module", point(components=components(half, **factors)))


def patches(model: str, kinds: tuple[str, ...] = ("load",), **evenness: Any) -> Record:
    shown = {"images": 1000, "centre": None, "edge": None, "centre_to_edge": None, "gini": rates(0.5), "equal": 1.0}
    return study(model, "patch", point(evenness={**shown, **evenness}), kinds=kinds)


def simulated(spent: tuple[float, ...], mse: tuple[float, ...], half: float = 1e-4) -> Record:
    def mean(value: float) -> Record:
        return {"mean": value, "low": max(0.0, value - half), "high": value + half}

    points = [
        {"gemm": "fc1, 197 x 768 x 3072", "ber": 1e-8, "edge": edge, "policy": "leave", "n": 20,
         "executed": mean(share), "mse": mean(error)}
        for edge, share, error in zip((22, 40, 64), spent, mse, strict=True)
    ]  # fmt: skip
    return {"points": points}


def product(k: int, *rows: tuple[int, float, float, float, float]) -> Record:
    """Rows of edge, overhead, share of multiplications, probabilities of product and block."""
    return {
        "m": 10, "k": k, "n": 10,
        "rows": [
            {"ber": 10.0 ** (place - 9), "model": "exact", "block": f"{edge}x{edge}x{edge}", "overhead": overhead,
             "mul_share": share, "faulty": faulty, "block_faulty": block}
            for place, (edge, overhead, share, faulty, block) in enumerate(rows)
        ],
    }  # fmt: skip


def configuration(name: str, ber: float, *, loss: float = 0.0, half: float = 0.001, **more: Any) -> Record:
    relative = 1 - loss / 0.9
    return {
        "configuration": name, "note": "", "ber": ber, "loss": rates(loss, half), "relative": relative,
        "relative_low": relative - half, "relative_high": relative + half, "gain": None, "overhead": None, **more,
    }  # fmt: skip


def spent(share: float, mul: float = 1.0) -> Record:
    return {"share": share, "low": share - 1e-4, "high": share + 1e-4, "mul": mul}


def evaluated(*, planned: float, gain: float, ranges: float = 0.006, half: float = 0.001, bare: float = 0.6) -> Record:
    rows = []
    for ber, share in ((1e-7, 0.006), (1e-6, ranges)):
        lost = bare if ber == 1e-6 else 0.01
        rows += [
            configuration("unprotected", ber, loss=lost, half=half),
            configuration("ranges only", ber, loss=lost, half=half, gain=rates(gain, half), overhead=spent(share)),
            configuration("both", ber, loss=planned, half=half, overhead=spent(0.02)),
        ]
    return {"model": VIT, "recipe": "int8", "images": 500, "configurations": rows}


def compared(
    *, ours: float = 0.0, tmr: float = 0.0, others: float = 0.2, half: float = 0.001, shares: tuple[float, float] = (
        0.05, 0.10), dear: float = 2.0, mul: float = 0.5,
) -> Record:  # fmt: skip
    rows = []
    for ber, share in zip((1e-7, 1e-6), shares, strict=True):
        rows += [
            configuration("lb-abft", ber, loss=ours, half=half, overhead=spent(share, mul)),
            configuration("tmr", ber, loss=tmr, half=half, overhead=spent(dear)),
            configuration("standard-abft", ber, loss=others, half=half, overhead=spent(0.03)),
            configuration("intensity-ideal", ber, loss=others, half=half, overhead=spent(0.03)),
        ]
    return {"model": VIT, "recipe": "int8", "images": 500, "configurations": rows}


def shares(standard: float, light: float) -> Record:
    """Shares of recovery in standard ABFT, and of detection in LB-ABFT."""
    rows = [
        {"scheme": "standard-abft", "ber": 1e-8, "detection": 1 - standard, "recovery": standard},
        {"scheme": "lb-abft", "ber": 1e-8, "detection": light, "recovery": 1 - light},
    ]
    return {"model": VIT, "recipe": "int8", "shares": rows}


def times(light: float, standard: float, product_: float = 1.0) -> Record:
    """Seconds of checks and repairs together."""
    both = (("lb-abft", light), ("standard-abft", standard))
    return {"times": [
        {"scheme": scheme, "batch": 8, "ber": 1e-8, "product": product_, "detection": value / 2, "recovery": value / 2}
        for scheme, value in both
    ]}  # fmt: skip


Made = Callable[[], Record | list[Record]]

CASES: list[tuple[str, str, Made]] = [
    ("1a", HOLDS, lambda: sweep("m", 1.0, 0.5)),
    ("1a", FAILS, lambda: sweep("m", 0.9, 0.5)),
    ("1a", UNSURE, lambda: sweep("m", 0.99, 0.5, half=0.03)),
    ("1b", HOLDS, lambda: sweep("m", 1.0, 0.97, 0.3)),
    ("1b", FAILS, lambda: sweep("m", 1.0, 0.8, 0.6, 0.4)),
    ("1b", UNSURE, lambda: sweep("m", 1.0, 0.91, 0.48, half=0.1)),
    ("2a", HOLDS, lambda: drop((9e-7, 2e-6), (3e-7, 6e-7))),
    ("2a", FAILS, lambda: drop((3e-7, 6e-7), (9e-7, 2e-6))),
    ("2a", UNSURE, lambda: drop((9e-7, 2e-6), (3e-7, 6e-7), half=4)),
    ("2a", HOLDS, lambda: [sweep(VIT, 1.0, 0.99, 0.3), sweep(RESNET, 0.99, 0.3, 0.1)]),
    ("2b", HOLDS, lambda: drop((1e-7, 9e-7), (1e-7, 2e-7))),
    ("2b", FAILS, lambda: drop((1e-7, 2e-7), (1e-7, 9e-7))),
    ("2b", UNSURE, lambda: drop((1e-7, 3e-7), (1e-7, 2e-7), half=2)),
    ("3", HOLDS, lambda: layers((0.10, 0.11, 0.10), (0.05, 0.20, 0.01))),
    ("3", FAILS, lambda: layers((0.05, 0.20, 0.01), (0.10, 0.11, 0.10))),
    ("3", UNSURE, lambda: layers((0.10, 0.11, 0.10), (0.05, 0.20, 0.01), half=0.2)),
    ("4a", HOLDS, lambda: modules(FF_LF=0.2, MHA_LF=0.05, NLF=0.01)),
    ("4a", FAILS, lambda: modules(FF_LF=0.05, MHA_LF=0.2, NLF=0.01)),
    ("4a", UNSURE, lambda: modules(half=0.1, FF_LF=0.2, MHA_LF=0.15, NLF=0.01)),
    ("4b", HOLDS, lambda: small(0.03, 0.0, half=0.01)),
    ("4b", FAILS, lambda: small(0.0, 0.0, half=0.002)),
    ("4b", UNSURE, lambda: small(0.01, 0.0, half=0.013)),
    ("4c", HOLDS, lambda: [modules(NLF=0.05), of_resnet(NLF=0.001)]),
    ("4c", FAILS, lambda: [modules(NLF=0.001), of_resnet(NLF=0.05)]),
    ("4c", UNSURE, lambda: [modules(NLF=0.02, half=0.02), of_resnet(NLF=0.001)]),
    ("4d", HOLDS, lambda: of_resnet(Conv=0.3, Embed=0.02, Head=0.01)),
    ("4d", FAILS, lambda: of_resnet(Conv=0.02, Embed=0.3, Head=0.01)),
    ("4d", UNSURE, lambda: of_resnet(Conv=0.3, Embed=0.2, Head=0.01, half=0.2)),
    ("5a", HOLDS, lambda: patches(RESNET, centre=rates(0.03), edge=rates(0.01))),
    ("5a", FAILS, lambda: patches(RESNET, centre=rates(0.01), edge=rates(0.03))),
    ("5a", UNSURE, lambda: patches(RESNET, centre=rates(0.03, 0.03), edge=rates(0.01, 0.03))),
    ("5b", HOLDS, lambda: patches(VIT, gini=rates(0.05, 0.02))),
    ("5b", FAILS, lambda: patches(VIT, gini=rates(0.5, 0.2), equal=0.0002)),
    ("5b", UNSURE, lambda: patches(VIT, gini={"rate": None, "low": 0.0, "high": None}, equal=0.3)),
    ("5c", HOLDS, lambda: patches(RESNET, ("add", "mul"), centre=rates(0.03), edge=rates(0.01))),
    ("5c", FAILS, lambda: patches(RESNET, ("add", "mul"), centre=rates(0.01), edge=rates(0.03))),
    ("5c", UNSURE, lambda: patches(RESNET, ("add",), centre=rates(0.03, 0.03), edge=rates(0.01, 0.03))),
    ("5d", HOLDS, lambda: patches(VIT, ("add", "mul"), gini=rates(0.05, 0.02))),
    ("5d", FAILS, lambda: patches(VIT, ("add", "mul"), gini=rates(0.5, 0.2), equal=0.0002)),
    ("5d", UNSURE, lambda: patches(VIT, ("add", "mul"), gini=rates(0.3, 0.2), equal=0.3)),
    ("6a", HOLDS, lambda: simulated((0.05, 0.02, 0.06), (0.1, 0.2, 1.0))),
    ("6a", FAILS, lambda: simulated((0.05, 0.04, 0.02), (0.1, 0.2, 1.0))),
    ("6a", UNSURE, lambda: simulated((0.05, 0.04, 0.06), (0.1, 0.2, 1.0), half=0.05)),
    ("6b", HOLDS, lambda: simulated((0.05, 0.02, 0.06), (0.1, 0.2, 1.0))),
    ("6b", FAILS, lambda: simulated((0.05, 0.02, 0.06), (0.1, 0.9, 1.0))),
    ("6b", UNSURE, lambda: simulated((0.05, 0.02, 0.06), (0.1, 0.2, 1.0), half=1.0)),
    ("6c", HOLDS, lambda: simulated((0.05, 0.02, 0.06), (0.1, 0.2, 1.0))),
    ("6c", FAILS, lambda: simulated((0.05, 0.02, 0.06), (0.2, 0.1, 1.0))),
    ("6c", UNSURE, lambda: simulated((0.05, 0.02, 0.06), (0.1, 0.2, 1.0), half=1.0)),
    ("7a", HOLDS, lambda: product(9, (64, 0.01, 0.1, 1, 1e-3), (32, 0.02, 0.1, 1, 1e-3))),
    ("7a", FAILS, lambda: product(9, (64, 0.01, 0.1, 1, 1e-3), (64, 0.02, 0.1, 1, 1e-3))),
    ("7b", HOLDS, lambda: product(9, (64, 0.01, 0.1, 1, 1e-3), (32, 0.02, 0.1, 1, 1e-3))),
    ("7b", FAILS, lambda: product(9, (64, 0.02, 0.1, 1, 1e-3), (32, 0.01, 0.1, 1, 1e-3))),
    ("7c", HOLDS, lambda: [product(9, (64, 0.01, 0.8, 1, 1e-3)), product(99, (64, 0.01, 0.1, 1, 1e-3))]),
    ("7c", FAILS, lambda: [product(9, (64, 0.01, 0.1, 1, 1e-3)), product(99, (64, 0.01, 0.8, 1, 1e-3))]),
    ("8a", HOLDS, lambda: evaluated(planned=0.02, gain=0.0)),
    ("8a", FAILS, lambda: evaluated(planned=0.55, gain=0.0)),
    ("8a", UNSURE, lambda: evaluated(planned=0.25, gain=0.0, half=0.1)),
    ("8b", HOLDS, lambda: evaluated(planned=0.02, gain=0.0)),
    ("8b", FAILS, lambda: evaluated(planned=0.02, gain=0.2)),
    ("8b", UNSURE, lambda: evaluated(planned=0.02, gain=0.04, half=0.05)),
    ("9a", HOLDS, lambda: evaluated(planned=0.02, gain=0.0)),
    ("9a", FAILS, lambda: evaluated(planned=0.02, gain=0.0, ranges=0.007)),
    ("9b", HOLDS, lambda: compared(shares=(0.05, 0.10))),
    ("9b", FAILS, lambda: compared(shares=(0.10, 0.05))),
    ("9b", UNSURE, lambda: compared(shares=(0.05, 0.05))),
    ("10a", HOLDS, lambda: compared()),
    ("10a", FAILS, lambda: compared(ours=0.1)),
    ("10a", UNSURE, lambda: compared(half=0.02)),
    ("10b", HOLDS, lambda: compared()),
    ("10b", FAILS, lambda: compared(dear=0.11)),
    ("10b", UNSURE, lambda: compared(dear=0.2)),
    ("10c", HOLDS, lambda: compared()),
    ("10c", FAILS, lambda: compared(ours=0.3)),
    ("10c", UNSURE, lambda: compared(ours=0.19, half=0.05)),
    ("10d", HOLDS, lambda: compared()),
    ("10d", FAILS, lambda: compared(mul=1.1)),
    ("10e", HOLDS, lambda: times(0.9, 2.0)),
    ("10e", FAILS, lambda: times(1.1, 2.0)),
    ("10f", HOLDS, lambda: times(0.9, 2.0)),
    ("10f", FAILS, lambda: times(2.1, 2.0)),
    ("11a", HOLDS, lambda: shares(0.8, 0.6)),
    ("11a", FAILS, lambda: shares(0.4, 0.6)),
    ("11b", HOLDS, lambda: shares(0.8, 0.6)),
    ("11b", FAILS, lambda: shares(0.8, 0.4)),
    ("12a", HOLDS, lambda: product(9, (64, 0.01, 0.1, 1, 1e-3), (32, 0.02, 0.1, 1, 1e-3))),
    ("12a", FAILS, lambda: product(9, (64, 0.01, 0.1, 1, 0.06), (32, 0.02, 0.1, 1, 1e-3))),
    ("12b", HOLDS, lambda: product(9, (64, 0.01, 0.1, 1, 0.06), (32, 0.02, 0.1, 1, 1e-3))),
    ("12b", FAILS, lambda: product(9, (64, 0.01, 0.1, 1, 0.5), (32, 0.02, 0.1, 1, 1e-3))),
]  # fmt: skip


def judged(number: str, made: Record | list[Record]) -> list[ClaimJudgement]:
    found = claims_of(made if isinstance(made, list) else [made])
    return [each for each in found if each.claim.number == number]


@pytest.mark.parametrize(("number", "verdict", "made"), CASES, ids=[f"{n} {v}" for n, v, _ in CASES])
def test_each_verdict_on_records_that_must_give_it(number: str, verdict: str, made: Made) -> None:
    found = judged(number, made())
    assert [each.verdict for each in found] == [verdict] * len(found)
    assert found
    json.dumps([each.as_dict() for each in found], allow_nan=False)


def test_every_claim_can_hold_and_fail_and_those_that_are_sampled_can_be_undecided() -> None:
    verdicts: dict[str, set[str]] = {}
    for number, verdict, _ in CASES:
        verdicts.setdefault(number, set()).add(verdict)
    assert verdicts.keys() == {claim.number for claim in CLAIMS}
    for number, found in verdicts.items():
        sampled = any(each.p is not None for n, _, made in CASES if n == number for each in judged(n, made()))
        assert found == {HOLDS, FAILS, *([UNSURE] if sampled else [])}, number
    assert len({claim.number for claim in CLAIMS}) == len(CLAIMS)


# --- the statistics by hand ---


def test_holm_by_hand() -> None:
    # sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04, the last not below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_its_steps_reject(p: list[float]) -> None:
    rejected, level = set(), 0.05
    for step, place in enumerate(sorted(range(len(p)), key=lambda k: p[k])):
        if p[place] * (len(p) - step) > level:
            break
        rejected.add(place)
    assert {place for place, each in enumerate(holm(p)) if each <= level} == rejected


def test_equivalence_takes_both_one_sided_tests_by_hand() -> None:
    normal = NormalDist()
    found = within(Statistic(value=0.5, error=0.4), 2.0)
    lower, upper = 1 - normal.cdf((0.5 + 2.0) / 0.4), 1 - normal.cdf((2.0 - 0.5) / 0.4)
    assert found.for_ == pytest.approx(max(lower, upper))
    assert found.against == pytest.approx(1.0)
    far = within(Statistic(value=3.0, error=0.4), 2.0)
    assert far.against == pytest.approx(2 * (1 - normal.cdf((3.0 - 2.0) / 0.4)))  # either side
    unknown = within(Statistic(value=0.0, error=2.0), 2.0)  # not told apart is not equal
    assert unknown.p > 0.05


def test_a_claim_of_several_parts_is_as_sure_as_the_least_sure() -> None:
    sure, unsure = above(Statistic(value=5, error=1)), above(Statistic(value=1, error=1))
    both, either = all_of([sure, unsure]), any_of([sure, unsure])
    assert both.for_ == unsure.for_
    assert both.shown == unsure.shown
    assert both.against == pytest.approx(min(1.0, 2 * min(sure.against, unsure.against)))
    assert either.for_ == pytest.approx(2 * sure.for_)
    assert either.against == max(sure.against, unsure.against)


def test_few_products_have_the_tails_of_student() -> None:
    many, few = above(Statistic(value=4, error=1)), above(Statistic(value=4, error=1, degrees=19))
    assert many.for_ == pytest.approx(3.167e-5, rel=1e-3)
    assert few.for_ == pytest.approx(3.83e-4, rel=1e-2)  # t(19) beyond 4, from a table
    assert estimate_of(1.0, low=1 - Z, high=1 + Z).error == pytest.approx(1.0)


def test_what_is_not_known_decides_nothing() -> None:
    for error in (math.nan, math.inf):
        found = above(Statistic(value=1.0, error=error))
        assert (found.for_, found.against) == (1.0, 1.0)
    tie = above(Statistic(value=0.0, error=0.0))
    assert (tie.for_, tie.against) == (1.0, 1.0)
    assert counted(3.0, holds=False).against == 0.0


def test_the_variance_of_layers_by_hand() -> None:
    found = variance({"components": blocks_of(0.10, 0.20, half=0.01 * Z)})
    assert found is not None
    # in points: factors 10 and 20, errors 1: seen 50, less 1; square of the error 4 (25 + 25) 1 + 2 (1 + 1)
    assert found.value == pytest.approx(49.0)
    assert found.error == pytest.approx(math.sqrt(204))
    assert variance({"components": components(stem=0.1, head=0.2)}) is None


def test_the_covariance_of_centre_and_edge_is_in_the_limits_of_their_ratio() -> None:
    # c = 3, e = 2 with variances 0.04 and 0.09 and covariance 0.03: Fieller's limits are the roots of a square
    c, e, vc, ve, both = 3.0, 2.0, 0.04, 0.09, 0.03
    a, b, free = e * e - Z * Z * ve, -2 * (c * e - Z * Z * both), c * c - Z * Z * vc
    root = math.sqrt(b * b - 4 * a * free)
    limits = sorted(((-b - root) / (2 * a), (-b + root) / (2 * a)))
    record = {
        "centre": rates(c, Z * math.sqrt(vc)),
        "edge": rates(e, Z * math.sqrt(ve)),
        "centre_to_edge": {"rate": c / e, "low": limits[0], "high": limits[1]},
    }
    found = centre_over_edge(record)
    assert found.value == pytest.approx(1.0)
    assert found.error**2 == pytest.approx(vc + ve - 2 * both)
    record["centre_to_edge"] = {"rate": None, "low": None, "high": None}
    assert centre_over_edge(record).error == pytest.approx(math.sqrt(vc) + math.sqrt(ve))


# --- families, names, records of before ---


def test_one_family_is_all_that_is_sampled_in_a_call() -> None:
    alone = judged("4a", modules(FF_LF=0.1, MHA_LF=0.05, NLF=0.0, half=0.018))[0]
    records = [modules(FF_LF=0.1, MHA_LF=0.05, NLF=0.0, half=0.018), *layers((0.1, 0.1), (0.1, 0.1), half=0.1)]
    records += [sweep(f"m{place}", 0.99, 0.5, half=0.05) for place in range(30)]
    records += [product(9, (64, 0.01, 0.1, 1, 1e-3), (32, 0.02, 0.1, 1, 1e-3))]
    together = judged("4a", records)[0]
    assert (alone.verdict, together.verdict) == (HOLDS, UNSURE)
    assert alone.p == together.p
    assert alone.family == 1
    assert together.family == 1 + 1 + 2 * 30  # 4a, 3, and 1a and 1b of each sweep; what is counted takes no part


def test_a_pair_of_the_record_is_used_where_there_is_one() -> None:
    record = compared(half=0.2)
    assert judged("10a", record)[0].verdict == UNSURE
    record["pairs"] = [
        {"configuration": "tmr", "reference": "lb-abft", "ber": ber, "difference": rates(0.001),
         "equivalence": {"low": -0.002, "high": 0.004, "level": 0.95, "margin": 0.02}}
        for ber in (1e-7, 1e-6)
    ]  # fmt: skip
    found = judged("10a", record)[0]
    assert found.verdict == HOLDS
    assert found.statistic.rate == pytest.approx(-0.1)  # LB-ABFT less TMR, in points


def test_rates_at_which_tmr_protects_nothing_are_left_out() -> None:
    record = compared(dear=0.11)
    for row in record["configurations"]:
        if row["configuration"] == "tmr":
            row["note"] = "0 of 12 products"
    assert judged("10b", record) == []


def test_models_of_two_recipes_are_told_apart() -> None:
    found = judged("1a", [sweep("m", 1.0, 0.5), {**sweep("m", 1.0, 0.5), "recipe": "int8-float"}])
    assert {each.subject for each in found} == {"m, int8", "m, int8-float"}


def test_envelopes_and_records_of_before_are_read() -> None:
    record = compared()
    before = {**record, "conditions": [
        {("condition" if k == "configuration" else k): v for k, v in row.items()} for row in record["configurations"]
    ]}  # fmt: skip
    del before["configurations"]
    assert claims_of([{"models": [before]}]) == claims_of([record])
    one, two = layers((0.10, 0.11), (0.05, 0.20))
    flat = [{**{k: v for k, v in each.items() if k != "points"}, **p} for each in (one, two) for p in each["points"]]
    assert claims_of([{"points": flat}]) == claims_of([one, two])


def test_records_that_no_claim_needs_are_left_aside_and_claims_without_records_are_not_measured() -> None:
    assert claims_of([{"plan": {}}, {"model": "m", "coverage": []}]) == ()
    assert [each.verdict for each in summaries_of(())] == [None] * len(CLAIMS)


def test_a_claim_is_refuted_by_one_model() -> None:
    other = modules(FF_LF=0.05, MHA_LF=0.2, NLF=0.01)
    found = claims_of([modules(FF_LF=0.2, MHA_LF=0.05, NLF=0.01), {**other, "model": "my-swin"}])
    (summary,) = (each for each in summaries_of(found) if each.claim.number == "4a")
    assert summary.verdict == FAILS
    assert [each.verdict for each in summary.judgements] == [HOLDS, FAILS]


def test_committed_results_are_judged() -> None:
    results = Path(__file__).parents[2] / "results"
    found = claims_of([json.loads((results / f"zoo-{name}.json").read_text()) for name in ("sweep", "module")])
    assert {each.verdict for each in found if each.claim.number == "4d"} == {HOLDS}


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("fashion-deepvit", "transformer"), ("vit_base_patch16_224", "transformer"), ("swin_tiny", "transformer"),
        ("cait_xxs24_224", "transformer"), ("resnet18", "ResNet"), ("fashion-resnet20", "ResNet"),
        ("wide_resnet50", "ResNet"), ("activity_net", ""), ("mobilevit_s", ""), ("gravity", ""), ("efficientnet", ""),
    ],
)  # fmt: skip
def test_the_kind_of_a_model_is_a_word_of_its_name(model: str, kind: str) -> None:
    assert kind_of(model) == kind
