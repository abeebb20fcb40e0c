"""What `results/silicon.md` says of its trials, and its tables, from `results/silicon.json`."""

import json
from functools import cache

from benchmarks import silicon as run
from benchmarks.claims.data import RESULTS, between, listed, rows
from benchmarks.claims.options import bullets, paragraph
from radhard.analysis.intervals import wilson
from radhard.analysis.verdict import VERDICTS, Verdict, Verdicts
from radhard.hardware.catalogue import TILE
from radhard.report.verdicts import Cell, verdict_table, verdicts_data

ALL = "all"
ABFT = (
    "standard ABFT", "intensity-guided, ideal", "Huang-Abraham", "LB-ABFT, leave", "LB-ABFT, intersect",
    "LB-ABFT, 64-bit sums", "row ABFT", "row ABFT, 64-bit sums",
)  # fmt: skip
ONE_WORD = ABFT[:4]
AGAIN = ("LB-ABFT, intersect", "row ABFT")
MANY = (
    "word of A misread after encoding, one bit", "word of A misread after encoding, MBU",
    "word of B misread after encoding, one bit", "word of B misread after encoding, MBU",
    "multiplier of one cell, stuck bit", "multiplier of one weight cell, stuck bit", "multiplier of one cell, dead",
    "a row of C garbled", "a tile of C garbled", "a tile of C lost",
)  # fmt: skip
STUCK = "accumulator of one cell, stuck bit"


@cache
def cells() -> tuple[Cell, ...]:
    """The cells of each product."""
    rows = json.loads((RESULTS / "silicon.json").read_text())["cells"]
    return tuple(
        Cell(
            fault=row["fault"],
            scheme=row["scheme"],
            product=row["product"],
            tally=Verdicts(counts=tuple(row[name] for name in VERDICTS), miscorrected=row["miscorrected"]),
        )
        for row in rows
        if row["product"] != ALL
    )


def settings() -> str:
    """Trials, products and the words of them. ValueError if the products are not those of the code that runs them."""
    trials = {cell.product: cell.tally.n for cell in cells() if cell.fault == run.UNTOUCHED}
    if trials != {product.name: product.trials for product in run.PRODUCTS}:
        raise ValueError(f"results/silicon.json has trials {trials}, unlike benchmarks/silicon.py: run it again")
    weighted = sum(product.trials for product in run.PRODUCTS if product.weight)
    each = listed([f"{n} of `{name}`" for name, n in trials.items()])
    return paragraph(
        f"Counts and Wilson's 95 % intervals of every outcome, for each product and for all together. A trial is one product "
        f"with one fault, the same for every scheme. There are {sum(trials.values())} trials: {each}. Faults in stored "
        f"weights have {weighted} of them, those of products with a weight. Words are random (normal, deviation {run.DEVIATION}), weights "
        "are the same in all trials of a product, and outputs are written back to int8 with that deviation. The rates hold "
        "for this mixture of products, not for a device; the frequency of a fault class is not modelled."
    )


def assumptions() -> str:
    """The array, the memory, and the blocks of the schemes."""
    block = run.LONG
    return paragraph(
        f"Assumptions: an array of {TILE.rows} x {TILE.columns} cells, each a multiplier and an accumulator. A permanent fault "
        "stays; a transient fault lasts one moment. Checks, repairs, the write-back and votes run on separate fault-free "
        "units, and read the same memory as the product. The copies of TMR run on one unit, so a permanent fault hits all "
        'three and a transient fault hits one; "on three units" has two fault-free copies. Memory faults occur before '
        "activations are used, but after the weight checksums were computed. *Misread* words are read correctly by the checks "
        f"and wrongly by the array. LB-ABFT has cubes of {run.EDGE} (with 64-bit sums: `intersect`), row ABFT blocks of "
        f"{block.m} x {block.k} x {block.n}. Ranges are those of the accumulators of {run.CALIBRATION} clean products, widened "
        f"by {100 * run.MARGIN:g} % on both sides, clamped."
    )


def outcomes() -> str:
    """What the outcomes mean, and where nothing was masked. ValueError if a fault was masked, or no fault was not."""
    found = verdicts_data(cells()).cells
    for fault, row in found.items():
        for scheme, tally in row.items():
            if tally.count("masked") != (tally.n if fault == run.UNTOUCHED else 0):
                raise ValueError(f"{fault}, {scheme}: {tally.count('masked')} of {tally.n} masked, unlike what is said")
    n = next(iter(found[run.UNTOUCHED].values())).n
    return bullets(
        [
            "**masked** (no alarm, accumulators unchanged) occurred only without a fault: no scheme raised an alarm or changed "
            f"a word in these {n} trials (at most {100 * wilson(0.0, n=n).high:.1f} %). **benign** is no alarm and all output "
            "words right (rounding removes the error).",
            "**corrected** is an alarm and all output words right, **DUE** (detected, uncorrected) an alarm and words still "
            "wrong, **SDC** (silent data corruption) no alarm and words wrong.",
        ]
    )


