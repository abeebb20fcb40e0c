"""Image files that PIL truncates to 8 bits or cannot open: .npy, 16-bit colour PNG, multi-channel TIFF."""

import math
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

NumpyArray = npt.NDArray[Any]

_NPY = b"\x93NUMPY"
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\x00", b"MM\x00*")
_COLOURS = {2: 3, 4: 2, 6: 4}  # PNG's colour types -> samples a pixel
_NUMBERS = {1: "B", 3: "H", 4: "I"}  # TIFF's types of whole numbers
_DEFLATE = (8, 32946)
_BYTES = 8
_MOST = 1 << 29  # values of a TIFF
_PIL_SAMPLES = 4  # PIL opens TIFF of up to so many samples of 8 bits a pixel


def deep_pixels(file: str | Path | BinaryIO) -> NumpyArray | None:
    """The array [H, W, C] or as saved of a file that PIL would not open as it is; None for all other files.

    ValueError for a file of such a kind that is damaged or packed in a way that is not read.
    """
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            return deep_pixels(opened)
    head = file.read(26)
    file.seek(0)
    if head.startswith(_NPY):
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    if head.startswith(_PNG) and len(head) == 26 and head[24] == 16 and head[25] in _COLOURS:
        return _png(file.read(), samples=_COLOURS[head[25]])
    if head.startswith(_TIFF):
        found = _tiff(file)
        file.seek(0)
        return found
    return None


def _png(raw: bytes, *, samples: int) -> NumpyArray:
    """A PNG of 16 bits in colour or with transparency -> uint16 [H, W, C]; transparency is dropped."""
    packed, header, at, ended = bytearray(), b"", len(_PNG), False
    while at + 12 <= len(raw) and not ended:
        (length,), name = struct.unpack_from(">I", raw, at), raw[at + 4 : at + 8]
        content = raw[at + 8 : at + 8 + length]
        if struct.pack(">I", zlib.crc32(name + content)) != raw[at + 8 + length : at + 12 + length]:
            raise ValueError(f"it is a damaged PNG: chunk {name!r} has another checksum")
        header = content if name == b"IHDR" else header
        packed += content if name == b"IDAT" else b""
        ended, at = name == b"IEND", at + 12 + length
    if not ended or len(header) != 13:
        raise ValueError("it is a PNG that was cut short")
    width, height, interlaced = *struct.unpack_from(">II", header), header[12]
    if interlaced:
        raise ValueError("it is an interlaced PNG of 16 bits; save it without interlacing")
    size = height * (1 + 2 * samples * width)
    lines = zlib.decompressobj().decompress(bytes(packed), size + 1)
    if len(lines) != size:
        raise ValueError(f"it is a damaged PNG: {len(lines)} bytes of pixels, {size} are due")
    rows = np.frombuffer(lines, np.uint8).reshape(height, -1).copy()
    if rows[:, 0].max(initial=0) > 4:
        raise ValueError("it is a damaged PNG: a line has an unknown filter")
    _unfilter(rows, 2 * samples)
    pixels = np.ascontiguousarray(rows[:, 1:]).view(">u2").reshape(height, width, samples)
    return pixels[:, :, : samples - 1 if samples in (2, 4) else samples].astype(np.uint16)


@njit  # type: ignore[untyped-decorator]
def _unfilter(rows: Any, step: int) -> None:
    """Undo the filters of PNG's lines, uint8 [H, 1 + bytes] each, in place; `step` bytes a pixel."""
    for y in range(rows.shape[0]):
        kind = rows[y, 0]
        for x in range(1, rows.shape[1]):
            left = int(rows[y, x - step]) if x > step else 0
            up = int(rows[y - 1, x]) if y > 0 else 0
            corner = int(rows[y - 1, x - step]) if y > 0 and x > step else 0
            more = 0
            if kind == 1:
                more = left
            elif kind == 2:
                more = up
            elif kind == 3:
                more = (left + up) // 2
            elif kind == 4:
                guess = left + up - corner
                a, b, c = abs(guess - left), abs(guess - up), abs(guess - corner)
                more = left if a <= b and a <= c else up if b <= c else corner
            rows[y, x] = (int(rows[y, x]) + more) % 256


