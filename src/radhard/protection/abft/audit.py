"""Compares stored checksums with their weight, where a mismatch has no cause in the output.

Then the checksums are wrong, or the weight is no longer theirs. What is corrupted is noted, and nothing is changed.
"""

from torch import Tensor

from radhard.kernels.events import Events
from radhard.kernels.sums import BlockSums
from radhard.machine.operator import GATHERED_AT_ONCE
from radhard.protection.abft.application import ProtectedApplication
from radhard.protection.abft.checks import Checks

Pairs = tuple[Tensor, Tensor]  # products [f], and blocks of columns of these [f]


def audit_blocks(application: ProtectedApplication, checks: Checks, *, at: Pairs, sums: BlockSums, step: int) -> None:
    """Make the stored `sums` of blocks of `step` columns once more, those `at` some products and places."""
    x, count = application.products, sums.blocks.shape[1]
    if not x.stored:
        return
    pairs = (at[0] * count + at[1]).unique()
    last = pairs % count == count - 1  # the one block that may be narrower
    for some in (pairs[~last], pairs[last]):
        for part in some.split(max(1, GATHERED_AT_ONCE // (step * x.shape.k))):
            if len(part):
                _audit(application, checks, at=(part // count, part % count), sums=sums, step=step)


def _audit(application: ProtectedApplication, checks: Checks, *, at: Pairs, sums: BlockSums, step: int) -> None:
    """The same of blocks of equal widths."""
    x, (g, j) = application.products, at
    width = min(step, x.shape.n - int(j[0]) * step)
    columns = x.b.unfold(1, width, 1)[g % len(x.b), j * step].mT.long()  # [f, width, k]
    entries = application.entries.inner(g, j, sums.blocks.shape[1])
    again = checks.sums(f"audit/{width}", columns, dim=1, step=width, entries=entries)[:, 0]
    wrong = checks.differ(again, sums.blocks[g, j, : x.shape.k])
    checks.note(Events(corrupted=int(wrong.any(1).sum())))


def audit_total(application: ProtectedApplication, checks: Checks, *, at: Tensor, sums: BlockSums) -> None:
    """Compare the stored sums over all columns, of products `at` [f], with those over blocks."""
    if not application.products.stored or not len(at):
        return
    blocks, entries = sums.blocks[at], application.entries.only(at)
    again = checks.sums("audit/all", blocks, dim=1, step=blocks.shape[1], entries=entries)[:, 0]
    checks.note(Events(corrupted=int(checks.differ(again, sums.all[at]).any(1).sum())))
