"""Matrix products on damaged hardware, one multiplication and one addition after the other, from what damage says.

`a` [m][k], `b` [k][n], `bias` [n] or None, of product `group` of image `image` -> sums [m][n][terms], nested lists:
each running sum as the accumulator holds it after that term; a bias is the last term. Words of `a` are int8, or uint8
where `unsigned`.
"""

import numpy as np

from radhard.hardware import Damage, Exchanged, Misread, Replaced, Struck, StuckProduct, StuckSum


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


def damaged(
    a: list, b: list, bias: list | None, damage: Damage, *, group: int = 0, image: int = 0, unsigned: bool = False
) -> list:
    m, k, n = len(a), len(b), len(b[0])
    mine = damage.image is None or damage.image == image
    terms = k + (bias is not None)
    out = [[[0] * terms for _ in range(n)] for _ in range(m)]
    for i in range(m):
        for j in range(n):
            total = 0
            for t in range(terms):
                word = bias[j] if t == k else _product(a, b, i, j, t, damage if mine else None, group, unsigned)
                total = signed(total + word, 32)
                if mine:
                    total = _kept(total, i, j, t, damage, group)
                out[i][j][t] = total
    return out


def _product(a: list, b: list, i: int, j: int, t: int, damage: Damage | None, group: int, unsigned: bool) -> int:
    row, x, y = i, None, b[t][j]
    if isinstance(damage, Exchanged) and damage.group == group and i in (damage.first, damage.second):
        row = damage.second if i == damage.first else damage.first
    x = a[row][t]
    if isinstance(damage, Misread) and (damage.group, damage.term) == (group, t):
        if damage.operand == "a" and damage.index == i:
            x = (x ^ damage.mask) % 256 if unsigned else signed(x ^ damage.mask, 8)
        if damage.operand == "b" and damage.index == j:
            y = signed(y ^ damage.mask, 8)
    word = x * y
    if isinstance(damage, StuckProduct):
        along = i if damage.dataflow == "output" else t
        if (along % damage.array.rows, j % damage.array.columns) == (damage.row, damage.column):
            word = stuck(word, damage.mask, damage.level, 16)
    return word


def _kept(total: int, i: int, j: int, t: int, damage: Damage, group: int) -> int:
    if isinstance(damage, StuckSum):
        if (i % damage.array.rows, j % damage.array.columns) == (damage.row, damage.column):
            return stuck(total, damage.mask, damage.level, 32)
    elif isinstance(damage, Struck | Replaced) and damage.term == t and damage.area.group == group:
        down, right = i - damage.area.row, j - damage.area.column
        if 0 <= down < damage.area.height and 0 <= right < damage.area.width:
            if isinstance(damage, Struck):
                return signed(total ^ damage.mask, 32)
            if damage.seed is None:
                return 0
            size = damage.area.height * damage.area.width
            words = np.random.default_rng(damage.seed).integers(-(2**31), 2**31, size)
            return int(words[down * damage.area.width + right])
    return total
