"""What `results/upsets.md` says of hardware faults in whole models, from `results/upsets.json`."""

import json
from collections.abc import Sequence
from functools import cache

from benchmarks import whole_models as run
from benchmarks.claims.data import RESULTS, Row, between, count, interval, listed, short, table
from benchmarks.claims.options import bullets, paragraph
from radhard.analysis.intervals import Interval, wilson

BARE = "unprotected"
ELSEWHERE = "tmr, other arrays"
COLUMNS = (BARE, *run.SCHEMES, ELSEWHERE)
OTHER = ":copies=other"
RELATIONS = ("better", "worse", "equivalent", "cannot tell")


@cache
def records() -> tuple[Row, ...]:
    """Of each model and case. ValueError if they are not those of the code that runs them."""
    found = json.loads((RESULTS / "upsets.json").read_text())["records"]
    wanted = [(model, case.faults, case.images) for model in run.MODELS for case in run.CASES]
    if [(row["model"], row["faults"], row["images"]) for row in found] != wanted:
        raise ValueError("results/upsets.json has other cases than benchmarks/whole_models.py: run it again")
    return tuple(found)


def main_records(images: int | None = None) -> list[Row]:
    """Those with all schemes, of so many images (None: of any)."""
    return [one for one in records() if OTHER not in one["faults"] and images in (None, one["images"])]


def outcomes(record: Row) -> dict[str, Row]:
    """By configuration; of a broken array, TMR whose copies run on sound ones, too."""
    found = {row["configuration"]: row for row in record["rows"]}
    for other in records():
        if (other["model"], other["faults"]) == (record["model"], record["faults"] + OTHER):
            found[ELSEWHERE] = next(row for row in other["rows"] if row["configuration"] == "tmr")
    return found


def hits(row: Row, *, rate: str = "sdc") -> int:
    """How many of the n answers a rate counts."""
    return round(float(row[rate]) * int(row["n"]))


def if_reached(record: Row) -> Interval:
    """The SDC rate of the unprotected model, of those faults alone that some word depends on. All others are masked."""
    reached = record["reached"]
    return wilson(hits(outcomes(record)[BARE]) / reached if reached else 0.0, n=reached)


def settings() -> str:
    """Models, images, faults and schemes."""
    few, many = run.BROKEN, run.ONE_UPSET
    first = records()[0]
    same = {(one["recipe"], one["seed"], one["trials"], one["data"]) for one in records()}
    if len(same) > 1:
        raise ValueError(f"the records differ in recipe, seed, trials or data: {same}")
    return paragraph(
        f"`compare` on {listed([f'`{model}`' for model in run.MODELS])}, recipe `{first['recipe']}`, on the first images of "
        f"`{first['data']}`, {count(first['trials'])} trial each, seed {first['seed']}: {many} images with one upset in each "
        f"inference, {few} with a broken cell, another one for each image. All schemes see the same faults on the same images, "
        "and each is on all products, in its default options; all of them, and `none` alone, have ranges on the non-linear "
        "operators. The array has 16 x 16 cells. Checks, repairs and copies are sound, but on a broken array TMR runs its "
        f"copies on the same array; in the column `{ELSEWHERE}` they run on sound ones (`copies=other`)."
    )


def command() -> str:
    """A row as the command line has it: that of the first case with a broken cell."""
    case = next(case for case in run.CASES if case.images == run.BROKEN)
    return (
        f"    radhard compare {run.MODELS[0]} --schemes {','.join(case.schemes)} --reference {case.schemes[0]} \\\n"
        f"        --faults {case.faults} --images {case.images} --trials 1 --margin {case.margin:g} --json"
    )


def told() -> str:
    """What the rates mean, and what the record does not say. ValueError for a DUE, or a scheme that changed an answer."""
    rows = [row for one in records() for row in one["rows"]]
    dues = sum(hits(row, rate="due") for row in rows)
    changed = sum(hits(row, rate="sdc_without_faults") for row in rows)
    if dues or changed:
        raise ValueError(f"{dues} DUEs and {changed} answers that schemes change without a fault, unlike what is said")
    least = max(row["due_high"] for row in rows)
    return bullets(
        [
            "**SDC**: the answer is another class than that of the model without fault and protection. No scheme changes an "
            "answer without a fault here.",
            f"**DUE** is in this record an answer that says itself that it is none: a NaN, or a word that a code found wrong. "
            f"Logits of these integer programs are no NaN, and no memory here has a code: it is 0 everywhere (at most "
            f"{100 * least:.1f} %, upper limits). The record counts alarms of schemes as a mean an image, and does not say which "
            "inference had them. So an SDC may well have been an alarm: what a user who discards answers after an alarm would "
            "see as DUE is among the SDCs, and the split cannot be told from these data.",
            "**Masked** without any doubt are faults on which no word depends: an idle register, a cell that no product uses. "
            "Those that reach a word, and still do not change the answer, are masked, benign or corrected; the record does not "
            "say which.",
        ]
    )


