"""A convolution of 8-bit words, one multiplication after the other, with numbers of Python."""

from collections.abc import Sequence
from itertools import product

Words = Sequence[Sequence[Sequence[Sequence[int]]]]


def wrapped(value: int) -> int:
    """As two's complement of 32 bits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def convolved(
    x: Words,
    filters: Words,
    bias: Sequence[int],
    *,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    groups: int,
    pad: int,
) -> list[list[list[list[int]]]]:
    """x [b][g c][h][w], filters [n][c][p][q], bias [n], padding (top, left, bottom, right) -> [b][n][h'][w']."""
    height, width = len(x[0][0]), len(x[0][0][0])
    n, channels, p, q = len(filters), len(filters[0]), len(filters[0][0]), len(filters[0][0][0])
    top, left, bottom, right = padding
    rows = (height + top + bottom - dilation[0] * (p - 1) - 1) // stride[0] + 1
    columns = (width + left + right - dilation[1] * (q - 1) - 1) // stride[1] + 1

    def word(image: int, channel: int, y: int, z: int) -> int:
        return x[image][channel][y][z] if 0 <= y < height and 0 <= z < width else pad

    def output(image: int, j: int, y: int, z: int) -> int:
        total, first = 0, j // (n // groups) * channels
        for c, u, v in product(range(channels), range(p), range(q)):
            there = word(
                image, first + c, y * stride[0] - top + u * dilation[0], z * stride[1] - left + v * dilation[1]
            )
            total = wrapped(total + there * filters[j][c][u][v])
        return wrapped(total + bias[j])

    return [
        [[[output(image, j, y, z) for z in range(columns)] for y in range(rows)] for j in range(n)]
        for image in range(len(x))
    ]
