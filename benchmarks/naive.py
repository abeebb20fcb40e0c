"""A linear layer with faults the plain way: every product and every running sum is a tensor element.

What operation-level injectors do, with the project's exact rules, as a reference for speed and for the law.
"""

import numpy as np
import torch
from torch import Tensor

from radhard.faults import Flips
from radhard.machine import KINDS
from radhard.words import Int, flip_mask

PRODUCT, ACCUMULATOR = Int(16), Int(32)


def draw_naive(m: int, k: int, n: int, *, ber: float, generator: np.random.Generator) -> Flips:
    """Binomial counts and uniform distinct positions for the m n k products and m n (k - 1) sums of a GEMM."""
    columns: dict[str, list[np.ndarray]] = {"kind": [], "index": [], "bit": []}
    for kind, words, word in (("mul", m * n * k, PRODUCT), ("add", m * n * (k - 1), ACCUMULATOR)):
        count = generator.binomial(words * word.bits, ber)
        position = np.unique(generator.integers(0, words * word.bits, size=count))
        columns["kind"].append(np.full(len(position), KINDS.index(kind)))
        columns["index"].append(position // word.bits)
        columns["bit"].append(position % word.bits)
    joined = {name: np.concatenate(parts).astype(np.int64) for name, parts in columns.items()}
    zeros = np.zeros(len(joined["bit"]), np.int64)
    return Flips(sites=("gemm",), image=zeros, site=zeros, **joined)


def linear_naive(a: Tensor, b: Tensor, flips: Flips) -> Tensor:
    """a [m, k] int8, b [n, k] int8 -> [m, n] int32 under `flips`, every word of it materialised."""
    (m, k), n = a.shape, b.shape[0]
    products = (a[:, None, :].to(torch.int16) * b[None, :, :].to(torch.int16)).view(-1)
    of_products = flips.kind == KINDS.index("mul")
    where = torch.from_numpy(flips.index[of_products])
    masks = torch.ones_like(where) << torch.from_numpy(flips.bit[of_products])
    for place, mask in zip(where, masks, strict=True):
        products[place] = flip_mask(products[place], mask, PRODUCT)
    sums = products.view(m * n, k).cumsum(1, dtype=torch.int32)
    of_sums = np.flatnonzero(flips.kind == KINDS.index("add"))
    for place in of_sums[np.argsort(flips.index[of_sums], kind="stable")]:
        chain, t = divmod(int(flips.index[place]), k - 1)
        before = sums[chain, t + 1].clone()
        after = flip_mask(before, torch.tensor(1 << int(flips.bit[place])), ACCUMULATOR)
        sums[chain, t + 1 :] += after - before
    return sums[:, -1].view(m, n)
