"""Verdicts as tables in Markdown: a row a fault class, a column a scheme, one table a verdict."""

from radhard.analysis.intervals import Interval
from radhard.analysis.verdict import VERDICTS, Verdict
from radhard.report.verdicts import VerdictsData


def verdict_table(data: VerdictsData, *verdicts: Verdict) -> str:
    """The share of trials with one of `verdicts` (none: all of them, in one table each), and its 95 % interval."""
    if not verdicts:
        return "\n\n".join(f"{verdict}:\n\n{verdict_table(data, verdict)}" for verdict in VERDICTS)
    lines = [_line(["fault", "n", *data.schemes]), _line(["---"] * (2 + len(data.schemes)))]
    for fault in data.faults:
        row = data.cells[fault]
        sizes = sorted({tally.n for tally in row.values()})
        shares = [_share(row[scheme].share(*verdicts)) for scheme in data.schemes]
        lines.append(_line([fault, " to ".join(map(str, sizes)), *shares]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _share(share: Interval) -> str:
    rate, low, high = (100 * value for value in (share.rate, share.low, share.high))
    return f"{rate:.1f}% ({low:.1f}-{high:.1f})" if 0 < rate < 100 else f"{rate:.0f}% ({low:.1f}-{high:.1f})"