def _tiff(file: BinaryIO) -> NumpyArray | None:
    """A TIFF of several samples of more than 8 bits, or of more than 4 -> [H, W, C]; None for what PIL opens."""
    try:
        header = file.read(8)
        order: Literal["<", ">"] = "<" if header.startswith(b"II") else ">"
        tags, more = _tags(file, order=order, at=struct.unpack(f"{order}I", header[4:])[0])
        samples, bits = tags.get(277, (1,))[0], tags.get(258, (1,))
        if samples == 1 or (samples <= _PIL_SAMPLES and set(bits) == {_BYTES}):
            return None
        if more:
            raise ValueError("it holds several pictures; save each in a file of its own")
        return _assembled(file, tags, samples=samples, dtype=_dtype(tags, bits).newbyteorder(order))
    except (KeyError, IndexError, TypeError, struct.error, OSError, ZeroDivisionError, zlib.error) as error:
        raise ValueError(f"it is a damaged TIFF ({type(error).__name__}: {error})") from error


def _tags(file: BinaryIO, *, order: str, at: int) -> tuple[dict[int, tuple[int, ...]], int]:
    """The whole numbers that a TIFF's first directory holds, by tag, and where the next directory is; 0 for none."""
    file.seek(at)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    entries, (after,) = file.read(12 * count), struct.unpack(f"{order}I", file.read(4))
    found = {}
    for place in range(count):
        tag, kind, number = struct.unpack_from(f"{order}HHI", entries, 12 * place)
        code = _NUMBERS.get(kind)
        if code is None:
            continue
        size = number * struct.calcsize(code)
        raw = entries[12 * place + 8 : 12 * place + 12]
        if size > len(raw):
            file.seek(struct.unpack(f"{order}I", raw)[0])
            raw = file.read(size)
        found[tag] = struct.unpack(f"{order}{number}{code}", raw[:size])
    return found, after


def _dtype(tags: Mapping[int, tuple[int, ...]], bits: tuple[int, ...]) -> np.dtype[Any]:
    formats = set(tags.get(339, (1,)))
    known = {(1, 8): "u1", (1, 16): "u2", (3, 16): "f2", (3, 32): "f4", (3, 64): "f8"}
    if len(set(bits)) != 1 or len(formats) != 1 or (pair := (formats.pop(), bits[0])) not in known:
        raise ValueError(f"its samples of {bits} bits are not read; save it as uint8, uint16 or float32, or as .npy")
    return np.dtype(known[pair])


def _assembled(
    file: BinaryIO, tags: Mapping[int, tuple[int, ...]], *, samples: int, dtype: np.dtype[Any]
) -> NumpyArray:
    """The strips or tiles of a TIFF, put side by side, [H, W, C]."""
    width, height, packing, predictor, planar = (tags.get(tag, (1,))[0] for tag in (256, 257, 259, 317, 284))
    if packing not in (1, *_DEFLATE) or predictor not in (1, 2) or (predictor == 2 and dtype.kind == "f"):
        raise ValueError(
            f"it is a TIFF of {samples} channels with compression {packing} and predictor {predictor}; save it without "
            "compression or by deflate, or as .npy"
        )
    if not 0 < width * height * samples <= _MOST:
        raise ValueError(f"it is a TIFF of {width} x {height} x {samples} values, more than is read")
    tiled = 322 in tags
    across, down = (tags[322][0], tags[323][0]) if tiled else (width, min(height, tags.get(278, (height,))[0]))
    offsets, sizes = (tags[324], tags[325]) if tiled else (tags[273], tags[279])
    together = samples if planar == 1 else 1  # else a plane for each channel, one after another
    columns, rows = math.ceil(width / across), math.ceil(height / down)
    whole = np.zeros((rows * down, columns * across, samples), dtype)
    for number, (offset, size) in enumerate(zip(offsets, sizes, strict=True)):
        plane, place = divmod(number, columns * rows)
        y, x = (place // columns) * down, (place % columns) * across
        tall = down if tiled else min(down, height - y)
        file.seek(offset)
        raw = file.read(size)
        due = tall * across * together * dtype.itemsize
        raw = raw if packing == 1 else zlib.decompressobj().decompress(raw, due)
        if len(raw) < due:
            raise ValueError("it is a TIFF that was cut short")
        part = np.frombuffer(raw, dtype, count=tall * across * together).reshape(tall, across, together)
        if predictor == 2:
            part = np.cumsum(part, axis=1, dtype=dtype.newbyteorder("="))
        first = plane * together
        whole[y : y + tall, x : x + across, first : first + together] = part
    return whole[:height, :width].astype(dtype.newbyteorder("="))
