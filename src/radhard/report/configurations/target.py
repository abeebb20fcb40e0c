"""The verdicts on plans from evaluation images, in sentences."""

from radhard.analysis.judging import TargetCheck
from radhard.report.configurations.quality import points_of
from radhard.report.configurations.table import fixed


def target_line(check: TargetCheck) -> str:
    """`plan for BER 1e-08, at most 2 points lost: met: at most 1.30 are lost (one-sided 95 % limit on 900 images)`."""
    limit, on = check.limit, f"{check.images:,} images"
    points = points_of(labelled=check.labelled)
    target = f"plan for BER {check.ber:.3g}, at most {100 * check.target:g} {points} lost"
    by = f"(one-sided {100 * limit.level:g} % limit on {on})"
    if check.verdict == "met":
        return f"{target}: met: at most {fixed(limit.high)} are lost {by}"
    if check.verdict == "not met":
        return f"{target}: not met: at least {fixed(limit.low)} are lost {by}"
    return (
        f"{target}: cannot tell: {fixed(check.loss)} were lost on {on}, in truth {fixed(limit.low)} to "
        f"{fixed(limit.high)} (one-sided {100 * limit.level:g} % limits)"
    )
