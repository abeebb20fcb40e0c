"""Tile sizes of the integer product, by shape.

Where several stand, a large product is made with each of them once, and then with the fastest; others with the first.
`benchmarks/gpu/tune.py` times them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Config:
    """A program makes `rows` x `columns` outputs, `depth` products at a time, `stages` of them on their way.

    Programs run in bands of `band` tiles of rows, which share columns while these are in the L2 cache. `described`:
    tiles of operands are loaded by descriptors, of one product whose sizes and rows 16 divides. With at most so many
    `registers` a thread, more programs are at work beside each other: one multiplies while another writes.
    `persistent`: so many programs on each multiprocessor make one described tile after another; 0: a tile, a program.
    """

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int
    band: int = 8
    described: bool = False
    registers: int | None = None
    persistent: int = 0


PLAIN = Config(rows=128, columns=128, depth=128, warps=4, stages=3)
STAYING = Config(rows=128, columns=128, depth=128, warps=4, stages=3, described=True, persistent=2)
WEIGHT = (  # a linear layer of many rows
    STAYING,
    Config(rows=128, columns=128, depth=128, warps=4, stages=2, described=True, persistent=3, registers=168),
    PLAIN,
)
SCORES = (  # Q K^T: short chains
    Config(rows=64, columns=256, depth=64, warps=4, stages=1),
    Config(rows=64, columns=256, depth=64, warps=4, stages=1, registers=168),
    Config(rows=128, columns=128, depth=64, warps=8, stages=1),
    Config(rows=64, columns=128, depth=64, warps=4, stages=1),
)
VALUES = (  # A V: few columns, and all of k at once or half of it
    Config(rows=128, columns=64, depth=256, warps=4, stages=1),
    Config(rows=128, columns=64, depth=256, warps=8, stages=1, registers=128),
    Config(rows=128, columns=64, depth=128, warps=8, stages=1),
    Config(rows=64, columns=64, depth=128, warps=4, stages=2),
)
SCATTERED = Config(rows=128, columns=64, depth=32, warps=4, stages=1)  # the same where rows are read byte by byte
SMALL = Config(rows=64, columns=64, depth=64, warps=4, stages=3)  # whatever is left, and devices with little memory
TINY = Config(rows=16, columns=16, depth=32, warps=1, stages=1)  # for Triton's interpreter


def configs_of(g: int, m: int, n: int, k: int, *, aligned: bool) -> tuple[Config, ...]:
    """Block sizes for g products of m x k and k x n; `aligned`: rows of both operands begin at 16 bytes."""
    if g == 1:
        return WEIGHT if config_of(m, n) is PLAIN else (SMALL,)
    if k <= 128 and n > 64:
        return SCORES
    if k <= 256 and n <= 64:
        return VALUES if aligned else (SCATTERED,)
    return (SMALL,)


def config_of(m: int, n: int) -> Config:
    """Those for one product whose operands are not described."""
    return PLAIN if m * n >= 1 << 21 else SMALL
