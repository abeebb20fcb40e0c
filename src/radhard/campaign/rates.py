"""Default bit error rates of a sweep: those that show the whole fall of the curve."""

import math

from radhard.errors import InputError

FLIPS: dict[str, tuple[float, float]] = {
    "int8": (30.0, 50_000.0),
    "int8-symmetric": (30.0, 50_000.0),
    "int8-float": (0.5, 5_000.0),
    "float": (0.05, 500.0),
    "pt2e": (0.5, 50_000.0),
}
"""By recipe, flips an image at the two ends of a default range. At the first the models of the zoo are intact, at the
last nothing is left of them: saturation bounds what a flip can do, a float's exponent does not. Of a program that
another quantised it is not known which of the two its results do: its range covers both."""


def even_in_logarithm(low: float, high: float, *, points: int) -> tuple[float, ...]:
    """Rates from `low` to `high`, both kept, those between to 4 digits. InputError if two coincide."""
    step = math.log(high / low) / (points - 1)
    between = (float(f"{low * math.exp(step * k):.4g}") for k in range(1, points - 1))
    values = (low, *between, high)
    if len(set(values)) != points:
        raise InputError(f"{points} points from {low:g} to {high:g} are not {points} rates; ask for fewer")
    return values


def whole_curve(bits: int, *, recipe: str, points: int = 9) -> tuple[float, ...]:
    """`bits` of an image that can flip -> rates over which the recipe goes from intact to collapsed."""
    if bits < 1:
        raise InputError("no bit of the model is exposed, so no rate matters; select other sites")
    low, high = (min(1.0, float(f"{flips / bits:.2g}")) for flips in FLIPS[recipe])
    return even_in_logarithm(low, high, points=points)


def comparable_curve(bits: int, *, recipe: str) -> tuple[float, ...]:
    """The range of `whole_curve` in rates that are the same for every model: 1, 2 and 5 of each power of ten.

    Curves of several models meet at these rates wherever their ranges overlap. Each keeps its own range: beyond it
    a model is intact, or has nothing left to lose and costs the most. And a model more or less moves no rate, so
    what a store holds stays of use.
    """
    ends = whole_curve(bits, recipe=recipe, points=2)
    exponents = range(math.floor(math.log10(ends[0])) - 1, 1)
    steps = [rate for k in exponents for digit in (1, 2, 5) if (rate := float(f"{digit}e{k}")) <= 1]
    first, last = (min(range(len(steps)), key=lambda k: abs(math.log(steps[k] / end))) for end in ends)
    return tuple(steps[first : last + 1])
