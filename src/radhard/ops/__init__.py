"""The operators of deployed models, `torch.ops.radhard.*`: importing this package is what loading one takes.

It imports torch and nothing else of this project but its words and errors; numba is used where it is installed.
"""

from radhard.ops import conv2d, linear, matmul, ranges, votes, words
from radhard.ops.library import EVENTS, Policy
from radhard.ops.sums import Stored, examine, store

__all__ = ["EVENTS", "Policy", "Stored", "conv2d", "examine", "linear", "matmul", "ranges", "store", "votes", "words"]
