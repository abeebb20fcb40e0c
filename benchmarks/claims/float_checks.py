"""What `results/float-checks.md` says, from `results/float-checks.json`; sizes of a run are read from the code that runs it."""

import json
from functools import cache

from benchmarks import float_checks as run
from benchmarks.claims.data import RESULTS, Row, count, listed
from benchmarks.claims.options import bullets, paragraph
from radhard.analysis.intervals import wilson
from radhard.protection import FloatAbft

SCHEME = FloatAbft()
ALIKE = "rows alike"


@cache
def record() -> Row:
    """All that was measured."""
    found: Row = json.loads((RESULTS / "float-checks.json").read_text())
    return found


@cache
def alarms() -> tuple[run.Alarms, ...]:
    """Products without faults."""
    return tuple(run.Alarms(**row) for row in record()["alarms"])


@cache
def seen() -> tuple[run.Seen, ...]:
    """Flips of single bits."""
    return tuple(run.Seen(**row) for row in record()["seen"])


def bound() -> str:
    """What the check is."""
    return paragraph(
        "`FloatAbft` compares the sum of every row of a float32 or bfloat16 product with the row of A times the stored sums of "
        f"B. The bound is {SCHEME.deviations:g} standard deviations of the rounding errors of both, derived in "
        "`radhard.protection.abft.rounding` from second moments of the operands and the unit roundoff, without measured or "
        "device-specific constants. A row beyond the bound is computed again, and its words are replaced where they differ "
        f"from the new ones by more than {SCHEME.deviations:g} deviations of one word. Without faults the output equals that "
        "of the unprotected operator bit for bit, as checked for every product below. Processor: x86-64 host with torch's "
        f"kernels ({record()['torch']}), which accumulate bfloat16 in float32."
    )


def alarm_settings() -> str:
    """The products without faults."""
    few, many = sorted({one.lanes for one in alarms()})
    m, k, n = (2**top for top in run.SIZES)
    return paragraph(
        f"Products of random sizes (m to {m}, k to {k:,} and n to {n:,}, log-uniform; every second one with a bias), with "
        f"{few} lane (valid for any device that rounds to nearest) and with {many} lanes (a device that adds in {many} or more "
        "partial sums, as vector units do). Intervals are Wilson's, 95 %, over products."
    )


def alarm_table() -> str:
    """The table of false alarms."""
    return run.alarm_table(alarms())


def alarms_judged() -> str:
    """How often the check alarms without a fault."""
    few, many = sorted({one.lanes for one in alarms()})
    told = []
    for dtype in run.TYPES:
        mine = [one for one in alarms() if (one.type, one.lanes) == (dtype, few) and one.words != ALIKE]
        hits, n = sum(one.alarms for one in mine), sum(one.products for one in mine)
        around = wilson(hits / n, n=n)
        told.append(
            f"{dtype}: {hits} of {n:,} products ({around.low:.3%} to {around.high:.2%}), {sum(one.rows for one in mine):,} rows"
        )
    wide = [
        f"{sum(one.alarms for one in alarms() if (one.type, one.lanes) == (dtype, many) and one.words != ALIKE)} of {dtype}"
        for dtype in run.TYPES
    ]
    largest = {
        dtype: max(one.largest for one in alarms() if (one.type, one.lanes) == (dtype, few) and one.words != ALIKE)
        for dtype in run.TYPES
    }
    outside = [
        f"{one.alarms} of {one.products} in {one.type}" for one in alarms() if (one.words, one.lanes) == (ALIKE, few)
    ]
    return bullets(
        [
            f"In {few} lane, rows alike left out: {'; '.join(told)}. In {many} lanes {listed(wide)} alarmed: not every kernel "
            f"of the host adds in so many, so {SCHEME.lanes} is the default.",
            f"In {few} lane, rows alike left out again, the largest deviation of a float32 row is {largest['float32']:.1f} of {SCHEME.deviations:g}: the "
            "bound supposes that terms are added one behind the other, and kernels add in many lanes. In bfloat16 "
            f"({largest['bfloat16']:.1f}) the rounding of the output words is nearly all there is, and the "
            "bound is close to it.",
            "The largest deviations in bfloat16 that were looked into are of products of one or two terms, in which the words "
            "of a row have few different significands and so few different errors. The allowance for that is ours, not "
            "derived.",
            f"**Rows alike** is outside the model, and raises alarms ({listed(outside)}): all rows of B^T the same, as tokens "
            "of an empty picture without position embedding are, so all words of a row of C are rounded alike. Such an alarm "
            "costs the row's operations once more; it changes nothing, as words are judged one by one.",
        ]
    )


