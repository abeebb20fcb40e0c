"""`Faults`: a frozen value (rate or count, seed, kinds, selection) from which every flip of a run follows."""

import math
from dataclasses import dataclass, field
from typing import Any

from radhard.errors import InputError
from radhard.faults.where import EVERYWHERE, Where
from radhard.machine import KINDS, Kind
from radhard.words import Int, Words

MOST_FLIPS = 1_000_000
"""Flips an inference: more are a matter of a rate."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """Every exposed bit of every word that an operation of `kinds` yields at `where` flips with probability `ber`.

    With `flips` in place of `ber`, exactly so many distinct bits flip in each inference of an image, drawn uniformly
    from all that are exposed. They are operations of the model: those of checks and of redundant copies are not hit.

    `seed` and `trial` key the random numbers; nothing else but the image and the site enters them. `words` are
    those of integer matrix products; other words have the format of their tensors. Raises InputError for a
    value that a field does not allow.

    >>> import radhard as rh
    >>> rh.Faults(ber=1e-6, kinds={"mul"}, seed=7).kinds
    frozenset({'mul'})
    >>> rh.Faults(flips=1).flips
    1
    """

    ber: float = math.nan
    kinds: frozenset[Kind] = frozenset({"mul", "add"})
    where: Where = EVERYWHERE
    seed: int = 0
    trial: int = 0
    words: Words = field(default_factory=Words)
    flips: int = 0

    def __post_init__(self) -> None:
        if self.flips:
            self._check_flips()
        if isinstance(self.ber, bool) or not isinstance(self.ber, int | float) or math.isnan(self.ber):
            raise InputError(
                f"ber={self.ber!r}: the bit error rate is a number from 0 to 1; flips=1 asks for one flip an inference"
            )
        if not 0.0 <= self.ber <= 1.0:
            raise InputError(f"ber={self.ber}: the bit error rate is a probability, from 0 to 1")
        given: object = self.kinds
        if isinstance(given, str):
            raise InputError(f"kinds={given!r}: give a set of kinds, kinds={{{given!r}}}")
        object.__setattr__(self, "kinds", frozenset(self.kinds))
        if unknown := sorted(self.kinds - set(KINDS)):
            raise InputError(f"kinds: {unknown[0]!r} is not a kind of operation; choose from {', '.join(KINDS)}")
        if not self.kinds:
            raise InputError(f"kinds is empty: nothing could flip; choose from {', '.join(KINDS)}")
        for name, value, bits in (("seed", self.seed, 64), ("trial", self.trial, 32)):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
                raise InputError(f"{name}={value}: give an integer from 0 to 2**{bits} - 1")
        if not isinstance(self.where, Where):
            raise InputError(f"where={self.where!r}: give a radhard.Where, such as Where(sites=('head',))")
        if not isinstance(self.words, Words):
            raise InputError(f"words={self.words!r}: give a radhard.Words, such as Words(product=Int(16))")
        check_words(self.words)

    def _check_flips(self) -> None:
        if isinstance(self.flips, bool) or not isinstance(self.flips, int) or not 1 <= self.flips <= MOST_FLIPS:
            raise InputError(f"flips={self.flips!r}: give a number of flips an inference, from 1 to {MOST_FLIPS:,}")
        if self.ber == self.ber and self.ber != 0:  # given, and not NaN
            raise InputError(f"ber={self.ber} with flips={self.flips}: give a rate or a count, not both")
        object.__setattr__(self, "ber", 0.0)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; `flips` in place of `ber` where a count was given."""
        return {
            **({"flips": self.flips} if self.flips else {"ber": self.ber}),
            "kinds": sorted(self.kinds),
            "where": self.where.as_dict(),
            "seed": self.seed,
            "trial": self.trial,
            "words": self.words.as_dict(),
        }


def check_words(words: Words) -> None:
    """Raise InputError unless products of 8-bit words and int32 running sums live in these words without loss."""
    if not 16 <= words.product.bits <= 32:
        raise InputError(
            f"words: product={words.product.name} cannot hold a product of two 8-bit words; use 16 to 32 bits, and "
            "int16[0:8] to expose only the low eight"
        )
    if words.accumulator != Int(32, words.accumulator.exposed):
        raise InputError(
            f"words: accumulator={words.accumulator.name}; integer back ends accumulate in 32 bits: use int32, or "
            "int32[0:24] to expose only the low 24"
        )
