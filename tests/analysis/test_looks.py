"""Intervals of several rates together: each at its share of the 5 % (Bonferroni), at the end and at any look."""

import numpy as np
import pytest

from radhard.analysis.confidence_sequences import factor_at_any_look, share_at_any_look
from radhard.analysis.factor import factor, simultaneous_z
from radhard.analysis.intervals import clustered
from radhard.analysis.looks import AT_ANY_LOOK, AT_THE_END

TRIALS = np.full(60, 4)
HITS, PLAIN = np.arange(60) % 5, np.arange(60) % 3


@pytest.mark.parametrize("together", [1, 8])
def test_of_several_together_each_has_its_share_of_what_may_be_missed(together: int) -> None:
    alpha, z = 0.05 / together, simultaneous_z(together)
    looked, ended = AT_ANY_LOOK, AT_THE_END
    assert looked.share(HITS, trials=TRIALS, together=together) == share_at_any_look(HITS, trials=TRIALS, alpha=alpha)
    found = looked.factor(HITS, plain=PLAIN, trials=TRIALS, together=together)
    assert found == factor_at_any_look(HITS, plain=PLAIN, trials=TRIALS, alpha=alpha)
    share, own = ended.share(HITS, trials=TRIALS, together=together), clustered(HITS, trials=TRIALS, z=z)
    assert (share.low, share.high) == pytest.approx((own.low, own.high), rel=1e-12)
    of_two = ended.factor(HITS, plain=PLAIN, trials=TRIALS, together=together)
    own = factor(HITS, plain=PLAIN, trials=TRIALS, z=z)
    assert (of_two.low, of_two.high) == pytest.approx((own.low, own.high), rel=1e-12)


def test_more_together_are_wider() -> None:
    for one in (AT_ANY_LOOK, AT_THE_END):
        assert one.share(HITS, trials=TRIALS, together=8).width > one.share(HITS, trials=TRIALS).width
        wide = one.factor(HITS, plain=PLAIN, trials=TRIALS, together=8)
        assert wide.width > one.factor(HITS, plain=PLAIN, trials=TRIALS).width
