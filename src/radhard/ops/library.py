"""The library of operators `torch.ops.radhard`: how one is declared, and what it tells of faults.

An operator that checks returns its result, and adds to a tensor of events [7] int64, in the order of `EVENTS`:

* `checked`: rows (of a matrix product) or words (of a vote or a range) that were checked;
* `alarms`: 1 if any of them was found wrong;
* `flagged`: those found wrong;
* `repaired`: those whose words were wrong and were set right;
* `unfounded`: those whose words were right, so that the check itself was hit;
* `stale`: 1 if a stored word, of a weight, its bias or its sums, is found changed;
* `left`: those that nothing here can set right.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from radhard.errors import FaultError
from radhard.ops.write import on_host

EVENTS = ("checked", "alarms", "flagged", "repaired", "unfounded", "stale", "left")
Policy = Literal["raise", "warn", "recompute"]


@dataclass(frozen=True, kw_only=True)
class Recourse:
    """What is done about words that cannot be repaired, `policy`, and whose they are, `site`.

    "raise" raises FaultError, "warn" warns and goes on with them; "recompute" computes once more, on another back end,
    and raises if that does not add up either.
    """

    policy: str
    site: str


_LIBRARY = torch.library.Library("radhard", "DEF")


def operator(schema: str, *, fake: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declares `torch.ops.radhard.NAME`, NAME as in `schema`; `fake` gives results of the same shapes and strides."""
    name = schema.split("(")[0]

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
        _LIBRARY.impl(name, function, "CompositeExplicitAutograd")
        torch.library.register_fake(f"radhard::{name}", fake, lib=_LIBRARY)
        return function

    return declare


def note(
    events: Tensor,
    *,
    checked: int,
    flagged: int = 0,
    repaired: int = 0,
    unfounded: int = 0,
    stale: int = 0,
    left: int = 0,
) -> None:
    """Add to `events` what happened in one call."""
    if not flagged:  # nearly every call: so it is fast
        host = on_host(events)
        if host is None:
            events[0] += checked
        else:
            host.add(events.data_ptr(), checked)
        return
    happened = [checked, int(flagged > 0), flagged, repaired, unfounded, stale, left]
    events += torch.tensor(happened, dtype=events.dtype, device=events.device)


def no_events() -> Tensor:
    """What has happened at a site where nothing has: [7] int64."""
    return torch.zeros(len(EVENTS), dtype=torch.int64)


def complain(recourse: Recourse, *, fault: str) -> None:
    """What cannot be repaired is told: by a warning, or by FaultError. `fault` says what was found."""
    message = f"site {recourse.site!r}: {fault}"
    if recourse.policy != "warn":
        raise FaultError(f"{message}: load the model again, from storage that is trusted")
    warnings.warn(message, RuntimeWarning, stacklevel=2)
