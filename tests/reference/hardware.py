"""Matrix products on damaged hardware, one multiplication and one addition after the other, from what fault says.

`a` [m][k], `b` [k][n], `bias` [n] or None, of product `group` of image `image` -> sums [m][n][terms], nested lists:
each running sum as the accumulator holds it after that term; a bias is the last term. Words of `a` are int8, or uint8
where `unsigned`.
"""

import numpy as np

from radhard.hardware import (
    AccumulatorUpset,
    HardwareFault,
    Misread,
    RegisterUpset,
    Replaced,
    RowAddressFault,
    StuckProduct,
    StuckSum,
)
from tests.reference.systolic import ARRAYS, Upset


def signed(value: int, bits: int) -> int:
    low = value % 2**bits
    return low - 2**bits if low >= 2 ** (bits - 1) else low


def stuck(value: int, mask: int, level: int, bits: int) -> int:
    for bit in range(bits):
        if mask >> bit & 1:
            now = value >> bit & 1
            if now != level:
                value ^= 1 << bit
    return signed(value, bits)


def faulty_sums(
    a: list, b: list, bias: list | None, fault: HardwareFault, *, group: int = 0, image: int = 0, unsigned: bool = False
) -> list:
    m, k, n = len(a), len(b), len(b[0])
    mine = fault.image is None or fault.image == image
    terms = k + (bias is not None)
    if isinstance(fault, RegisterUpset):  # the final sums alone
        array, hit = fault.array, mine and fault.group == group
        names = ("register", "row", "column", "cycle", "mask", "tile")
        upset = Upset(**{name: getattr(fault, name) for name in names}) if hit else None
        run = ARRAYS[array.dataflow]
        final = run(a, b, bias, rows=array.rows, columns=array.columns, upset=upset, unsigned=unsigned)
        return [[[word] for word in row] for row in final]
    out = [[[0] * terms for _ in range(n)] for _ in range(m)]
    for i in range(m):
        for j in range(n):
            total = 0
            for t in range(terms):
                word = bias[j] if t == k else _product(a, b, i, j, t, fault if mine else None, group, unsigned)
                total = signed(total + word, 32)
                if mine:
                    total = _kept(total, i, j, t, fault, group)
                out[i][j][t] = total
    return out


def _product(a: list, b: list, i: int, j: int, t: int, fault: HardwareFault | None, group: int, unsigned: bool) -> int:
    row, x, y = i, None, b[t][j]
    if isinstance(fault, RowAddressFault) and fault.group == group and i in (fault.first, fault.second):
        row = fault.second if i == fault.first else fault.first
    x = a[row][t]
    if isinstance(fault, Misread) and (fault.group, fault.term) == (group, t):
        if fault.operand == "a" and fault.index == i:
            x = (x ^ fault.mask) % 256 if unsigned else signed(x ^ fault.mask, 8)
        if fault.operand == "b" and fault.index == j:
            y = signed(y ^ fault.mask, 8)
    word = x * y
    if isinstance(fault, StuckProduct):
        along = i if fault.dataflow == "output" else t
        if (along % fault.array.rows, j % fault.array.columns) == (fault.row, fault.column):
            word = stuck(word, fault.mask, fault.level, 16)
    return word


def _kept(total: int, i: int, j: int, t: int, fault: HardwareFault, group: int) -> int:
    if isinstance(fault, StuckSum):
        if (i % fault.array.rows, j % fault.array.columns) == (fault.row, fault.column):
            return stuck(total, fault.mask, fault.level, 32)
    elif isinstance(fault, AccumulatorUpset | Replaced) and fault.term == t and fault.area.group == group:
        down, right = i - fault.area.row, j - fault.area.column
        if 0 <= down < fault.area.height and 0 <= right < fault.area.width:
            if isinstance(fault, AccumulatorUpset):
                return signed(total ^ fault.mask, 32)
            if fault.seed is None:
                return 0
            size = fault.area.height * fault.area.width
            words = np.random.default_rng(fault.seed).integers(-(2**31), 2**31, size)
            return int(words[down * fault.area.width + right])
    return total
