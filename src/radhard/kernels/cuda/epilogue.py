"""The write-back of a number in a register: scaled, rounded half to even, shifted, saturated.

The words of `radhard.kernels.write`, bit for bit. `zero`, `low` and `high` are numbers of a launch: kernels that take
them name them in `do_not_specialize`, or are compiled anew for each that 16 divides.
"""

import triton
import triton.language as tl


@triton.jit
def write_back(total, multiplier, zero, low, high):  # type: ignore[no-untyped-def]
    """Accumulators int32 with their bias, multipliers float32 that broadcast -> words, as int32."""
    # a multiplier that is not a number makes 0, and so does 0 times infinity: asked of the few, not of all products
    known = tl.where(multiplier == multiplier, multiplier, 0.0)
    known = tl.minimum(tl.maximum(known, -3.0e38), 3.0e38)
    return nearest(total.to(tl.float32) * known, zero, low, high)


@triton.jit
def rounded(value, zero, low, high):  # type: ignore[no-untyped-def]
    """Numbers float32 -> words, as int32: rounded half to even, plus `zero`, from `low` to `high`; NaN counts as 0."""
    return nearest(tl.where(value == value, value, 0.0), zero, low, high)


@triton.jit
def nearest(value, zero, low, high):  # type: ignore[no-untyped-def]
    """As `rounded`, of no NaN.

    Saturated first, which rounding keeps: the bounds are integers. Then adding 1.5 x 2^23 rounds, and leaves the
    integer in the low bits. The bounds before the sum also keep the product that gave the number from being fused with
    it.
    """
    value = tl.maximum(value, (low - zero).to(tl.float32))
    value = tl.minimum(value, (high - zero).to(tl.float32))
    return (value + 12582912.0).to(tl.int32, bitcast=True) + (zero - 0x4B400000)
