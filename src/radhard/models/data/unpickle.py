"""A safe unpickler for plain values and arrays: no code in a file is run."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from radhard.errors import InputError

_DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "b1")
_ARRAYS = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_PARTS = ("_reconstruct", "ndarray", "dtype", "_frombuffer")


def read_pickle(path: Path) -> Any:
    """A pickle of dicts, lists, tuples, texts, bytes, numbers and numpy arrays of numbers -> the value.

    InputError for whatever else it asks for, before anything of that is imported or called, and for damage.
    """
    try:
        value = _Plain(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        return _value(value)
    except InputError as error:
        raise InputError(f"{path} was refused: {error}") from error
    except Exception as error:  # a damaged pickle may make the reader raise anything
        raise InputError(f"{path} cannot be read as a pickle ({type(error).__name__}: {error})") from error


class _Plain(pickle.Unpickler):
    """A reader to which numpy's arrays are records of their parts, and every other name is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name that a pickle may ask for: made anew each time, so that a pickle cannot change it."""
        if module in _ARRAYS and name in _PARTS:

            class Part(_Part):
                kind = name

            return Part
        if (module, name) == ("_codecs", "encode"):  # how protocol 2 writes bytes
            return lambda text, _encoding: text.encode("latin1")
        raise InputError(f"it asks for {module}.{name}, which may run code; only plain values and arrays are read")

    def persistent_load(self, pid: Any) -> Any:
        """Refused: it would be read from elsewhere."""
        raise InputError(f"it points to something outside of the file ({pid!r})")


class _Part:
    """What a pickle says of an array or of a data type: arguments and state."""

    kind = ""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _value(value: Any) -> Any:
    """The value with its arrays made; of a dict and of a list at its top."""
    if isinstance(value, dict):
        return {_text(key): _value(part) if isinstance(part, _Part) else part for key, part in value.items()}
    return _array(value) if isinstance(value, _Part) else value


def _text(key: Any) -> Any:
    return key.decode("latin1") if isinstance(key, bytes) else key


def _array(part: _Part) -> Any:
    """An array from its parts: shape, data type, order, bytes."""
    if part.kind == "_frombuffer":
        raw, dtype, shape, order = part.arguments
        fortran, raw = _text(order) == "F", bytes(raw)
    else:
        _version, shape, dtype, fortran, raw = part.state
    code = _text(dtype.arguments[0])
    if code not in _DTYPES or not isinstance(raw, bytes):
        raise InputError(f"it holds an array of {code}, not of numbers")
    order = _text(dtype.state[1]) if len(dtype.state) > 1 else "|"
    found = np.frombuffer(raw, np.dtype(code).newbyteorder(order))
    return found.reshape(tuple(map(int, shape)), order="F" if fortran else "C")
