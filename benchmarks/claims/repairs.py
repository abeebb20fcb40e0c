"""What `results/repairs.md` says, from `results/repairs.json`; what a run's sizes are is read from the code that runs it."""

import json
import math
from functools import cache

from benchmarks import repairs as run
from benchmarks.claims.data import RESULTS, between, count, listed, rate, table
from benchmarks.claims.options import bullets, paragraph
from radhard.protection import Block
from radhard.protection.cost.models import exposed_bits
from radhard.words import Words

WORDS = Words()
PRODUCT, SUM = WORDS.product.bits, WORDS.accumulator.bits


@cache
def rates() -> tuple[run.Rate, ...]:
    """All that was counted."""
    return tuple(run.Rate(**row) for row in json.loads((RESULTS / "repairs.json").read_text())["rates"])


def corrected_settings() -> str:
    """The blocks, and what stands in brackets."""
    edge = run.EDGE
    known = {float(one.setting) for one in run.pick(rates(), part="corrected") if one.expected is not None}
    policies = {one.scheme for one in run.pick(rates(), part="corrected") if one.expected is not None}
    unknown = [f"`{name}`" for name in run.POLICIES if name not in policies]
    other = [f"{mean:g}" for mean in run.LAMBDAS if mean not in known]
    return paragraph(
        f"Blocks of {edge} x {edge} words and {edge} terms. The number of flips in the output words is Poisson distributed, "
        "any bit may flip, blocks without a flip are omitted, and checks have no faults. Each cell has the share of corrected "
        "blocks, then the multiplications of recovery per faulty block (without both detections). In brackets are the results "
        f"of an independent simulation of flips of plus or minus 2^bit, which has neither the policies {listed(unknown)} nor "
        f"the rates {listed(other)}. n = {_n('corrected'):,} blocks a cell."
    )


def corrected() -> str:
    """The table of shares and multiplications."""
    return run.corrected_table(rates())


def corrected_judged() -> str:
    """How the shares compare with the independent ones, and with the flips that cancel."""
    inside, outside = [], []
    for name in run.POLICIES:
        mine = [one for one in run.pick(rates(), part="corrected", scheme=name) if one.expected is not None]
        for held, places in ((True, inside), (False, outside)):
            at = [one.setting for one in mine if (one.low <= (one.expected or 0.0) <= one.high) is held]
            if at:
                places.append(f"of `{name}` at {listed(at)}")
    left = {one.setting: one.n - one.hits for one in run.pick(rates(), part="corrected", scheme="intersect")}
    share = run.pick(rates(), part="cancelled", setting="output words")[0].expected or 0.0
    chance = {f"{mean:g}": _n("corrected") * share * _pairs(mean) for mean in run.LAMBDAS if mean <= 2}
    each = listed([f"{left[mean]} where {expected:.0f} were expected at {mean}" for mean, expected in chance.items()])
    rows = run.pick(rates(), part="corrected", scheme="RowAbft")
    ratios = [
        one.multiplications / one.published_multiplications - 1
        for one in rows
        if one.multiplications is not None and one.published_multiplications is not None
    ]
    last = rows[-1]
    return paragraph(
        f"By flips a block, the independent shares lie in the intervals {listed(inside)}, and outside {listed(outside)}. Blocks "
        f"with two flips that cancel cannot be seen. `intersect` left {each}: {sum(left[mean] for mean in chance)} and "
        f"{sum(chance.values()):.0f} in all. At {last.setting} flips `RowAbft` is "
        f"{100 * ((last.expected or 0.0) - last.rate):.1f} points below the independent simulation, which weighted the rows "
        "first; ours sees a row by its plain sum, and two flips that cancel within a row stay. `RowAbft` multiplies "
        f"{between(ratios, 0, scale=100)} % more than there, for it asks which column fits by products."
    )


def _pairs(mean: float) -> float:
    """The share of faulty blocks that have exactly two flips."""
    return math.exp(-mean) * mean**2 / 2 / (1 - math.exp(-mean))


