"""A scheme that no file of the package knows: three runs, and of each word the one in the middle."""

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from radhard.json_record import Least
from radhard.kernels.events import Events
from radhard.machine import Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.cost.models import Overhead
from radhard.protection.cost.operations import Operations
from radhard.protection.forms import Form, NoForm, Vote
from radhard.protection.schemes.options import check_options
from radhard.protection.schemes.registry import scheme
from radhard.words import Words


@scheme("toy-median", about="Three runs of any operator, and of each word the median.", takes="any operator")
@dataclass(frozen=True, kw_only=True)
class ToyMedian:
    """Words that are further apart than `spread` are flagged; a toy with a spread is not deployed."""

    spread: Annotated[int, Least(0), "How far the words of two runs may be apart."] = 0

    def __post_init__(self) -> None:
        check_options(self)

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """Three runs, and two comparisons a word."""
        runs = torch.stack([application.compute(), checks.copy(2), checks.copy(3)])
        found = int((runs.amax(0).double() - runs.amin(0).double() > self.spread).sum())
        checks.count(cmp=2 * runs[0].numel())
        checks.note(Events(checks=runs[0].numel(), flagged=found, repaired=found))
        return runs.median(0).values

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead:
        """Two more runs, whatever happens."""
        del ber, words
        outputs = shape.m * shape.n
        cost = Operations(mul=2 * shape.volume, add=2 * outputs * (shape.terms - 1), cmp=2 * outputs)
        return Overhead(detection=cost, recovery=Operations(), faulty=0.0, block_faulty=0.0, flips=0.0)

    @property
    def deployed(self) -> Form:
        """Of three words that are equal but for one, the median is the one that two have."""
        return Vote(by="word") if not self.spread else NoForm(reason="a vote knows no spread between the words")
