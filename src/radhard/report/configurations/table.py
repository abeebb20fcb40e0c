"""Accuracy, or agreement, and overhead of configurations, as a table for the terminal."""

import math
from textwrap import fill

from rich.table import Table

from radhard.analysis.configurations import Evaluation
from radhard.analysis.intervals import Interval
from radhard.analysis.overhead import Spent, own_operations
from radhard.report.configurations.quality import NO_LABELS, quality, quality_name
from radhard.report.configurations.record import setting_of
from radhard.report.fault_amount import COUNT, RATE
from radhard.report.fitted import FittedTable

_ACCURACY, _AGREEMENT = "accu-\nracy\n%", "agree-\nment\n%"
_HEADINGS = (
    "configuration", _ACCURACY, "lost\npoints", "gained\npoints", "over-\nhead\n%", "mul\n%",
    "add\n%", "cmp\n%", "alarms\nrepaired", "recom-\nputed\nleft", "resi-\ndual\nwords",
)  # fmt: skip
_NAME = 14  # letters of a configuration's name in a line


def configurations_table(evaluation: Evaluation) -> Table:
    """One row a configuration and BER, the clean ones first; 95 % intervals under the numbers that have them."""
    setting = setting_of(evaluation)
    table = FittedTable(
        f"{setting.model}, recipe {setting.recipe}, {setting.data}: {evaluation.on.images:,} images, {setting.hits}",
        keys=2,
    )
    for heading in ("flips\nan inf.\nn" if setting.flips else "BER\nn", *_HEADINGS):
        name = heading == "configuration"
        shown_as = _AGREEMENT if heading == _ACCURACY and not setting.labelled else heading
        table.add_column(shown_as, justify="left" if name else "right")
    shown = sorted(
        evaluation.outcomes, key=lambda outcome: outcome.configuration.amount
    )  # stable: as they were given at each rate
    for k, outcome in enumerate(shown):
        point = outcome.point
        share = quality(outcome.as_dict(), labelled=setting.labelled)
        table.add_row(
            f"{outcome.configuration.amount:.3g}\n{point.n:,}",
            fill(outcome.configuration.name, _NAME),
            *(_rate(it) if point.n else "-" for it in (share, outcome.loss, outcome.gain)),
            *(("-",) * 7 if outcome.spent is None else _operations(outcome.spent)),
            end_section=k + 1 < len(shown) and shown[k + 1].configuration.amount != outcome.configuration.amount,
        )
    table.caption = "\n".join(_legend(evaluation))
    return table


def pairs_table(evaluation: Evaluation) -> Table:
    """One row a pair and BER: the difference of accuracies or agreements with its interval, and what it says."""
    first, setting = evaluation.pairs[0], setting_of(evaluation)
    table = FittedTable(
        f"{setting.model}: {quality_name(labelled=setting.labelled)} minus that of {first.reference}, in percentage "
        "points, under the same faults on the same images",
        keys=3,
    )
    for heading in (
        COUNT if setting.flips else RATE,
        "n",
        "configuration",
        "difference",
        "interval",
        "one-sided limits",
        "relation",
    ):
        table.add_column(heading, justify="left" if heading in ("configuration", "relation") else "right")
    shown = sorted(evaluation.pairs, key=lambda one: one.amount)
    for k, one in enumerate(shown):
        table.add_row(
            f"{one.amount:.3g}",
            f"{one.n:,}",
            one.configuration,
            fixed(one.difference.rate),
            points(one.difference.low, one.difference.high),
            points(one.limits.low, one.limits.high),
            one.relation,
            end_section=k + 1 < len(shown) and shown[k + 1].amount != one.amount,
        )
    table.caption = (
        "interval: 95 %, all pairs at a rate together (Bonferroni), clustered by image\n"
        f"equivalent: both one-sided limits ({100 * first.level:.4g} % each) within {100 * first.margin:g} points; "
        "better, worse: the interval leaves out 0"
    )
    return table


def points(low: float, high: float) -> str:
    """An interval in percent or points: `1.20 - 1.40`, or `-0.10 to 0.20`, where a minus is not read as a dash."""
    return f"{fixed(low)}{' - ' if low >= 0 else ' to '}{fixed(high)}"


def fixed(share: float) -> str:
    """A share in percent, or a difference of shares in points, with two decimals; never minus zero."""
    return f"{round(100 * share, 2) + 0.0:.2f}"


def percent(share: float) -> str:
    """A share of operations in percent: two decimals or, where these say little, two digits."""
    if not math.isfinite(share):
        return "unbounded"
    return f"{100 * share:,.2f}" if share >= 1e-3 or not share else f"{100 * share:.2g}"


def _rate(it: Interval | None) -> str:
    return "-" if it is None else f"{fixed(it.rate)}\n{points(it.low, it.high)}"


def _operations(spent: Spent) -> tuple[str, ...]:
    """The overhead, its kinds of operations, and what the checks found and did an image."""
    own = spent.own_mul + spent.own_add
    events = (spent.alarms, spent.repaired, spent.recomputed, spent.left, spent.residual)
    alarms, repaired, recomputed, left, residual = (f"{x:,.3g}" if x < 1000 else f"{x:,.0f}" for x in events)
    return (
        f"{percent(spent.share)}\n{percent(spent.low)} - {percent(spent.high)}",
        *(percent(count / own) for count in (spent.mul, spent.add, spent.cmp)),
        f"{alarms}\n{repaired}",
        f"{recomputed}\n{left}",
        residual,
    )


def _legend(evaluation: Evaluation) -> list[str]:
    """What the columns mean, and what is to be known of a configuration."""
    weights, outcomes = evaluation.weights, evaluation.outcomes
    mul, add = own_operations(evaluation.model_under_test.program_of(setting_of(evaluation)).costs)
    lines = [] if setting_of(evaluation).labelled else [NO_LABELS]
    lines += [
        "second lines: 95 % intervals; lost: against no fault and no protection, gained: over unprotected under the "
        "same faults, both paired",
        f"overhead: operations of protection, weighted mul {weights.mul:g}, add {weights.add:g}, cmp {weights.cmp:g}, "
        "in % of the model's own so weighted",
        "mul, add, cmp: what protection executes of each, in % of the model's own multiplications and additions",
        "alarms to residual words: an image; left: blocks given up as faulty, residual: wrong words in protected "
        "results",
        f"the model's own: {mul:,} multiplications and {add:,} additions an image",
    ]
    if any(outcome.spent is not None and outcome.spent.hidden for outcome in outcomes):
        lines.append("operations that a scheme supposes to run in idle time are not in its overhead")
    notes = dict.fromkeys(
        f"{o.configuration.name} ({o.configuration.setting.rate}): {o.configuration.note}"
        for o in outcomes
        if o.configuration.note
    )
    return lines + list(notes)
