"""Where the time of a case goes: kernels of the device, functions of the host."""

import cProfile
import io
import pstats
import time
from collections.abc import Callable

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.journal import Record
from benchmarks.gpu.rounds import awaited


def kernels(case: Callable[[], object], device: torch.device, *, rows: int = 25) -> Record:
    """Seconds that the device is busy in one run, of how many, and the kernels that take most, as text."""
    call = awaited(case, device)
    kind = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
    start = time.perf_counter()
    with profile(activities=[kind]) as found:
        call()
    wall = time.perf_counter() - start
    wanted = DeviceType.CUDA if device.type == "cuda" else DeviceType.CPU
    own = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    events = [event for event in found.key_averages() if event.device_type == wanted]
    events.sort(key=lambda event: -getattr(event, own))
    busy = sum(getattr(event, own) for event in events)
    lines = [f"{'ms':>10}  {'share':>6}  {'calls':>6}  kernel"]
    for event in events[:rows]:
        took = getattr(event, own)
        lines.append(f"{took / 1e3:10.3f}  {took / max(busy, 1e-9):6.1%}  {event.count:6d}  {event.key[:100]}")
    launches = sum(event.count for event in events)
    return {"busy_seconds": busy / 1e6, "profiled_seconds": wall, "launches": launches, "text": "\n".join(lines)}


def functions(case: Callable[[], object], device: torch.device, *, rows: int = 25) -> Record:
    """The functions of the host that take most time in one run, as text: their own, then with what they call."""
    call = awaited(case, device)
    profiler = cProfile.Profile()
    profiler.runcall(call)
    text = io.StringIO()
    found = pstats.Stats(profiler, stream=text).strip_dirs()
    for order in ("tottime", "cumulative"):
        found.sort_stats(order).print_stats(rows)
    return {"text": text.getvalue()}
