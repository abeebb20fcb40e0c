"""Splits rows of work over threads, as many as torch may use.

The kernels release the GIL. Plain threads, unlike a compiler's own pool, may run beside each other and be forked.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import TypeVar

import torch

T = TypeVar("T")
_WORTH_A_THREAD = 1 << 16  # elements: some tens of microseconds of work


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="radhard")


def split(rows: int, row_size: int, work: Callable[[int, int], T]) -> list[T]:
    """Call `work(first, last)` over parts of `rows` rows of `row_size` elements each, in parallel -> the results."""
    parts = min(torch.get_num_threads(), rows, rows * row_size // _WORTH_A_THREAD)
    if parts < 2:
        return [work(0, rows)]
    cuts = [rows * part // parts for part in range(parts + 1)]
    ranges = list(pairwise(cuts))
    rest = [_pool(parts - 1).submit(work, *one) for one in ranges[1:]]
    return [work(*ranges[0]), *(part.result() for part in rest)]