def reached() -> str:
    """How many faults reach a word, and what comes of these without protection."""
    heads = ["model", "fault", "n", "reach a word", "of all, exactly", "SDC, %", "SDC of those that reach a word, %",
             "critical SDC, %"]  # fmt: skip
    return table(
        heads,
        [
            [
                short(one["model"]),
                f"`{one['faults']}`",
                str(one["images"]),
                f"{one['reached']} ({100 * one['reached'] / one['images']:.1f} %)",
                "-" if one["duty"] is None else f"{100 * one['duty']:.1f} %",
                _rate(outcomes(one)[BARE]),
                _percent(if_reached(one)),
                _rate(outcomes(one)[BARE], name="critical"),
            ]
            for one in main_records()
        ],
    )


def sdc() -> str:
    """SDC rates by fault model and scheme."""
    return table(
        ["model", "fault", "n", *COLUMNS],
        [
            [short(one["model"]), f"`{one['faults']}`", str(one["images"]), *(_cell(one, name) for name in COLUMNS)]
            for one in main_records()
        ],
    )


def accounts() -> str:
    """Means an image: alarms, what is given up, and wrong words that are left."""
    schemes = [name for name in COLUMNS if name != BARE]

    def cell(found: dict[str, Row], name: str) -> str:
        if name not in found:
            return "-"
        return " / ".join(f"{found[name][part]:.3g}" for part in ("alarms", "left", "residual"))

    return table(
        ["model", "fault", *schemes],
        [
            [short(one["model"]), f"`{one['faults']}`", *(cell(outcomes(one), name) for name in schemes)]
            for one in main_records()
        ],
    )


def pairs() -> str:
    """The accuracy of each scheme less that of ranges alone, in points, and the relation."""
    schemes = [name for name in run.SCHEMES if name != run.SCHEMES[0]]
    return table(
        ["model", "fault", *schemes],
        [
            [short(one["model"]), f"`{one['faults']}`"]
            + [
                f"{pair['relation']}: {interval(pair['difference'], scale=100, digits=1)}"
                for name in schemes
                for pair in one["pairs"]
                if pair["configuration"] == name
            ]
            for one in main_records()
        ],
    )


def pairs_settings() -> str:
    """What is tested."""
    found = [pair for one in main_records() for pair in one["pairs"]]
    levels = {pair["equivalence"]["level"] for pair in found}
    one_upset, broken = (
        between({pair["equivalence"]["margin"] for one in main_records(n) for pair in one["pairs"]}, 0, scale=100)
        for n in (run.ONE_UPSET, run.BROKEN)
    )
    return paragraph(
        "Accuracy of a scheme less that of ranges alone (`none`), in points, on the same images and faults, with intervals "
        f"that hold for the {count(len(run.SCHEMES) - 1)} pairs of a row together in 95 % (Bonferroni). `equivalent`: within "
        f"a margin (in points: {one_upset} after one upset, {broken} on a broken array, where the images are fewer), by two "
        f"one-sided exact tests at {between(levels, 0, scale=100)} %; `better` "
        "and `worse`: the interval leaves out 0; `cannot tell`: neither, which is no sign that two are alike."
    )


def judged() -> str:
    """What is surely different, and what cannot be told."""
    one_upset, broken = main_records(run.ONE_UPSET), main_records(run.BROKEN)
    return bullets(
        [
            _of_registers(),
            _of_one_upset(one_upset),
            "One upset an inference, each scheme beside ranges alone, by its accuracy: " + _related(one_upset),
            "A broken array, each scheme beside ranges alone, by its accuracy: " + _related(broken),
            _below(broken),
            _of_copies(broken),
            _of_accounts(broken),
            _of_words(),
        ]
    )


def _of_registers() -> str:
    found = [one for one in main_records() if one["duty"] is not None]
    duties = listed([f"{100 * one['duty']:.0f} % ({_register_row(one)})" for one in found])
    bare = [outcomes(one)[BARE] for one in found]
    given = listed([f"{_percent(if_reached(one))} % ({_register_row(one)})" for one in found])
    return (
        f"Of all bits times cycles of the registers {duties} hold something that an output depends on; upsets of the others are "
        "idle. So an SDC rate over all upsets counts idle registers and networks that mask alike. Unprotected, "
        f"{between((row['sdc'] for row in bare), 1, scale=100)} % of all upsets were an SDC; of those that reached a word {given}."
    )


def _register_row(record: Row) -> str:
    """`ViT, output`."""
    return f"{short(record['model'])}, {record['faults'].rpartition('=')[2]} stationary"


def _of_one_upset(found: Sequence[Row]) -> str:
    rates = [outcomes(one)[BARE] for one in found]
    most = max(row["sdc_high"] for row in rates)
    return (
        "One upset in an inference is seldom a wrong answer: without protection "
        f"{between((row['sdc'] for row in rates), 1, scale=100)} % of the answers are SDC, and no upper limit is above "
        f"{100 * most:.1f} %. So there is little that a scheme could win, and it takes more images to tell schemes apart."
    )


