"""Matrix products, executed one multiplication and one addition after the other.

`a` [g][m][k], `b` [g][k][n], `bias` [g][n] or None -> [g][m][n], nested lists. A fault is (kind, index, bit):

    mul   ((g m + i) n + j) k + t             the product a[i][t] b[t][j]
    add   ((g m + i) n + j) k' + (t - 1)      the running sum s_t = s_(t-1) + p_t, t = 1 ... k-1,
                                              and with a bias t = k; k' = k - 1, or k with a bias

A flipped word replaces that word, and everything after uses it.
"""

from collections.abc import Callable, Iterable

from tests.reference.float32 import Fault, flipped, masks_of, rounded


def gemm(
    a: list,
    b: list,
    bias: list | None,
    faults: Iterable[Fault] = (),
    product_bits: int = 16,
    accumulator_bits: int = 32,
) -> list:
    """Integers: products and running sums are two's complement words that wrap."""

    def signed(value: int, bits: int, mask: int) -> int:
        unsigned = (value % 2**bits) ^ mask
        return unsigned - 2**bits if unsigned >= 2 ** (bits - 1) else unsigned

    def product(x: int, y: int, mask: int) -> int:
        return signed(x * y, product_bits, mask)

    def total(x: int, y: int, mask: int) -> int:
        return signed(x + y, accumulator_bits, mask)

    widths = {"mul": product_bits, "add": accumulator_bits}
    return _gemm(a, b, bias, faults, widths, product, total)


def gemm_float32(a: list, b: list, bias: list | None, faults: Iterable[Fault] = ()) -> list:
    """Floats: each product and each running sum is rounded to float32."""

    def product(x: float, y: float, mask: int) -> float:
        return flipped(rounded(x * y), mask)

    def total(x: float, y: float, mask: int) -> float:
        return flipped(rounded(x + y), mask)

    return _gemm(a, b, bias, faults, {"mul": 32, "add": 32}, product, total)


def _gemm(
    a: list,
    b: list,
    bias: list | None,
    faults: Iterable[Fault],
    widths: dict[str, int],
    product: Callable,
    total: Callable,
) -> list:
    groups, m, k, n = len(a), len(a[0]), len(b[0]), len(b[0][0])
    sums = k - 1 if bias is None else k
    limits = {"mul": groups * m * n * k, "add": groups * m * n * sums}
    faults = list(faults)
    for kind, index, bit in faults:
        if not (0 <= index < limits[kind] and 0 <= bit < widths[kind]):
            raise ValueError(f"no {kind} has index {index} and bit {bit}; there are {limits} of {widths} bits")
    masks = masks_of(faults)
    result = [[[0] * n for _ in range(m)] for _ in range(groups)]
    for g in range(groups):
        for i in range(m):
            for j in range(n):
                output = (g * m + i) * n + j
                s = None
                for t in range(k):
                    p = product(a[g][i][t], b[g][t][j], masks.get(("mul", output * k + t), 0))
                    flipped = masks.get(("add", output * sums + t - 1), 0)
                    s = total(s, p, flipped) if t else total(p, 0, 0)  # s_0 = p_0 is no addition
                if bias is not None:
                    s = total(s, bias[g][j], masks.get(("add", output * sums + k - 1), 0))
                result[g][i][j] = s
    return result
