"""Which bit error rates show the whole of a curve."""

import math

from radhard.errors import InputError

FLIPS: dict[str, tuple[float, float]] = {
    "int8": (30.0, 50_000.0),
    "int8-float": (0.5, 5_000.0),
    "float": (0.05, 500.0),
}
"""By recipe, flips an image at the two ends of a default range. At the first the models of the zoo are intact, at the
last nothing is left of them: saturation bounds what a flip can do, a float's exponent does not."""


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
