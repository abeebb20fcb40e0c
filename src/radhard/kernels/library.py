"""The torch operator library `torch.ops.radhard`: how operators are registered and report faults.

An operator that checks returns its result, and adds to a tensor of events [7] int64 what happened in the call
(`radhard.kernels.events`).
"""

import inspect
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import torch
from torch import Tensor

from radhard.errors import FaultError
from radhard.kernels.events import EVENTS, Events
from radhard.kernels.operands import checker
from radhard.kernels.write import on_host

AlarmPolicy = Literal["raise", "warn", "recompute"]


@dataclass(frozen=True, kw_only=True)
class OnUncorrectable:
    """What is done about words that cannot be repaired, `policy`, and whose they are, `site`.

    "raise" raises FaultError, "warn" warns and goes on with them; "recompute" computes once more, on another back end,
    and raises if that does not add up either.
    """

    policy: str
    site: str


_LIBRARY = torch.library.Library("radhard", "DEF")


_TYPES = {
    Tensor: "Tensor",
    int: "int",
    bool: "bool",
    float: "float",
    str: "str",
    torch.dtype: "ScalarType",
    Sequence[int]: "int[]",
    Sequence[float]: "float[]",
}


def operator(*, fake: Callable[..., Tensor] | None = None) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Declares `torch.ops.radhard.NAME` as the function of that name computes it.

    Its schema is the function's signature; `events` is what it writes to. `fake` takes those of the arguments that it
    names, and gives a tensor of the result's shape and strides; without one the result is like the first argument.
    Calls of either are checked against the operator's entry in `radhard.kernels.operands.OPERANDS`.
    """

    def declare(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        name, named = function.__name__, list(inspect.signature(function).parameters)
        wanted = [0] if fake is None else [named.index(own) for own in inspect.signature(fake).parameters]
        like = fake or torch.empty_like
        check = checker(name, named)

        def call(*given: Any) -> Tensor:
            given += (None,) * (len(named) - len(given))  # what is left out
            check(given, open_sizes=False)
            return function(*given)

        def shaped(*given: Any) -> Tensor:
            given += (None,) * (len(named) - len(given))
            check(given, open_sizes=True)
            return like(*(given[place] for place in wanted))

        _LIBRARY.define(schema_of(function), tags=(torch.Tag.pt2_compliant_tag,))
        _LIBRARY.impl(name, call, "CompositeExplicitAutograd")
        torch.library.register_fake(f"radhard::{name}", shaped, lib=_LIBRARY)
        return function

    return declare


def schema_of(function: Callable[..., Tensor]) -> str:
    """The schema of the operator that `function` computes, from its annotations.

    Examples:
        >>> def scaled(x: Tensor, factor: float, events: Tensor) -> Tensor: ...
        >>> schema_of(scaled)
        'scaled(Tensor x, float factor, Tensor(a!) events) -> Tensor'
    """
    hints, found = get_type_hints(function), []
    for own, parameter in inspect.signature(function).parameters.items():
        hint = hints[own]
        optional = type(None) in get_args(hint)
        (kind,) = (x for x in get_args(hint) if x is not type(None)) if optional else (hint,)
        text = "Tensor(a!)" if own == "events" else _TYPES[kind] + "?" * optional
        found.append(f"{text} {own}" + ("" if parameter.default is parameter.empty else f"={parameter.default}"))
    return f"{function.__name__}({', '.join(found)}) -> Tensor"


class _Lock:
    """A lock that a forked process has anew: another thread may have held it."""

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        """A lock that nobody holds."""
        self.lock = threading.Lock()


_COUNTING = _Lock()
_HEARD: ContextVar[dict[int, Tensor] | None] = ContextVar("heard", default=None)


@contextmanager
def heard() -> Iterator[dict[int, Tensor]]:
    """What is noted in this thread meanwhile: address of a site's events -> what happened there [7] int64.

    Sites at which nothing was flagged are left out, or their numbers, on a GPU, are 0.
    """
    found: dict[int, Tensor] = {}
    token = _HEARD.set(found)
    try:
        yield found
    finally:
        _HEARD.reset(token)


def sound(events: Tensor, *, checks: int) -> None:
    """Add to `events` so many checks, of which none found anything: nearly every call, so it is fast."""
    host = on_host(events)
    with _COUNTING.lock:
        if host is None:
            events[0] += checks
        else:
            host.add(events.data_ptr(), checks)


def note(events: Tensor, happened: Events) -> None:
    """Add to `events` what happened in one call. Threads that share a module add one after the other."""
    if happened.alarms:
        _add(events, torch.tensor(happened.counted, dtype=torch.int64, device="cpu"))
    else:
        sound(events, checks=happened.checks)


def note_repaired(events: Tensor, *, checks: int, flagged: int | Tensor) -> None:
    """As `note`, of words all of which are repaired; `flagged` may be [] int64 on a GPU, which nobody waits for."""
    if isinstance(flagged, int):
        note(events, Events(checks=checks, alarms=min(1, flagged), flagged=flagged, repaired=flagged))
        return
    happened = flagged.new_zeros(len(EVENTS))
    happened[0].fill_(checks)
    happened[1].copy_(flagged.clamp(max=1))
    happened[2:4].copy_(flagged)
    _add(events, happened)


def _add(events: Tensor, happened: Tensor) -> None:
    """What happened [7], for who counts and for who hears."""
    with _COUNTING.lock:
        events += happened.to(events.device)
    if (found := _HEARD.get()) is not None:
        place = events.data_ptr()
        found[place] = found[place] + happened if place in found else happened


def no_events() -> Tensor:
    """What has happened at a site where nothing has: [7] int64."""
    return torch.zeros(len(EVENTS), dtype=torch.int64, device="cpu")


def complain(on_uncorrectable: OnUncorrectable, *, fault: str) -> None:
    """What cannot be repaired is told: by a warning, or by FaultError. `fault` says what was found."""
    message = f"site {on_uncorrectable.site!r}: {fault}"
    if on_uncorrectable.policy != "warn":
        raise FaultError(f"{message}: load the model again, from storage that is trusted")
    warnings.warn(message, RuntimeWarning, stacklevel=2)
