"""Stopping rules: when the trials of a setting suffice."""

from dataclasses import dataclass

from radhard.analysis.looks import AT_ANY_LOOK
from radhard.campaign.outcomes import Tally
from radhard.errors import InputError


@dataclass(frozen=True, kw_only=True)
class UntilWidth:
    """Stop when the 95 % interval of the accuracy is at most `width` wide, in (0, 1].

    The interval is that of a confidence sequence, which holds after every trial at once: a look after each one does not
    make it too sure of itself. More trials narrow what the faults leave open, not what the choice of images does: an
    interval may never get so narrow, and the campaign's number of trials is the limit.
    """

    width: float

    def __post_init__(self) -> None:
        if not 0 < self.width <= 1:
            raise InputError(f"width {self.width} is not that of an interval of accuracy: give one in (0, 1]")

    @property
    def name(self) -> str:
        """`width 2 points`."""
        return f"width {100 * self.width:g} points"

    def reached(self, tally: Tally) -> bool:
        """Whether the interval is narrow enough."""
        return AT_ANY_LOOK.share(tally.correct, trials=tally.trials).width <= self.width
