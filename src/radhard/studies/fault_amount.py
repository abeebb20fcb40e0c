"""How much is hit, as a verb is told: at rates, by numbers of flips an inference, or by one upset of a fault model."""

from collections.abc import Sequence

from radhard.errors import InputError, as_option
from radhard.faults.faults import MOST_FLIPS
from radhard.hardware import FaultModel, fault_model_of, fault_model_text
from radhard.studies.options import FaultOptions


def counts_of(flips: int | Sequence[int], *, ber: object = None) -> tuple[int, ...]:
    """One number of flips an inference or several. InputError for none, for one given twice, and beside a rate."""
    if ber is not None:
        raise InputError(
            f"--ber {_listed(ber)} with --flips {_listed(flips)}: a rate and a count together; leave one of the two out"
        )
    counts = tuple(flips) if isinstance(flips, Sequence) else (flips,)
    if not counts:
        raise InputError("--flips is empty: give a number of flips an inference or more, such as 1")
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_FLIPS:
            raise InputError(f"--flips {count}: give a number of flips an inference, from 1 to {MOST_FLIPS:,}")
    if len(set(counts)) < len(counts):
        raise InputError(f"--flips {_listed(counts)}: a number is given twice; give each once")
    return counts


def rates_of(ber: float | Sequence[float]) -> tuple[float, ...]:
    """One rate or several -> the rates. InputError for none, for one outside [0, 1], and for one given twice."""
    rates = (float(ber),) if isinstance(ber, int | float) else tuple(map(float, ber))
    if not rates:
        raise InputError("--ber is empty: give one bit error rate or more, such as 1e-8")
    for rate in rates:
        if not 0 <= rate <= 1:
            raise InputError(f"--ber {rate:g}: it is a probability, from 0 to 1, such as 1e-8")
    if len(set(rates)) < len(rates):
        raise InputError(f"--ber {', '.join(f'{rate:g}' for rate in rates)}: a rate is given twice; give each once")
    return rates


def upset_of(
    given: str | FaultModel | None, *, faults: FaultOptions, ber: object = None, flips: object = None
) -> FaultModel | None:
    """A fault model, or its text; None for none.

    InputError beside a rate, beside a number of flips but 1, and beside `faults` that say which operations flip.
    """
    if given is None:
        return None
    model = fault_model_of(given)
    text = fault_model_text(model)
    if ber is not None:
        raise InputError(
            f"--ber {_listed(ber)} with --faults {text}: a fault model has one upset an inference, and no rate; leave "
            "one of the two out"
        )
    if flips is not None and counts_of(flips) != (1,):  # type: ignore[arg-type]
        raise InputError(
            f"--flips {_listed(flips)} with --faults {text}: a fault model has one upset an inference; leave --flips "
            "out"
        )
    unset = FaultOptions()
    for name in ("kinds", "words"):
        if getattr(faults, name) != getattr(unset, name):
            raise InputError(
                f"{as_option(name)} with --faults {text}: it says which operations flip, and the fault model says what "
                f"is hit; leave {as_option(name)} out"
            )
    return model


def told_of(model: FaultModel | None) -> dict[str, str]:
    """The fault model as the settings of a result have it; without one they are what they were before there was any."""
    return {} if model is None else {"faults": fault_model_text(model)}


def _listed(values: object) -> str:
    each = values if isinstance(values, Sequence) and not isinstance(values, str) else (values,)
    return ",".join(f"{one:g}" if isinstance(one, int | float) else str(one) for one in each)
