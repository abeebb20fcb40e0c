"""Operators that are no matrix product, in float32, executed one word after the other.

U rows are lists of equal length N, E values a flat list; a fault is (kind, index, bit), kind mul, add or
special. The index of a word counts the words of its kind in the site: steps in the order of the text, within
a step row by row, within a row by position. So each function runs a step over all rows, then the next.
"""

import math
from collections.abc import Iterable

from tests.reference.float32 import Fault, Words, exp, reciprocal, reciprocal_root, rounded

Rows = list[list[float]]


def _running_sums(words: Words, rows: Rows) -> list[float]:
    sums = []
    for row in rows:
        s = row[0]
        for value in row[1:]:
            s = words.add(s, value)
        sums.append(s)
    return sums


def softmax(rows: Rows, faults: Iterable[Fault] = ()) -> Rows:
    """special: U N of exp, then U of 1/s. add: U N of x - max, then U (N-1) of the sums. mul: U N of e r."""
    words = Words(faults)
    largest = [math.nan if any(map(math.isnan, row)) else max(row) for row in rows]
    d = [[words.add(x, -m) for x in row] for row, m in zip(rows, largest, strict=True)]
    e = [[words.special(exp, x) for x in row] for row in d]
    s = _running_sums(words, e)
    r = [words.special(reciprocal, x) for x in s]
    y = [[words.mul(x, scale) for x in row] for row, scale in zip(e, r, strict=True)]
    words.finish()
    return y


def gelu_erf(values: list[float], faults: Iterable[Fault] = ()) -> list[float]:
    """mul: E of h, E of g, E of y. add: E of f. special: E of erf."""
    words = Words(faults)
    h = [words.mul(x, rounded(0.70710678)) for x in values]
    e = [words.special(math.erf, x) for x in h]
    f = [words.add(x, 1.0) for x in e]
    g = [words.mul(x, y) for x, y in zip(values, f, strict=True)]
    y = [words.mul(x, 0.5) for x in g]
    words.finish()
    return y


def gelu_tanh(values: list[float], faults: Iterable[Fault] = ()) -> list[float]:
    """mul: E each of q, c, k, h, g, y. add: E of a, E of f. special: E of tanh."""
    words = Words(faults)
    q = [words.mul(x, x) for x in values]
    c = [words.mul(x, y) for x, y in zip(q, values, strict=True)]
    k = [words.mul(x, rounded(0.044715)) for x in c]
    a = [words.add(x, y) for x, y in zip(values, k, strict=True)]
    h = [words.mul(x, rounded(0.7978845608)) for x in a]
    t = [words.special(math.tanh, x) for x in h]
    f = [words.add(x, 1.0) for x in t]
    g = [words.mul(x, y) for x, y in zip(values, f, strict=True)]
    y = [words.mul(x, 0.5) for x in g]
    words.finish()
    return y


def layer_norm(
    rows: Rows, weight: list[float] | None, bias: list[float] | None, eps: float, faults: Iterable[Fault] = ()
) -> Rows:
    """add: U (N-1) sums, U N of d, U (N-1) sums, U of ve, U N of y. mul: U of mu, U N of q, U of var,
    U N of z, U N of w. special: U of r. Without weight or bias that step is not executed.
    """
    words = Words(faults)
    share = rounded(1 / len(rows[0]))
    s = _running_sums(words, rows)
    mu = [words.mul(x, share) for x in s]
    d = [[words.add(x, -m) for x in row] for row, m in zip(rows, mu, strict=True)]
    q = [[words.mul(x, x) for x in row] for row in d]
    v = _running_sums(words, q)
    var = [words.mul(x, share) for x in v]
    ve = [words.add(x, rounded(eps)) for x in var]
    r = [words.special(reciprocal_root, x) for x in ve]
    y = [[words.mul(x, scale) for x in row] for row, scale in zip(d, r, strict=True)]
    if weight is not None:
        y = [[words.mul(x, w) for x, w in zip(row, weight, strict=True)] for row in y]
    if bias is not None:
        y = [[words.add(x, b) for x, b in zip(row, bias, strict=True)] for row in y]
    words.finish()
    return y


def sum_rows(rows: Rows, faults: Iterable[Fault] = ()) -> list[float]:
    """add: U (N-1)."""
    words = Words(faults)
    s = _running_sums(words, rows)
    words.finish()
    return s


def mean_rows(rows: Rows, faults: Iterable[Fault] = ()) -> list[float]:
    """add: U (N-1). mul: U of s (1/N)."""
    words = Words(faults)
    share = rounded(1 / len(rows[0]))
    y = [words.mul(x, share) for x in _running_sums(words, rows)]
    words.finish()
    return y


def add(x: list[float], y: list[float], faults: Iterable[Fault] = ()) -> list[float]:
    """add: E."""
    words = Words(faults)
    z = [words.add(a, b) for a, b in zip(x, y, strict=True)]
    words.finish()
    return z


def mul(x: list[float], y: list[float], faults: Iterable[Fault] = ()) -> list[float]:
    """mul: E."""
    words = Words(faults)
    z = [words.mul(a, b) for a, b in zip(x, y, strict=True)]
    words.finish()
    return z
