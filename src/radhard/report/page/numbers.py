"""Numbers as the page writes them: shares in percent, differences in points, each with its interval."""

from collections.abc import Mapping

UNKNOWN = "n/a"


def rate(value: float) -> str:
    """A bit error rate: `1.56e-06`."""
    return f"{value:.3g}"


def percent(value: float | None, *, digits: int = 1) -> str:
    """A share: `91.5 %`."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f} %"


def interval_percent(value: float | None, low: float | None, high: float | None, *, digits: int = 1) -> str:
    """A share with its 95 % interval: `91.5 % (86.8 to 94.6)`."""
    if value is None:
        return UNKNOWN
    return f"{percent(value, digits=digits)} ({_limit(low, digits=digits)} to {_limit(high, digits=digits)})"


def points(value: float | None) -> str:
    """A difference of shares in percentage points, without the unit: `2.31`."""
    return UNKNOWN if value is None else _signed(100 * value, digits=2)


def interval_points(value: float | None, low: float | None, high: float | None) -> str:
    """A difference with its 95 % interval: `2.31 (1.90 to 2.72)`."""
    if value is None:
        return UNKNOWN
    return f"{points(value)} ({_limit(low, digits=2)} to {_limit(high, digits=2)})"


def limited_points(loss: Mapping[str, float | None], *, level: float, of: str = "points") -> str:
    """A loss with its one-sided limits: `1.00 points (95 % limits, each one-sided: -1.00 and 3.00)`."""
    low, high = (_limit(loss[name], digits=2) for name in ("low", "high"))
    return f"{points(loss['rate'])} {of} ({100 * level:g} % limits, each one-sided: {low} and {high})"


def named_component(name: str, by: str) -> str:
    """A component in a sentence: `layer blocks.0`, `patch 3,4`; a bit's name says what it is."""
    if by == "patch" and name == "none":
        return "what belongs to no patch"
    return name if by == "bit" and name else f"{by} {name or '-'}"


def target_text(verdict: str, *, target: float, images_needed: int | None = None, of: str = "points") -> str:
    """Whether at most `target` percentage points are lost, as a clause; `of`: points of what."""
    what = f"the target of at most {target:g} {of} is"
    if verdict == "cannot tell":
        more = f" (about {images_needed:,} images could)" if images_needed else ""
        return f"whether {what} met cannot be told{more}"
    return f"{what} {verdict or 'not judged'}"


def duration_text(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def counted(count: int, name: str, many: str = "") -> str:
    """`1 layer`, `1,200 layers`."""
    return f"{count:,} {name if count == 1 else many or f'{name}s'}"


def counted_by(count: int, by: str) -> str:
    """Components of a kind: `1 layer`, `49 patches`."""
    return counted(count, by, "patches" if by == "patch" else "")


def listed(names: list[str], *, most: int = 5) -> str:
    """`a, b and c`; of more than `most` the first and how many others."""
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def flat(row: Mapping[str, object]) -> dict[str, object]:
    """A row in which values within values are columns of their own: `loss.rate`."""
    found: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{inner}": each for inner, each in flat(value).items()}
        else:
            found[name] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
    return found


def _limit(value: float | None, *, digits: int) -> str:
    return "?" if value is None else _signed(100 * value, digits=digits)


def _signed(value: float, *, digits: int) -> str:
    """A number with a minus sign as type has it, and no minus before a zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\u2212")
