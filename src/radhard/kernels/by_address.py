"""Loops that numba compiles and that are called by address, without the interpreter's lock.

A call costs a microsecond where one with arrays would cost ten. Whoever calls keeps the tensors alive, contiguous and
of the right type.
"""

import ctypes
from collections.abc import Callable
from typing import Any

from numba import cfunc, types

INT8, UINT8, INT16, INT32, INT64, REAL = (
    types.CPointer(t) for t in (types.int8, types.uint8, types.int16, types.int32, types.int64, types.float32)
)
ANY = types.voidptr
N, R = types.intp, types.float32
_C_TYPES: dict[Any, Any] = {N: ctypes.c_ssize_t, R: ctypes.c_float}


def by_address(result: Any, *kinds: Any) -> Callable[[Any], Callable[..., Any]]:
    """Compile a loop with arguments of these kinds: addresses, whole numbers `N` and float32 `R`."""
    arguments = (_C_TYPES.get(kind, ctypes.c_void_p) for kind in kinds)
    prototype = ctypes.CFUNCTYPE(None if result == types.void else ctypes.c_ssize_t, *arguments)

    def compile_(loop: Any) -> Callable[..., Any]:
        code = cfunc(result(*kinds), cache=True, error_model="numpy")(loop)
        call = prototype(code.address)
        call.code = code  # type: ignore[attr-defined]  # as long as it may be called
        return call

    return compile_
