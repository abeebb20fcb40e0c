"""`Operations`: multiplications, additions and comparisons of a check or repair, executed or expected."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Whole numbers where they were executed or are certain, real ones where they are expected."""

    mul: float = 0
    add: float = 0
    cmp: float = 0

    def __add__(self, other: "Operations") -> "Operations":
        return Operations(mul=self.mul + other.mul, add=self.add + other.add, cmp=self.cmp + other.cmp)

    def times(self, factor: float) -> "Operations":
        """So many times the same."""
        return Operations(mul=self.mul * factor, add=self.add * factor, cmp=self.cmp * factor)

    @property
    def arithmetic(self) -> float:
        """Multiplications and additions: what the paper calls the computing overhead."""
        return self.mul + self.add
