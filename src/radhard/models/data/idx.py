"""IDX, the file format of MNIST: a magic number, the sizes, then the bytes, row-major."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from radhard.errors import InputError

_UBYTE = 0x08


def read_idx(path: Path, *, dims: int) -> npt.NDArray[np.uint8]:
    """An IDX file of unsigned bytes, gzipped or not -> uint8 array of `dims` axes. InputError names a broken file."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no file that can be read to its end; expected an IDX file")
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected an IDX file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read as gzip ({error}); get the file again") from error
    header = 4 + 4 * dims
    if len(raw) < header:
        raise InputError(f"{path} holds {len(raw)} bytes, fewer than the IDX header's {header}; get the file again")
    magic, *sizes = struct.unpack_from(f">{1 + dims}I", raw)
    expected = _UBYTE << 8 | dims
    if magic != expected:
        raise InputError(
            f"{path} begins with the magic number 0x{magic:08x}; an IDX file of unsigned bytes with {dims} "
            f"axes begins with 0x{expected:08x}: is it another file under this name?"
        )
    if len(raw) - header != math.prod(sizes):
        raise InputError(
            f"{path} states the sizes {sizes}, hence {math.prod(sizes)} bytes, but {len(raw) - header} "
            "follow its header; get the file again"
        )
    return np.frombuffer(raw, dtype=np.uint8, offset=header).reshape(sizes).copy()


def write_idx(path: Path, array: npt.NDArray[np.uint8]) -> None:
    """A uint8 array -> a gzipped IDX file, the same bytes each time: no time or name is in its header."""
    header = struct.pack(f">{1 + array.ndim}I", _UBYTE << 8 | array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + np.ascontiguousarray(array).tobytes(), compresslevel=9, mtime=0))
