"""What happens to a number in a register on its way to a word: scaled, rounded half to even, moved, saturated.

The words of `radhard.ops.write`, bit for bit. `zero`, `low` and `high` are numbers of a launch: kernels that take them
name them in `do_not_specialize`, or are compiled anew for each that 16 divides.
"""

import triton
import triton.language as tl


@triton.jit
def write_back(total, multiplier, zero, low, high):  # type: ignore[no-untyped-def]
    """Accumulators int32 with their bias, multipliers float32 that broadcast -> words, as int32."""
    return rounded(total.to(tl.float32) * multiplier, zero, low, high)


@triton.jit
def rounded(value, zero, low, high):  # type: ignore[no-untyped-def]
    """Numbers float32 -> words, as int32: rounded half to even, plus `zero`, from `low` to `high`; NaN counts as 0.

    The bounds before the sum keep it exact, and keep the product that gave the number from being fused with it.
    """
    value = tl.where(value == value, value, 0.0)
    value = tl.minimum(tl.maximum(value, -2097152.0), 2097152.0)
    whole = (value + 12582912.0) - 12582912.0  # 1.5 * 2^23: what is below 1 is rounded away
    return tl.minimum(tl.maximum(whole.to(tl.int32) + zero, low), high)
