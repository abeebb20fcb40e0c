"""Rounding bounds of float checks, from the variances of sums and dot products.

Each operation that yields a float yields it times 1 + d. As in the model of Higham and Mary (*A new approach to
probabilistic rounding error analysis*, SIAM J. Sci. Comput. 41, 2019) the d are independent with mean 0. An error that
is uniform over half a unit in the last place either way has, relative to its word, a variance of at most
v = u^2 / 3, u the unit roundoff: 2^-24 of float32, 2^-8 of bfloat16.

A chain of terms x_1 ... x_k, added one after the other in float32, is off by the d of its running sums s_t:

    variance = v sum_t s_t^2,   and for terms in random order   E s_t^2 <= (t / k)^2 s_k^2 + (t / k) sum_t x_t^2
             = v (run / 3 s_k^2 + run / 2 sum_t x_t^2),   run = k

If x_t is itself a product, its rounding adds v x_t^2. So of a word of C = A B, with p_t = a_t b_t,

    variance of C_ij = v (run / 3 C_ij^2 + (run / 2 + 1) sum_t a_it^2 b_tj^2)  (+ v' C_ij^2, written as bfloat16)

and of a row of it, over j: the squares of the row of A times the sums over j of the squares of B, which are stored for
a weight as its sums are. Nothing is assumed of the distributions of A and B, as their means and variances would do:
V-ABFT (*Variance-based adaptive thresholds*, 2026) takes the means, extremes and variances of both, and a constant
of the device that is measured, where this takes the second moments themselves and the unit roundoff. A device that adds
in several partial sums side by side, `lanes`, has shorter chains; 1 is right, if wide, of any.

Rounding errors are not always independent. Factors in bfloat16 have 128 significands; where one term outweighs the
others in all words of a row, these are few different ones with few different errors, and the mean of n errors does not
fall as the root of n. So a row that sums to S has also v' S^2 / 64, an allowance of ours: as if half the significands
occurred. It is small where the words of a row cancel. Words that are all alike are all rounded alike, and their errors
add up to n times that of one: the bound does not cover this, nor a device that cuts words off instead of rounding.
"""

import math
from dataclasses import dataclass

import torch

UNIT = 2.0**-24  # unit roundoff of float32
VARIANCE = UNIT * UNIT / 3
_SIGNIFICANDS = 64
_WRITTEN = {torch.float32: 0.0, torch.bfloat16: 2.0**32}  # u^2 of the words of an output, in those of float32


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """Variances in units of v of float32, on a device that adds in so many `lanes`."""

    lanes: int = 1

    def run(self, terms: int) -> int:
        """Additions that lie one behind the other where so many terms are added up."""
        return terms if self.lanes == 1 else min(terms, -(-terms // self.lanes) + self.lanes)

    def of_terms(self, terms: int) -> float:
        """What a sum of terms has of the sum of their squares."""
        return self.run(terms) / 2

    def of_total(self, terms: int) -> float:
        """What it has of its own square."""
        return self.run(terms) / 3

    def written(self, dtype: torch.dtype) -> float:
        """What a word of `dtype` has of its own square from being written back."""
        return _WRITTEN[dtype]

    def written_alike(self, dtype: torch.dtype) -> float:
        """What a sum of such words has of its own square, from errors that they share."""
        return _WRITTEN[dtype] / _SIGNIFICANDS


def per_deviation(deviations: float) -> float:
    """The factor that turns what a check is off by into so many standard deviations, before the bound's root."""
    return 1.0 / (deviations * math.sqrt(VARIANCE))
