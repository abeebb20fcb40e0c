"""exp, erf and tanh of float32 within 2 units in the last place, more exact than the GPU's own.

Sums, products and bit patterns alone, so that an interpreter's results are those of a GPU. The polynomials are those of
Cephes (Moshier) for exp and tanh, and of minimax fits for erf.
"""

import triton
import triton.language as tl


@triton.jit
def _power_of_two(k):  # type: ignore[no-untyped-def]
    """2 ** k for -126 <= k <= 127."""
    return ((k + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
def exp(x):  # type: ignore[no-untyped-def]
    """e ** x; 0 and infinity beyond float32's range, NaN of NaN."""
    bounded = tl.minimum(tl.maximum(x, -110.0), 95.0)
    k = (bounded * 1.44269504088896341 + 12582912.0) - 12582912.0
    r = (bounded - k * 0.693359375) + k * 2.12194440e-4  # ln 2 in two parts: k times the first is exact
    p = 1.9875691500e-4 * r + 1.3981999507e-3
    p = p * r + 8.3334519073e-3
    p = p * r + 4.1665795894e-2
    p = p * r + 1.6666665459e-1
    p = p * r + 5.0000001201e-1
    whole = k.to(tl.int32)
    half = whole >> 1  # in two steps, for what is below float32's normal numbers
    y = ((p * r * r + r) + 1.0) * _power_of_two(half) * _power_of_two(whole - half)
    return tl.where(x == x, y, x)


@triton.jit
def tanh(x):  # type: ignore[no-untyped-def]
    """(e ** 2x - 1) / (e ** 2x + 1)."""
    s = x * x
    p = -5.70498872745e-3 * s + 2.06390887954e-2
    p = p * s - 5.37397155531e-2
    p = p * s + 1.33314422036e-1
    p = p * s - 3.33332819422e-1
    near = (p * s) * x + x
    far = 1.0 - tl.div_rn(2.0, exp(tl.abs(x) * 2.0) + 1.0)
    return tl.where(tl.abs(x) < 0.625, near, tl.where(x < 0.0, -far, far))


@triton.jit
def erf(x):  # type: ignore[no-untyped-def]
    """The error function."""
    t = tl.abs(x)
    s = x * x
    near = -5.96761703e-4 * s + 4.99119423e-3
    near = near * s - 2.67681349e-2
    near = near * s + 1.12819925e-1
    near = near * s - 3.76125336e-1
    near = near * s + 1.28379166e-1
    near = near * x + x
    t = tl.minimum(t, 9.0)  # 1 from there on
    far = -1.72853470e-5 * t + 3.83197126e-4
    far = far * (t * t) + (-3.88396438e-3 * t + 2.42546219e-2)
    far = far * t - 1.06777877e-1
    far = far * t - 6.34846687e-1
    far = far * t - 1.28717512e-1
    far = 1.0 - exp(far * t - t)
    far = tl.where(x < 0.0, -far, far)
    return tl.where(x == x, tl.where(tl.abs(x) > 0.927734375, far, near), x)