def seen_settings() -> str:
    """The products with a flip."""
    (n,) = {one.flips for one in seen()}
    return paragraph(
        f"One word of the output in each product ({run.ROWS} rows) has one bit flipped: in float32 the last running sum, by "
        f"`Faulty`; in bfloat16 the word that is written back. n = {n} flips a bit. The bound is given as a share of the "
        "standard deviation of the output's words: median over rows, and from the 5th to the 95th percentile. **An error is "
        'seen if it is larger than that.** "Largest error left" is what remained after repair in any of the products, in the '
        "same unit."
    )


def seen_table() -> str:
    """The table of bounds, and of bits that are seen."""
    return run.bound_table(record()["bounds"], seen())


def seen_judged() -> str:
    """From which size on an error is seen."""
    of = {(row["product"], row["type"], row["words"], row["lanes"]): row for row in record()["bounds"]}

    def median(product: str, dtype: str, words: str = "normal", lanes: int = 1) -> str:
        return f"{of[product, dtype, words, lanes]['median']:.1g}"

    def each(dtype: str) -> str:
        return listed(
            [f"{median(product, dtype)} ({_name(product)}, {_width(product)} words a check)" for product in run.FLIPPED]
        )

    missed = [
        one for one in seen() if (one.type, one.words, one.lanes) == ("bfloat16", "normal", 1) and one.bit == _EXPONENT
    ]
    top = [f"{100 * one.seen / one.flips:.0f} % in {_name(one.product)}" for one in missed]
    always = max(
        max(one.bit for one in seen() if _of(one, product) and one.seen < one.flips) + 1 for product in run.FLIPPED
    )
    proj = "proj of ViT-B"
    wide = of[proj, "float32", "outlier channels", 1]
    closer = of[proj, "float32", "normal", 1]["median"] / of[proj, "float32", "normal", 16]["median"]
    return bullets(
        [
            f"float32: an error is seen from {each('float32')} of the output's deviation on. Of normal words in one lane, all "
            f"flips of bits {always} to 31 were seen in every product: exponent, sign, and the upper "
            f"{count(23 - always)} bits of the fraction.",
            f"bfloat16: from {each('bfloat16')} of the deviation on. Each word of the row is rounded to 8 bits, and these errors "
            "add up: no scheme that has only the words sees the low bits of a fraction in their sum. Exponent bits that are "
            "missed are of words near 0, or make a word 0: that leaves an error of the word's own size, which is below the "
            f"bound (bit {_EXPONENT} is seen: {listed(top)}).",
            f"Outlier channels (one in {run.OUTLIERS} channels {run.OUTLIER} times as large, in both factors) make "
            f"rows unlike each other: in float32 the bound of {proj} is then {wide['median']:.1g} of the deviation over all "
            f"rows, and up to {wide['high']:.1g} in the rows that are largest. 16 lanes make the bound of normal words "
            f"{closer:.0f} times closer ({proj}: {median(proj, 'float32', lanes=16)}).",
        ]
    )


_EXPONENT = 14  # of bfloat16: the highest bit below the sign


def _of(one: run.Seen, product: str) -> bool:
    return (one.product, one.type, one.words, one.lanes) == (product, "float32", "normal", 1)


def _name(product: str) -> str:
    """Without the width of its check."""
    return product.split(",")[0]


def _width(product: str) -> int:
    _, n, width = run.FLIPPED[product]
    return width or n


def cost() -> str:
    """The operations of a check, as its share of a product's."""
    size = 768
    share = 2.5 / size + 1.5 / size
    return paragraph(
        "Of a row of n words and k terms with a stored weight: 2 dot products and k squares (3 k multiplications, 2 k "
        "additions), the sum of the row and of its squares (n multiplications, 2 n additions), a handful for the bound: about "
        f"2.5 / n + 1.5 / k of the product's operations, {100 * share:.1f} % for {size} x {size}. Sums of an activation are "
        "made each time: 3 operations a word of B more. All of it runs on the protected machine at sites of its own and is "
        "exposed to faults; a check that is hit is a false alarm."
    )
