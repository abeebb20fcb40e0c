"""The judged claims as sentences, as a table for the terminal and in Markdown, and as records."""

import math
from collections.abc import Sequence

from rich.table import Table

from radhard.analysis.claims.claim import CLAIM_VERDICTS, ClaimJudgement, JudgementRecord, PaperClaim
from radhard.analysis.claims.claims import ClaimSummary, summaries_of
from radhard.report.fitted import FittedTable


def claim_records(judgements: Sequence[ClaimJudgement]) -> list[JudgementRecord]:
    """Ready for JSON."""
    return [each.as_dict() for each in judgements]


def claims_table(judgements: Sequence[ClaimJudgement]) -> Table:
    """One row a claim: number, sentence, verdict, and for which models."""
    table = FittedTable("The paper's claims", keys=1)
    for heading in ("claim", "the paper says", "verdict", "for"):
        table.add_column(heading)
    for summary in summaries_of(judgements):
        table.add_row(summary.claim.number, summary.claim.says, verdict_text(summary), subjects_text(summary))
    return table


def claims_markdown(judgements: Sequence[ClaimJudgement], *, numbers: Sequence[str] = ()) -> str:
    """One row a claim, those that start with one of `numbers`: the sentence, the verdict, and what was found."""
    lines = ["| claim | verdict | what was found |", "| --- | --- | --- |"]
    for summary in summaries_of(judgements):
        if not numbers or any(_is_of(summary.claim, number) for number in numbers):
            what = f"{summary.claim.number}. {summary.claim.says} ({summary.claim.source})"
            lines.append(f"| {what} | **{verdict_text(summary)}** | {sentence_of(summary)} |")
    return "\n".join(lines)


def _is_of(claim: PaperClaim, number: str) -> bool:
    return claim.number.rstrip("abcdef") == number


def verdict_text(summary: ClaimSummary) -> str:
    """The verdict of all subjects; `not measured` where there are none."""
    return summary.verdict or "not measured"


def subjects_text(summary: ClaimSummary) -> str:
    """`reproduced for a and b; cannot tell for c`; `reproduced for all 6`; `needs sweep` where nothing was measured."""
    if not summary.judgements:
        return f"needs {summary.claim.needs}"
    parts = []
    for verdict in CLAIM_VERDICTS:
        names = [each.subject for each in summary.judgements if each.verdict == verdict]
        if len(names) == len(summary.judgements) > 1:
            return f"{verdict} for all {len(names)}"
        if names:
            parts.append(f"{verdict} for {listed(names)}")
    return "; ".join(parts)


def sentence_of(summary: ClaimSummary) -> str:
    """For which subjects it is reproduced, what was measured, and each one's statistic, interval and p-value."""
    if not summary.judgements:
        return f"Not measured: needs {summary.claim.needs}."
    told = subjects_text(summary)
    found = "; ".join(statistic_text(each) for each in summary.judgements)
    return f"{told[0].upper()}{told[1:]}. Measured: {summary.claim.measured}. {found}."


def statistic_text(judgement: ClaimJudgement) -> str:
    """`fashion-vit 12.6 points (6.7 to 18.5), p 0.002, n 1,000`; counted values have no interval."""
    value, unit = judgement.statistic, judgement.claim.unit
    unit = f" {unit}" if unit else ""
    if judgement.p_holm is None:
        return f"{judgement.subject} {number_text(value.rate)}{unit}"
    tested = f"p {p_text(judgement.p_holm)}, n {judgement.n:,}"
    if math.isnan(value.rate):
        return f"{judgement.subject} not known, {tested}"
    limits = f"{number_text(value.low)} to {number_text(value.high)}"
    return f"{judgement.subject} {number_text(value.rate)}{unit} ({limits}), {tested}"


def number_text(value: float) -> str:
    """Three digits, as `12.6`, `0.018`, `1,230`."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "-"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def p_text(p: float) -> str:
    """`0.012`; `under 0.0001`."""
    return "under 0.0001" if p < 0.0001 else f"{p:.2g}"


def family_text(judgements: Sequence[ClaimJudgement]) -> str:
    """How many tests the p-values are corrected for, in a sentence."""
    family = max((each.family for each in judgements), default=0)
    exact = sum(each.p_holm is None for each in judgements)
    return (
        f"Intervals are of 95 %, each for itself. p-values are two-sided and corrected by Holm for all {family} tests "
        f"of models and claims together; {exact} judgements are of counted operations or formulae and need none."
    )


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
