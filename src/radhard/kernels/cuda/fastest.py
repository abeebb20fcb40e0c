"""Chooses the fastest of several equivalent kernels on a device by timing them."""

from collections.abc import Callable, Sequence

import torch

_ROUNDS, _AT_ONCE = 6, 3


def fastest(steps: Sequence[Callable[[], object]], device: torch.device) -> int:
    """The place of the step that takes the device least, of some rounds in which they take turns.

    While what is launched is being recorded nothing can be timed: then the first.
    """
    if len(steps) < 2 or device.type != "cuda" or torch.cuda.is_current_stream_capturing():
        return 0
    stream = torch.cuda.current_stream(device)
    rounds: list[list[torch.cuda.Event]] = []
    for _ in range(1 + _ROUNDS):
        events = [torch.cuda.Event(enable_timing=True) for _ in range(len(steps) + 1)]
        events[0].record(stream)
        for step, event in zip(steps, events[1:], strict=True):
            for _ in range(_AT_ONCE):
                step()
            event.record(stream)
        rounds.append(events)
    stream.synchronize()
    taken = [min(events[at].elapsed_time(events[at + 1]) for events in rounds[1:]) for at in range(len(steps))]
    return taken.index(min(taken))