def _related(found: Sequence[Row]) -> str:
    told = []
    for relation in RELATIONS:
        named = []
        for scheme in run.SCHEMES[1:]:
            own = [
                (short(one["model"]), one["faults"])
                for one in found
                for pair in one["pairs"]
                if (pair["configuration"], pair["relation"]) == (scheme, relation)
            ]
            if len(own) == len(found):
                named.append(f"`{scheme}` in all {count(len(found))} rows")
            elif own:
                named.append(f"`{scheme}` in {count(len(own))} of {count(len(found))}")
        if named:
            told.append(f"{relation} {listed(named)}")
    return "; ".join(told) + "."


def _below(found: Sequence[Row]) -> str:
    """Where a scheme's interval lies below that of no protection. Of those that overlap nothing is said."""
    below = {
        name: sum(outcomes(one)[name]["sdc_high"] < outcomes(one)[BARE]["sdc_low"] for one in found)
        for name in run.SCHEMES
    }
    named = [f"`{name}` in {count(rows)} of {count(len(found))} rows" for name, rows in below.items() if rows]
    return (
        "A broken array, by SDC: the interval lies below that without protection, so that the rate is surely lower, under "
        f"{listed(named, none='no scheme')}. Where intervals overlap nothing is said."
    )


def _of_copies(found: Sequence[Row]) -> str:
    """ValueError if TMR on sound arrays is not surely better than no protection in any row."""
    bare, same, other = ([hits(outcomes(one)[name]) for one in found] for name in (BARE, "tmr", ELSEWHERE))
    n = sum(one["images"] for one in found)
    surely = {name: sum(outcomes(one)[name]["gain"]["low"] > 0 for one in found) for name in ("tmr", ELSEWHERE)}
    if not surely[ELSEWHERE]:
        raise ValueError(f"TMR on other arrays, {other} SDCs, is nowhere surely better than no protection, {bare}")
    rows = count(len(found))
    return (
        f"TMR whose copies share the broken array left {sum(same)} SDCs of {n:,} answers, where no protection had {sum(bare)}; "
        f"with copies on sound arrays it left {sum(other)}. By its gain of accuracy over no protection (paired, 95 %, each row "
        f"for itself) it is surely better than none in {count(surely[ELSEWHERE])} of {rows} rows with sound arrays, and in "
        f"{surely['tmr'] or 'none'} of them with the same."
    )


def _of_accounts(found: Sequence[Row]) -> str:
    """What schemes know of the wrong words that they leave. ValueError if TMR on the broken array gives any up."""
    left, residual = (
        {
            name: between((outcomes(one)[name][part] for one in found), digits, scale=1)
            for name in ("row-check", "row-abft", "lb-abft", "standard-abft", "tmr")
        }
        for part, digits in (("left", 1), ("residual", 0))
    )
    if any(outcomes(one)["tmr"]["left"] for one in found):
        raise ValueError("TMR on the broken array gives words up, unlike what is said")
    others = ("row-check", "row-abft", "lb-abft")
    return (
        "What a scheme knows of its failure, on a broken array, by means an image: `standard-abft` gives up "
        f"{left['standard-abft']} blocks and leaves {residual['standard-abft']} wrong words, which alarms tell a user; the "
        f"record does not say of which answers. `tmr` on the same array leaves {residual['tmr']} and gives up none: its copies "
        "agree. " + "; ".join(f"`{name}` leaves {residual[name]} and gives up {left[name]}" for name in others) + "."
    )


def _of_words() -> str:
    """ValueError if a check of products raises an alarm by a word in memory, or TMR misses one that a layer writes."""
    memory = [one for one in main_records() if one["faults"].startswith("memory")]
    written = [one for one in main_records() if one["faults"].startswith("outputs")]
    alarms = {
        (one["model"], name): outcomes(one)[name]["alarms"] - outcomes(one)[run.SCHEMES[0]]["alarms"]
        for one in (*memory, *written)
        for name in run.SCHEMES[1:-1]
    }
    if any(alarms.values()):
        raise ValueError(f"checks of products have alarms beside those of ranges: {alarms}")
    votes = between((outcomes(one)["tmr"]["alarms"] for one in written), 2)
    left = between((outcomes(one)["tmr"]["residual"] for one in written), 2)
    return (
        "A word that is wrong once it is written, or in memory, is outside every check of products: the checks raised no alarm "
        f"beside those of the ranges. A vote of TMR sees it where it is written ({votes} alarms an image, {left} wrong words left), "
        "and not in memory."
    )


def _cell(record: Row, name: str) -> str:
    found = outcomes(record)
    return _rate(found[name]) if name in found else "-"


def _rate(row: Row, *, name: str = "sdc") -> str:
    return _percent(Interval(rate=row[name], low=row[f"{name}_low"], high=row[f"{name}_high"]))


def _percent(share: Interval) -> str:
    """`1.2 (0.6 to 2.3)`, in percent."""
    return f"{100 * share.rate:.1f} ({100 * share.low:.1f} to {100 * share.high:.1f})"
