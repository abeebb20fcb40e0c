"""The sizes of a matrix product, and its blocks: a grid over three axes with smaller blocks at the ends."""

from collections.abc import Iterator
from dataclasses import dataclass

from radhard.errors import InputError
from radhard.machine.matrices import Shape


@dataclass(frozen=True, kw_only=True)
class Block:
    """Sizes of a block along m, k and n; those at an edge are smaller."""

    m: int
    k: int
    n: int

    def __post_init__(self) -> None:
        for name in ("m", "k", "n"):
            if getattr(self, name) < 1:
                raise InputError(f"a block with {name}={getattr(self, name)}: every size is at least 1")

    def __str__(self) -> str:
        return f"{self.m}x{self.k}x{self.n}"

    def clipped(self, shape: Shape) -> "Block":
        """The same blocks of `shape`, none larger than the product itself."""
        return Block(m=min(self.m, shape.m), k=min(self.k, shape.k), n=min(self.n, shape.n))

    def count(self, shape: Shape) -> tuple[int, int, int]:
        """Blocks of `shape` along m, k and n."""
        return -(-shape.m // self.m), -(-shape.k // self.k), -(-shape.n // self.n)


def cube(edge: int) -> Block:
    """The paper's block: as large along m as along k and n."""
    return Block(m=edge, k=edge, n=edge)


def pieces(size: int, step: int) -> Iterator[tuple[int, int, int]]:
    """A cut of `size` into steps -> (start, count, width) of the whole ones, then of the rest, if there is one."""
    if size >= step:
        yield 0, size // step, step
    if size % step:
        yield size // step * step, 1, size % step
