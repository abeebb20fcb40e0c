"""Kernels for int8 arithmetic: exact products, write-back and checks, shared by operators and deployed models.

Deployed models call it as `torch.ops.radhard.*`; importing this package is what loading one takes. Operators call the
same functions beneath, without torch's dispatcher, which costs some 10 microseconds a product. The package imports
torch and nothing else of this project but its words and errors; numba is used where it is installed.
"""

from radhard.kernels import blocks, conv2d, linear, matmul, ranges, votes
from radhard.kernels import look_up as words
from radhard.kernels.events import EVENTS, Events
from radhard.kernels.library import AlarmPolicy
from radhard.kernels.sums import SummedWeight, examine, store

__all__ = [
    "EVENTS",
    "AlarmPolicy",
    "Events",
    "SummedWeight",
    "blocks",
    "conv2d",
    "examine",
    "linear",
    "matmul",
    "ranges",
    "store",
    "votes",
    "words",
]
