"""A systolic array cycle by cycle: every register of every cell, moved by hand, with one upset or broken cell in it.

`a` [m][k], `b` [k][n], `bias` [n] or None, lists of words -> the product [m][n] in wrapping int32. An `Upset` flips
`mask` in register `register` of cell (row, column) in cycle `cycle` of tile `tile`. Words of `a` are int8, or uint8
where `unsigned`. Of a `Broken` cell the bits of `mask` of a part are stuck at `level`: of the word in an operand
register (`a`, `b`; `b` is the weight's where weights stay), of the `product` that its multiplier yields, or of the
`sum` that its adder writes. With `Late` one bit of one sum, where term `term` of output (row, column) is added, is not
written and keeps its value. Nothing here knows what comes of it: bits flip, are stuck or late, and the array runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Upset:
    register: str
    row: int
    column: int
    cycle: int
    mask: int
    tile: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Broken:
    part: str
    row: int
    column: int
    mask: int
    level: int


@dataclass(frozen=True, kw_only=True)
class Late:
    row: int
    column: int
    term: int
    bit: int


def added(old: int, product: int, late: Late | None, *, place: tuple[int, int, int]) -> int:
    """What an adder writes, of which one bit may come too late; `place` is (row, column, term)."""
    new = wrap(old + product, 32)
    if late is None or place != (late.row, late.column, late.term):
        return new
    bits = [(old if bit == late.bit else new) % 2**32 >> bit & 1 for bit in range(32)]
    return wrap(sum(one << bit for bit, one in enumerate(bits)), 32)


def wrap(value: int, bits: int, unsigned: bool = False) -> int:
    low = value % 2**bits
    return low - 2**bits if low >= 2 ** (bits - 1) and not unsigned else low


def stuck(word: int, bits: int, broken: Broken | None, part: str, row: int, column: int, unsigned: bool = False) -> int:
    """What a part of a cell makes of a word, bit by bit."""
    if broken is None or (broken.part, broken.row, broken.column) != (part, row, column):
        return word
    low = [broken.level if broken.mask >> bit & 1 else (word % 2**bits) >> bit & 1 for bit in range(bits)]
    return wrap(sum(one << bit for bit, one in enumerate(low)), bits, unsigned)


class Cells:
    """One register of every cell; `hit` flips the upset's bits if it is the turn of this register.

    `stick` is called once new words have come: it puts the bits of a broken register where they are stuck.
    """

    def __init__(self, name: str, rows: int, columns: int, bits: int, unsigned: bool = False) -> None:
        self.name, self.bits, self.unsigned = name, bits, unsigned
        self.words = [[0] * columns for _ in range(rows)]

    def hit(self, upset: Upset | None, cycle: int) -> None:
        if upset is not None and (upset.register, upset.cycle) == (self.name, cycle):
            line = self.words[upset.row]
            line[upset.column] = wrap(line[upset.column] ^ upset.mask, self.bits, self.unsigned)

    def stick(self, broken: Broken | None, part: str) -> None:
        for r, line in enumerate(self.words):
            for c, word in enumerate(line):
                line[c] = stuck(word, self.bits, broken, part, r, c, self.unsigned)

    def right(self, enter: list[int]) -> None:
        self.words = [[word, *line[:-1]] for word, line in zip(enter, self.words, strict=True)]

    def down(self, enter: list[int]) -> list[int]:
        """The words that leave through the bottom row."""
        self.words = [enter, *self.words]
        return self.words.pop()


def at(matrix: list, i: int, j: int) -> int:
    """A word, or 0 beyond the matrix."""
    return matrix[i][j] if 0 <= i < len(matrix) and 0 <= j < len(matrix[0]) else 0


def tiles(down: int, across: int, rows: int, columns: int) -> Iterator[tuple[int, int]]:
    for p in range(-(-down // rows)):
        for q in range(-(-across // columns)):
            yield p, q


def output_stationary(a: list, b: list, bias: list | None, *, rows: int, columns: int, unsigned: bool = False,
                      upset: Upset | None = None, broken: Broken | None = None,
                      late: Late | None = None) -> list:  # fmt: skip
    m, k, n = len(a), len(b), len(b[0])
    out = [[0] * n for _ in range(m)]
    for p, q in tiles(m, n, rows, columns):
        mine = upset if upset is not None and upset.tile == (p, q) else None
        left, right = Cells("a", rows, columns, 8, unsigned), Cells("b", rows, columns, 8)
        sums = Cells("sum", rows, columns, 32)
        start = [0 if bias is None else at([bias], 0, q * columns + c) for c in range(columns)]
        sums.words = [list(start) for _ in range(rows)]
        cycle = 0
        while cycle < k + rows + columns - 2:
            left.right([at(a, p * rows + r, cycle - r) for r in range(rows)])
            right.down([at(b, cycle - c, q * columns + c) for c in range(columns)])
            left.stick(broken, "a")
            right.stick(broken, "b")
            for register in (left, right, sums):
                register.hit(mine, cycle)
            for r in range(rows):
                for c in range(columns):
                    if 0 <= cycle - r - c < k:  # a cell adds while it has operands
                        product = stuck(left.words[r][c] * right.words[r][c], 16, broken, "product", r, c)
                        place = p * rows + r, q * columns + c, cycle - r - c
                        total = added(sums.words[r][c], product, late, place=place)
                        sums.words[r][c] = stuck(total, 32, broken, "sum", r, c)
            cycle += 1
        for row in reversed(range(rows)):
            sums.hit(mine, cycle)
            leaving = sums.down([0] * columns)
            for c, word in enumerate(leaving):
                if p * rows + row < m and q * columns + c < n:
                    out[p * rows + row][q * columns + c] = word
            cycle += 1
    return out


def weight_stationary(a: list, b: list, bias: list | None, *, rows: int, columns: int, unsigned: bool = False,
                      upset: Upset | None = None, broken: Broken | None = None,
                      late: Late | None = None) -> list:  # fmt: skip
    m, k, n = len(a), len(b), len(b[0])
    out = [[0 if bias is None else bias[j] for j in range(n)] for _ in range(m)]
    weights = Cells("weight", rows, columns, 8)
    for p, q in tiles(k, n, rows, columns):
        mine = upset if upset is not None and upset.tile == (p, q) else None
        left, sums = Cells("a", rows, columns, 8, unsigned), Cells("sum", rows, columns, 32)
        for cycle in range(m + 2 * rows + columns - 2):
            if cycle < rows:
                weights.down([at(b, p * rows + rows - 1 - cycle, q * columns + c) for c in range(columns)])
            left.right([at(a, cycle - rows - r, p * rows + r) for r in range(rows)])
            left.stick(broken, "a")
            weights.stick(broken, "b")
            for register in (left, weights):
                register.hit(mine, cycle)
            above = [[0] * columns, *[list(line) for line in sums.words[:-1]]]
            for r in range(rows):
                for c in range(columns):
                    product = stuck(left.words[r][c] * weights.words[r][c], 16, broken, "product", r, c)
                    place = cycle - rows - r - c, q * columns + c, p * rows + r
                    total = added(above[r][c], product, late, place=place)
                    sums.words[r][c] = stuck(total, 32, broken, "sum", r, c)
            sums.hit(mine, cycle)
            for c, word in enumerate(sums.words[-1]):
                i, j = cycle - rows - (rows - 1) - c, q * columns + c
                if 0 <= i < m and j < n:
                    out[i][j] = wrap(out[i][j] + word, 32)
    return out


ARRAYS = {"output": output_stationary, "weight": weight_stationary}
