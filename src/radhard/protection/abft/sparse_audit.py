"""The comparisons of `audit` where they cost what faults touch: stored sums of a weight that are those of the weight.

Only a flip in an addition makes one of them fail.
"""

import numpy as np
from torch import Tensor

from radhard.kernels.events import Events
from radhard.machine.site import Column
from radhard.protection.abft.sparse_products import SparseProducts


def audit_total(found: SparseProducts, *, at: Tensor) -> None:
    """Compare the stored sums over all columns, of products `at` [f], with those over blocks."""
    if found.stored is None or not len(at):
        return
    g, checks, terms, blocks = at.numpy(), found.checks, found.shape.terms, found.columns

    def sums(index: Column) -> tuple[Column]:
        f, t = np.divmod(index, terms)
        return (found.beta[g[f] % found.sound.h, :, t],)

    entries = found.everyone.only(at)
    index, delta = checks.struck("audit/all", "sum", sums, entries, grid=(1, terms), width=blocks)
    checks.count(cmp=len(g) * terms)
    checks.note(Events(corrupted=len(np.unique(index[delta != 0] // terms))))


def audit_blocks(found: SparseProducts, *, at: tuple[Tensor, Tensor]) -> None:
    """Make the stored sums of blocks of columns once more, those `at` some products and places."""
    if found.stored is None:
        return
    count, checks, k, step = found.columns, found.checks, found.shape.k, found.block.n
    pairs = (at[0] * count + at[1]).unique()
    last = pairs % count == count - 1
    for part in (pairs[~last], pairs[last]):
        if not len(part):
            continue
        g, j = (part // count).numpy(), (part % count).numpy()
        width = min(step, found.shape.n - int(j[0]) * step)

        def columns(index: Column, g: Column = g, j: Column = j, width: int = width) -> tuple[Column]:
            f, t = np.divmod(index[:, None], k)
            found_words: Column = found.sound.b[g[f] % found.sound.h, j[f] * step + np.arange(width), t].astype(
                np.int64
            )
            return (found_words,)

        entries = found.everyone.inner(part // count, part % count, count)
        index, delta = checks.struck(f"audit/{width}", "sum", columns, entries, grid=(1, k), width=width)
        checks.count(cmp=len(part) * k)
        checks.note(Events(corrupted=len(np.unique(index[delta != 0] // k))))