def cancelled_settings() -> str:
    """When two flips cancel, and how often that is predicted."""
    top, half = SUM - 1, (SUM - 1) / 2
    uniform = (half + 1) / SUM**2
    all_bits = run.pick(rates(), part="cancelled", setting="all products and sums")[0].expected or 0.0
    return paragraph(
        f"Two flips in a block. They are not seen if what they change adds up to 0 modulo 2^{SUM}: if they are at one bit and "
        f"of opposite signs, or both at bit {top}. Of output words with bits as often 0 as 1 that is 1/{SUM}^2 ({top}/2 + 1) = "
        f"{100 * uniform:.2f} %. Of all products ({PRODUCT} bits each) and running sums ({SUM} bits, one fewer a chain) of k "
        f"terms, with s(b) the share of the block's bits that have the place b, it is the sum over b < {top} of s(b)^2 / 2, "
        f"and s({top})^2: {100 * all_bits:.2f} % at k = {run.EDGE}. A test counts both pair by pair."
    )


def cancelled() -> str:
    """The table of flips that cancel."""
    return run.cancelled_table(rates())


def missed_settings() -> str:
    """The products, their rates and blocks."""
    shape = run.PRODUCT
    bits = exposed_bits(shape, WORDS, first=True)
    lb, row = run.SCHEMES["LbAbft"], run.SCHEMES["RowAbft"]
    return paragraph(
        f"Wrong products of {shape.m} x {shape.k} x {shape.n} (no bias), found by running `Faulty` alone, then run under each "
        f"scheme with the same faults: {listed([f'{mean:g}' for mean in run.HITS])} flips expected in a product (bit error "
        f"rates {listed([rate(float(f'{mean / bits:.1e}')) for mean in run.HITS])}). `LbAbft` has blocks of {_block(lb)}, "
        f"`RowAbft` of {_block(row)}; n = {_n('missed'):,} wrong products a cell. First the share that raised no alarm:"
    )


def _block(scheme: object) -> str:
    block = getattr(scheme, "block", None)
    assert isinstance(block, Block)
    return f"{block.m} x {block.k} x {block.n}"


def missed(part: str) -> str:
    """The table of products without an alarm, or of those wrong in the end."""
    return run.missed_table(rates(), part)


def missed_judged() -> str:
    """What is missed, and by whom."""
    hits: dict[tuple[str, str], int] = {}
    for one in run.pick(rates(), part="missed"):
        if not one.setting.startswith("small"):
            key = (one.scheme, one.setting.split()[1])
            hits[key] = hits.get(key, 0) + one.hits
    n = _n("missed") * len(run.HITS)
    immune = {name: hits[name, "immune"] for name in run.SCHEMES if hits[name, "immune"]}
    most = max(immune.values())
    more = {name: hits[name, "exposed"] - hits[name, "immune"] for name in run.SCHEMES}
    told = [f"`{name}` misses {count(extra)} more" for name, extra in more.items() if extra > 0]
    nothing = [f"`{name}`" for name in run.SCHEMES if not hits[name, "immune"] and not hits[name, "exposed"]]
    small = run.SMALL
    at = rate(float(f"{10 / exposed_bits(small, WORDS, first=True):.0e}"))
    return bullets(
        [
            f"What is missed is what cancels in the sum of the whole product, the first look of {count(len(immune))} of the "
            f"schemes ({listed([f'`{name}`' for name in immune])}): at most {count(most)} of {n:,} products with the checks "
            f"immune. With the checks exposed {listed(told)}, for a flip in the sums of a check can undo the error of its "
            f"output. {listed(nothing)} missed nothing, of {n:,} each way.",
            "Standard and intensity-guided ABFT and full checksums put one word right, so they leave nearly every product with "
            "two.",
            "`Tmr` with a word vote leaves a product where two of three copies of one word are hit.",
            "Checks that are exposed to faults cost little at these rates. They do where the rate is so high that a repair is "
            f"hit too: products of {small.m} x {small.k} x {small.n} with 10 flips are at {at}, and of these are wrong in the "
            f"end (n = {_n('wrong', small=True):,})",
        ]
    )


def small() -> str:
    """The table of small products."""
    rows = []
    for name in run.SMALL_SCHEMES:
        found = {
            one.setting.split()[-1]: one
            for one in run.pick(rates(), part="wrong", scheme=name)
            if one.setting.startswith("small")
        }
        rows.append([name, *(run.percent(found[checks], 1) for checks in ("exposed", "immune"))])
    return table(["scheme", "checks exposed", "checks immune"], rows)


def _n(part: str, *, small: bool = False) -> int:
    """The one n of a part. ValueError if there are several."""
    found = {one.n for one in run.pick(rates(), part=part) if one.setting.startswith("small") is small}
    (n,) = found
    return n
