"""The memory limit of flips: a rate that would need more memory is refused before it is allocated."""

import math
import os
from pathlib import Path

from radhard.errors import InputError

DRAWN_AT_ONCE = 2_000_000
"""About how many flips are drawn and applied at a time, where one image at one site alone does not meet more."""

_SMALL = 1 << 14  # bytes that there always are: asking how many are free takes longer than to draw such flips
BYTES_A_FLIP = 160
"""About what drawing a flip and applying it takes at its peak: its columns, their sort, the table of the shuffle."""


def check_room(flips: float, *, rate: float, bytes_a_flip: int = BYTES_A_FLIP) -> None:
    """Raise InputError if so many `flips` at once need more memory than this process may still take."""
    wanted = flips * bytes_a_flip
    if wanted > _SMALL and wanted > (there := free_bytes()):
        raise InputError(
            f"a bit error rate of {rate:g} asks for {flips:.3g} flips at once, some {wanted / 1e9:,.3g} GB of memory; "
            f"{there / 1e9:,.3g} GB are free: take a lower rate, fewer sites, or fewer images at a time (--batch)"
        )


def free_bytes() -> float:
    """What this process may still take: by the machine, by its control group, by its limit; infinite if unknown."""
    return min(_of_machine(), _of_group(), _of_limit())


def _of_machine() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return math.inf


def _of_group(folder: Path = Path("/sys/fs/cgroup")) -> float:
    for limit, used, cached in (
        ("memory.max", "memory.current", "file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "cache"),
    ):
        try:
            stat = dict(line.split() for line in (folder / limit).with_name("memory.stat").read_text().splitlines())
            return float((folder / limit).read_text()) - float((folder / used).read_text()) + float(stat[cached])
        except (OSError, ValueError, KeyError):  # no such group; "max"
            continue
    return math.inf


def _of_limit() -> float:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError):
        return math.inf
    return math.inf if limit == resource.RLIM_INFINITY else float(limit - used)
