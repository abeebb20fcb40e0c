"""The stored trials of one setting, added up, and why there are no more."""

from dataclasses import dataclass

from radhard.campaign.experiment import Campaign, Setting
from radhard.campaign.outcomes import Tally, add, empty_tally
from radhard.campaign.store import Store

ALL_TRIALS = "trials"
INCOMPLETE = "incomplete"


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """The `tally` of a setting's first `trials` trials.

    `ended` says why there are no more: "trials" (all are done), the name of the campaign's stop rule, or
    "incomplete" if units are missing.
    """

    tally: Tally
    trials: int
    ended: str


def count(campaign: Campaign, setting: Setting, *, store: Store) -> Counted:
    """Add up a setting's trials in order, up to the one after which the stop rule is reached."""
    tally, trials, complete = empty_tally(campaign.images), 0, True
    for trial in range(campaign.trials_of(setting)):
        outcomes = [(unit.start, store.outcome(unit)) for unit in campaign.units(setting, trial)]
        found = [(start, outcome) for start, outcome in outcomes if outcome is not None]
        for start, outcome in found:
            tally = add(tally, outcome, start=start)
        trials += bool(found)
        complete &= len(found) == len(outcomes)
        if complete and not setting.clean and campaign.stop is not None and campaign.stop.reached(tally):
            return Counted(tally=tally, trials=trials, ended=campaign.stop.name)
    return Counted(tally=tally, trials=trials, ended=ALL_TRIALS if complete else INCOMPLETE)