def shares(verdict: Verdict) -> str:
    """The table of one outcome: each class of faults under each scheme, all products together."""
    return verdict_table(verdicts_data(cells()), verdict)


def trials(fault: str, scheme: str) -> dict[str, int]:
    """Counts of all products together."""
    found = next(r for r in rows("silicon") if (r["fault"], r["scheme"], r["product"]) == (fault, scheme, "all"))
    return {name: int(found[name]) for name in ("n", "masked", "corrected", "DUE", "SDC", "miscorrected")}


def judged() -> str:
    """What schemes do about faults that they were not made for."""
    upsets = [trials(f, s) for f in ("accumulator, one bit", "accumulator, MBU") for s in ABFT]
    right = sum(t["corrected"] for t in upsets) == sum(t["n"] for t in upsets)
    each = sum(trials(f, "none")["n"] for f in ("accumulator, one bit", "accumulator, MBU"))
    many = [trials(f, s) for f in MANY for s in AGAIN]
    one = [trials(f, s) for f in MANY for s in ONE_WORD]
    weights = ("weight in memory, one bit", "weight in memory, MBU")
    seen = [trials(f, s) for f in weights for s in ABFT]
    before = [trials(f"activation in memory before encoding, {kind}", s) for kind in ("one bit", "MBU") for s in ABFT]
    rowed = [trials(f, "row ABFT")["corrected"] / trials(f, "row ABFT")["n"] for f in weights]
    swapped = [s for s in ABFT if trials("two rows exchanged", s)["DUE"]]
    unseen = [s for s in AGAIN if trials("two rows exchanged", s)["SDC"] == trials("two rows exchanged", s)["n"]]
    stuck = {s: trials(STUCK, s) for s in ABFT}
    n = stuck["row ABFT"]["n"]
    wide, narrow = (100 * stuck[s]["corrected"] / n for s in ("row ABFT, 64-bit sums", "row ABFT"))
    miscorrected = {s: t["miscorrected"] for s, t in stuck.items() if t["miscorrected"]}
    assert right
    assert not sum(t["SDC"] for t in seen)
    assert all(t["SDC"] == t["n"] for t in before)
    return bullets(
        [
            f"Single words: every ABFT scheme put all {each} upsets of single accumulators right, of one bit or of several.",
            "Many words at once: schemes that repair one word (standard, intensity-guided, Huang-Abraham, LB-ABFT with "
            f"`leave`) notice wrong multipliers, misread words, rows and tiles, and repair {sum(t['corrected'] for t in one)} "
            f"of {sum(t['n'] for t in one):,}. LB-ABFT with `intersect` and row ABFT repair "
            f"{between((t['corrected'] / t['n'] for t in many), 0, scale=100)} % of each class. What they leave lies in blocks "
            "that were not flagged, for errors in them add up to 0. They raise the alarm, but count all flagged blocks as "
            "recomputed and none as left: the account does not tell that words are still wrong.",
            "Weights in memory: no change that matters becomes an SDC under an ABFT scheme, for its sums are older. Row ABFT puts "
            f"the output right from the stored weighted sums ({listed([f'{100 * x:.0f}' for x in rowed])} %); the others compute "
            "again from the same wrong weight.",
            "Activations in memory, hit before they are encoded, are SDC everywhere: the product of other words is a sound "
            "product. Only a check that begins where the words are made (or ECC) can see them.",
            f"**Two rows exchanged are an SDC** in {listed(unseen)}, as in every scheme here that first checks the sum of the "
            f"whole product: a sum does not know the order of its rows. {listed(swapped)}, with sums of each row, detects it.",
            f"**A stuck sign bit of an accumulator is an SDC** in sums of 32 bits where an even number of words is off by 2^31: "
            f"{stuck['row ABFT']['SDC']} of {n}. `width=64` of LB-ABFT and of row ABFT makes that "
            f"{stuck['row ABFT, 64-bit sums']['SDC']}, and row ABFT then repairs {wide:.0f} % instead of {narrow:.0f} %.",
            "A stuck bit is also the only class in which a repair made sound words wrong, in so many products of "
            f"{n}: {listed([f'{s} {count}' for s, count in miscorrected.items()])}. Errors of one size and both signs cancel in "
            "sums, and what is left can point at a sound word. Row ABFT's second weight is why it nearly never does so.",
            "Ranges see what leaves the range: high bits. They detect, and a clamped word is still wrong.",
            "TMR corrects every transient fault of a part, and no permanent one in the unit that runs all three copies: those are SDC, all "
            "of them. With three units it corrects these too. Memory is outside it either way.",
        ]
    )
