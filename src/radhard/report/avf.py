"""AVFs as a table, with notes."""

import math

from rich.table import Table

from radhard.analysis.avf import Avf
from radhard.analysis.intervals import Interval
from radhard.campaign.effects import EFFECTS, Effect
from radhard.report.anatomy import MARK
from radhard.report.fitted import FittedTable

NAMES: dict[Effect, str] = {
    "masked": "masked",
    "benign": "benign",
    "sdc": "SDC",
    "sdc5": "SDC-5",
    "critical": "critical SDC",
    "due": "NaN (DUE)",
}


def avf_table(found: Avf) -> Table:
    """One row a component, in the order of the program; shares of its flips in percent."""
    setting, by = found.study.whole, found.study.by
    table = FittedTable(
        f"{setting.model}, recipe {setting.recipe}, one flip an inference: AVF by {by}, in percent", keys=1
    )
    told = [effect for effect in EFFECTS if setting.labelled or effect != "critical"]
    others = [effect for effect in told if effect != "sdc"]
    columns = ["SDC", "95 % interval", "all at once", *(NAMES[effect] for effect in others)]
    for heading in (by, *columns, "flips", "exposed bits"):
        table.add_column(heading, justify="left" if heading == by else "right")
    for one in found.components:
        table.add_row(
            f"{one.name or '-'}{' ?' if one.guessed else ''}",
            _percent(one.sdc),
            _limits(one.sdc),
            _limits(one.shares["sdc"].all_at_once),
            *(_percent(one.shares[effect].own) for effect in others),
            f"{one.n:,}",
            f"{one.bits_share:.1%}",
        )
    return table


MEANINGS: dict[Effect, str] = {
    "masked": "masked at the word (no site writes another word)",
    "benign": "benign (another word, the same answer)",
    "sdc5": "SDC-5 (the class is none of the five leading ones of the fault-free answer)",
    "critical": "critical SDC (a right answer becomes wrong)",
    "due": "DUE (the answer is NaN)",
}


def avf_summary(found: Avf) -> list[str]:
    """What the table does not say: the AVF of the whole, how it was estimated, the work."""
    study = found.study
    least, most = min(study.trials), max(study.trials)
    trials = f"{least}" if least == most else f"{least} to {most}"
    of = "" if found.bits_share == 1 else f" of the components above ({found.bits_share:.1%} of all exposed bits)"
    lines = [
        f"AVF{of}: {_whole(found.sdc)} of single flips change the top-1 class in silence",
        *(f"{MEANINGS[effect]}: {_whole(found.shares[effect])}" for effect in MEANINGS if _told(found, effect)),
        f"n = {found.n:,} inferences with one flip: {study.images:,} images, {trials} trials a component; "
        "intervals are clustered by image, those for all at once Bonferroni's; the whole "
        "weights components by their exposed bits",
        f"forward passes of an image: {found.passes:,.0f}, each flip from where it hits on, of {found.n:,} naively "
        f"({found.passes / max(1, found.n):.1%})",
    ]
    if any(one.part for one in found.components):
        lines.append("a component named MODULE: OPERATOR is a part of its module, and counts once in the whole")
    if any(one.guessed for one in found.components):
        lines.append(MARK)
    return lines


def _told(found: Avf, effect: Effect) -> bool:
    return not math.isnan(found.shares[effect].rate)


def _percent(share: Interval) -> str:
    return "-" if math.isnan(share.rate) else f"{100 * share.rate:.2f}"


def _whole(share: Interval) -> str:
    return f"{100 * share.rate:.3g} % ({_limits(share)} %)"


def _limits(share: Interval) -> str:
    return f"{100 * share.low:.2f} - {100 * share.high:.2f}"
