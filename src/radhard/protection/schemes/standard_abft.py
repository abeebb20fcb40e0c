"""Standard ABFT as Xue et al. use it: one check of the whole product; an alarm corrects one word."""

from dataclasses import dataclass

from torch import Tensor

from radhard.kernels.events import Events
from radhard.machine import Shape
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.audit import audit_total
from radhard.protection.abft.checks import Checks
from radhard.protection.abft.correction import Correction
from radhard.protection.abft.detection import Detection, FlaggedBlocks, Suspects, detect
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
        return recover_one(application, checks, found=detect_whole(application, checks))

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


def detect_whole(application: ProtectedApplication, checks: Checks) -> Detection:
    """Check each product as one block."""
    shape = application.products.shape
    return detect(application, checks, block=Block(m=shape.m, k=shape.k, n=shape.n))


def recover_one(application: ProtectedApplication, checks: Checks, *, found: Detection) -> Tensor:
    """Put one word right in each product with an alarm, and write all of them back."""
    if not len(found.alarmed):
        return application.write(found.total)
    zero = found.alarmed.new_zeros(len(found.alarmed))
    faulty = FlaggedBlocks(g=found.alarmed, i=zero, q=zero, j=zero)
    checks.note(Events(flagged=len(found.alarmed)))
    suspects = Suspects(flagged=faulty, actual=found.tiles, expected=found.whole[:, None, None, None])
    correction = Correction(application, checks, found=found, suspects=suspects)
    audit_total(application, checks, at=recover(correction, policy="leave", retries=0), sums=found.right)
    return application.write(correction.total)
