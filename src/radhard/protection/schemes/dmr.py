"""Dual modular redundancy (DMR): an operator runs twice, its words are compared, and a third run decides.

An image in which a word differs is executed once more; of each word that differed, the value that two of the three runs
agree on is taken. Where all three differ the word is uncorrected, and the first run's. The first run is the operator
with the faults of its site; the others have sites, and faults, of their own. All NaN are one. Two runs that are wrong
alike pass.
"""

from dataclasses import dataclass

from torch import Tensor

from radhard.kernels.bits import bits
from radhard.kernels.events import Events
from radhard.kernels.votes import voted
from radhard.machine import Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.cost.models import Overhead, exposed_bits, probability
from radhard.protection.cost.operations import Operations
from radhard.protection.forms import Form, NoForm
from radhard.protection.schemes.registry import scheme
from radhard.words import Words, canonical


@scheme("dmr", about="Two runs of any operator; where they differ, a third run of the image.", takes="any operator")
@dataclass(frozen=True, kw_only=True)
class Dmr:
    """Costs one run where nothing is wrong, two where something is."""

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """Two runs, a comparison, and where they differ a third."""
        first, second = application.compute_first(), checks.copy(2)
        a, b = bits(canonical(first)), bits(canonical(second))
        differ = a != b
        found, images = int(differ.count_nonzero()), int((application.site.per_image(differ) > 0).sum())
        checks.count(cmp=a.numel() + 2 * found)  # the third with both
        checks.note(Events(checks=a.numel(), alarms=images, flagged=found))
        if not found:
            return checks.loaded("vote", first)
        c = bits(canonical(checks.copy(3, images=images)))
        third = voted(a, b, c.where(differ, a), by="word")
        checks.note(Events(recomputed=found - third.undecided, uncorrected=third.undecided))
        return checks.loaded("vote", third.words.view(first.dtype))

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead:
        """A second run of a product, and a third where a fault hit either; two comparisons more a word in doubt."""
        outputs, bits_ = shape.m * shape.n, exposed_bits(shape, words, first=True)
        run = Operations(mul=shape.volume, add=outputs * (shape.terms - 1))
        hit = probability(2 * bits_, ber=ber)
        doubt = outputs * probability(2 * bits_ / outputs, ber=ber)
        return Overhead(
            detection=run + Operations(cmp=outputs),
            recovery=run.times(hit) + Operations(cmp=2 * doubt),
            faulty=hit,
            block_faulty=hit,
            flips=ber * bits_,
        )

    @property
    def deployed(self) -> Form:
        """None."""
        return NoForm(
            reason="a third run that only some images need would make the time of a batch depend on its faults; tmr, "
            "whose time does not, is deployed"
        )
