"""Standard ABFT as Xue et al. use it: one check of the whole product; an alarm corrects one word."""

from dataclasses import dataclass

from torch import Tensor

from radhard.kernels.events import Events
from radhard.machine import Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.detected import Detected, detected
from radhard.protection.abft.recovery import recover
from radhard.protection.cost.models import Overhead, correct, exposed_bits, probability, residuals
from radhard.protection.cost.models import detect as detection
from radhard.protection.cost.shape import Block
from radhard.protection.forms import BlockCheck, Form
from radhard.protection.schemes.registry import scheme
from radhard.words import Words


@scheme("standard-abft", about="One check of the whole product; an alarm corrects one word.")
@dataclass(frozen=True, kw_only=True)
class StandardAbft:
    """LB-ABFT with one block, in which several faulty words are left, and no check of the repair."""

    def protect(self, application: ProtectedApplication, checks: Checks) -> Tensor:
        """Detection, then row and column sums of the products that it found faulty."""
        return recover_one(checks, found=detect_whole(application, checks))

    def expected(self, shape: Shape, *, ber: float, words: Words) -> Overhead:
        """By the exact model, with at most one faulty word in the product."""
        bits = exposed_bits(shape, words, first=True)
        hit = probability(bits, ber=ber)
        return Overhead(
            detection=detection(shape, Block(m=shape.m, k=shape.k, n=shape.n)),
            recovery=(residuals(shape, first=True) + correct(alone=True)).times(hit),
            faulty=hit,
            block_faulty=hit,
            flips=ber * bits,
        )

    @property
    def deployed(self) -> Form:
        """The whole product as one block."""
        return BlockCheck()


def detect_whole(application: ProtectedApplication, checks: Checks) -> Detected:
    """Check each product as one block."""
    shape = application.products.shape
    return detected(application, checks, block=Block(m=shape.m, k=shape.k, n=shape.n))


def recover_one(checks: Checks, *, found: Detected) -> Tensor:
    """Put one word right in each product with an alarm, and write all of them back."""
    if not len(found.alarmed):
        return found.written()
    checks.note(Events(flagged=len(found.alarmed)))
    correction = found.as_blocks()
    found.audit(recover(correction, policy="leave", retries=0))
    return correction.written()
