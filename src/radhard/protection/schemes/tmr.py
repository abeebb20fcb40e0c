"""Triple modular redundancy (TMR): an operator runs three times, and its words are decided by vote.

The first copy is the operator with the faults of its site; the others have sites, and faults, of their own. A word vote
takes the word that two copies agree on, and the first copy's where all differ. A bitwise vote takes each bit that two
copies agree on, (a and b) or (c and (a xor b)): four logic operations a word, counted as comparisons. All NaN are one.
A word in which all three copies differ is uncorrected, whichever the vote: nothing says that it is right.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from torch import Tensor

from radhard.kernels.bits import bits
from radhard.kernels.votes import voted
from radhard.machine import Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.cost.models import Overhead, exposed_bits, probability
from radhard.protection.cost.operations import Operations
from radhard.protection.forms import Form, Vote
from radhard.protection.schemes.options import check_options
from radhard.protection.schemes.registry import Spelling, scheme
from radhard.words import Words, canonical

VoteBy = Literal["word", "bitwise"]


@scheme(
    "tmr",
    about="Three runs of any operator, and a vote on words or on single bits.",
    takes="any operator",
    spellings=(Spelling(name="tmr", defaults={"vote": "bitwise"}),),
)
@dataclass(frozen=True, kw_only=True)
class Tmr:
    """Protects any operator. The word that the voter yields is exposed as one that is loaded is."""

    vote: Annotated[VoteBy, "Vote on whole words, or on each bit."] = "word"

    def __post_init__(self) -> None:
        check_options(self)

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """Three copies, one vote."""
        first, second, third = application.compute_first(), checks.copy(2), checks.copy(3)
        a, b, c = (bits(canonical(x)) for x in (first, second, third))
        found = voted(a, b, c, by=self.vote)
        if self.vote == "bitwise":
            checks.count(cmp=4 * a.numel())
        else:  # these first; c only where they differ
            checks.count(cmp=a.numel() + 2 * int((a != b).count_nonzero()))
        checks.note(found.events(alarms=int((application.site.per_image(found.differ) > 0).sum())))
        return checks.loaded("vote", found.words.view(first.dtype))

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead:
        """Two copies more of a product, and the vote, which asks the third copy where the others differ."""
        outputs, bits = shape.m * shape.n, exposed_bits(shape, words, first=True)
        asked = outputs * probability(2 * bits / outputs, ber=ber) if self.vote == "word" else 0.0
        hit = probability(bits, ber=ber)
        return Overhead(
            detection=Operations(
                mul=2 * shape.volume,
                add=2 * outputs * (shape.terms - 1),
                cmp=outputs if self.vote == "word" else 4 * outputs,
            ),
            recovery=Operations(cmp=2 * asked),
            faulty=hit,
            block_faulty=hit,
            flips=ber * bits,
        )

    @property
    def deployed(self) -> Form:
        """Three runs and the same vote."""
        return Vote(by=self.vote)
