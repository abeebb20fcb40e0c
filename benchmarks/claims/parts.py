"""What `results/silicon.md` and `results/better.md` say of their tables."""

import json
from textwrap import fill

from benchmarks.claims.data import RESULTS, Row, between, listed, rate, rows
from benchmarks.claims.options import bullets

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


def trials(fault: str, scheme: str) -> dict[str, int]:
    """Counts of all products together."""
    found = next(r for r in rows("silicon") if (r["fault"], r["scheme"], r["product"]) == (fault, scheme, "all"))
    return {name: int(found[name]) for name in ("n", "masked", "corrected", "DUE", "SDC", "miscorrected")}


def silicon() -> str:
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


def better() -> str:
    """Whether rows are as good as LB-ABFT at half the operations."""
    found = json.loads((RESULTS / "better.json").read_text())
    wrong: dict[str, list[int]] = {}
    of: dict[tuple[str, float], dict[str, int]] = {}
    products = 0
    for row in found["simulated"]:
        name = row["scheme"]
        words, count = wrong.setdefault(name, [0, 0])
        wrong[name] = [words + row["wrong_words"], count + row["wrong_products"]]
        of.setdefault((row["gemm"], row["ber"]), {})[name] = row["wrong_words"]
        products += row["products"] if name == "none" else 0
    light, own = (next(n for n in wrong if n.lower().startswith(x)) for x in ("lb", "row"))
    worse = [(gemm, ber) for (gemm, ber), each in of.items() if each[own] > each[light]]
    ratios: dict[tuple[str, float], float] = {
        (model, row["ber"]): row["rows"] / row["lb"] for model, each in found["models"].items() for row in each
    }
    half = {key: x for key, x in ratios.items() if x <= 0.5}
    told = [f"{model.split('_')[0]} at {rate(ber)} ({x:.2f})" for (model, ber), x in half.items()]
    rest = {ber: [x for (_, b), x in ratios.items() if b == ber and x > 0.5] for ber in sorted({b for _, b in ratios})}
    others = listed([f"{between(each, 3)} at {rate(ber)}" for ber, each in rest.items() if each])
    lines: list[Row] = found["simulated"]
    assert lines
    return bullets(
        [
            f"**Repairs: not told from LB-ABFT's in what was simulated, which is no proof that they are equal.** Over all "
            f"{products:,} products of the table {wrong['none'][0]:,} words were wrong without protection, in "
            f"{wrong['none'][1]:,} products; after LB-ABFT {wrong[light][0]} in {wrong[light][1]}, after `RowAbft` "
            f"{wrong[own][0]} in {wrong[own][1]}. It left more in {listed([f'{g} at {rate(b)}' for g, b in worse])} only. What "
            "both leave is of the same kind: flips that cancel in the sum of a block (see [repairs.md](repairs.md)), and repairs "
            "that are hit. At 1e-10 nothing was simulated: there too few products are hit to tell the schemes apart.",
            f"**Half the operations: reached in {len(half)} of {len(ratios)} cases**: {listed(told)}. The others are at {others}. "
            f"`RowAbft` takes at most {max(ratios.values()):.2f} of LB-ABFT's. Why not half:",
        ]
    )


def speed() -> str:
    """What faults cost over clean inference, of all models that were measured."""
    found = json.loads((RESULTS.parent / "benchmarks" / "FAULTY.json").read_text()).values()
    told = {}
    for kind in ("full", "zoo"):
        of = [row for row in found if row["kind"] == kind]
        rates = list(of[0]["ratio"])
        told[kind] = listed([f"{between((row['ratio'][ber] for row in of), 1)} at {ber}" for ber in rates])
        flips = {ber: [row["flips_an_image"][ber] for row in of] for ber in rates}
        told[f"{kind} flips"] = f"{round(max(flips[rates[-1]]), -2):,.0f}"
        told[f"{kind} count"] = str(len(of))
    return fill(
        "What faults cost follows their number, and is not next to nothing: at full size and the paper's bit error rates "
        f"faulty inference takes {told['full']} times the processor time of clean inference ({told['full count']} models, up to "
        f"{told['full flips']} flips an image), in the zoo, at the rates at which it loses accuracy, {told['zoo']} times "
        f"({told['zoo count']} models, up to {told['zoo flips']} flips an image); `python -m benchmarks.faulty`, model by model in "
        "[benchmarks/FAULTY.md](../benchmarks/FAULTY.md). Protection costs more: to simulate checks by blocks or rows takes many "
        "times the time of the faults alone.",
        119,
        break_long_words=False,
        break_on_hyphens=False,
    )
