"""The section of the paper's claims, judged from the results."""

from collections.abc import Sequence

from radhard.analysis.claims.claims import claims_of, summaries_of
from radhard.campaign.results import KeptResult
from radhard.report.claims import sentence_of, verdict_text
from radhard.report.page.records import record_of, selection_of
from radhard.report.page.section import PageCell, PageTable, Section


def claims_section(results: Sequence[KeptResult]) -> Section | None:
    """Each claim with its verdict and statistic, from results of whole models; None where none judges any."""
    judgements = claims_of([record_of(kept) for kept in results if not selection_of(kept)])
    if not judgements:
        return None
    found = [summary for summary in summaries_of(judgements) if summary.judgements]
    others = len(summaries_of(judgements)) - len(found)
    rows = tuple(
        (
            PageCell(text=summary.claim.number),
            PageCell(text=f"{summary.claim.says} ({summary.claim.source})"),
            PageCell(text=verdict_text(summary)),
            PageCell(text=sentence_of(summary)),
        )
        for summary in found
    )
    return Section(
        key="claims",
        title="The paper's claims",
        lines=(
            "Claims of Soft Error Reliability Analysis of Vision Transformers (Xue et al., 2023), judged from these "
            f"results. P-values are corrected by Holm's method; {others} claims need results that are not here.",
        ),
        parts=(PageTable(title="Verdicts", columns=("claim", "the paper says", "verdict", "found"), rows=rows),),
    )
