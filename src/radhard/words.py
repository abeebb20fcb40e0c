"""Number formats (words) and bit flips: their widths, which bits can flip, and the value after a flip.

A word is carried by a torch tensor. A float is carried by its own dtype. An `Int` of any width is carried by
the smallest of int8, int16, int32 and int64 that holds it, sign-extended: flipping its top bit changes its
sign, and with it every bit above in the container. Bit 0 is the least significant one. A NaN is made canonical
before a bit of it flips.
"""

import re
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from radhard.errors import InputError

_NAN = {torch.float32: 0x7FC00000, torch.bfloat16: 0x7FC0, torch.float16: 0x7E00}
_CONTAINERS = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}


class Word(Protocol):
    """A number format: `bits` wide, of which the low `exposed` can flip, carried by tensors of `dtype`."""

    @property
    def bits(self) -> int:
        """Width of the word."""
        ...

    @property
    def exposed(self) -> int:
        """How many of the low bits can flip."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The torch dtype that carries the word."""
        ...

    @property
    def name(self) -> str:
        """Stable text that `parse_word` reads."""
        ...


@dataclass(frozen=True, init=False)
class Int:
    """A two's complement integer of 2 to 64 bits whose low `exposed` bits (default: all) can flip.

    >>> from radhard import Int
    >>> Int(16).name, Int(16).dtype
    ('int16', torch.int16)
    >>> Int(16, exposed=8).name  # only the low eight bits can flip
    'int16[0:8]'
    """

    bits: int
    exposed: int

    def __init__(self, bits: int, exposed: int | None = None) -> None:
        if not 2 <= bits <= 64:
            raise InputError(f"Int(bits={bits}): a width of 2 to 64 bits is needed")
        if exposed is not None and not 1 <= exposed <= bits:
            raise InputError(f"Int({bits}, exposed={exposed}): 1 to {bits} low bits can be exposed")
        object.__setattr__(self, "bits", bits)
        object.__setattr__(self, "exposed", bits if exposed is None else exposed)

    @property
    def dtype(self) -> torch.dtype:
        """The smallest signed torch dtype that holds the width."""
        return next(dtype for size, dtype in _CONTAINERS.items() if self.bits <= size)

    @property
    def name(self) -> str:
        """`int16` when every bit is exposed, `int16[0:8]` when the low eight are."""
        return f"int{self.bits}" if self.exposed == self.bits else f"int{self.bits}[0:{self.exposed}]"


@dataclass(frozen=True)
class UInt8:
    """An unsigned word of 8 bits, all of which can flip: what a tensor of uint8 holds."""

    bits: int = field(default=8, init=False, repr=False)
    exposed: int = field(default=8, init=False, repr=False)
    dtype: torch.dtype = field(default=torch.uint8, init=False, repr=False)
    name: str = field(default="uint8", init=False, repr=False)


@dataclass(frozen=True)
class Float32:
    """IEEE 754 binary32: 23 bits of fraction, 8 of exponent, the sign at bit 31.

    >>> from radhard import Float32
    >>> Float32().bits, Float32().dtype
    (32, torch.float32)
    """

    bits: int = field(default=32, init=False, repr=False)
    exposed: int = field(default=32, init=False, repr=False)
    dtype: torch.dtype = field(default=torch.float32, init=False, repr=False)
    name: str = field(default="float32", init=False, repr=False)


@dataclass(frozen=True)
class BFloat16:
    """bfloat16: 7 bits of fraction, 8 of exponent, the sign at bit 15.

    >>> from radhard import BFloat16
    >>> BFloat16().bits, BFloat16().dtype
    (16, torch.bfloat16)
    """

    bits: int = field(default=16, init=False, repr=False)
    exposed: int = field(default=16, init=False, repr=False)
    dtype: torch.dtype = field(default=torch.bfloat16, init=False, repr=False)
    name: str = field(default="bfloat16", init=False, repr=False)


@dataclass(frozen=True)
class Float16:
    """IEEE 754 binary16: 10 bits of fraction, 5 of exponent, the sign at bit 15.

    >>> from radhard import Float16
    >>> Float16().bits, Float16().dtype
    (16, torch.float16)
    """

    bits: int = field(default=16, init=False, repr=False)
    exposed: int = field(default=16, init=False, repr=False)
    dtype: torch.dtype = field(default=torch.float16, init=False, repr=False)
    name: str = field(default="float16", init=False, repr=False)


_OTHERS: dict[str, Word] = {word.name: word for word in (Float32(), BFloat16(), Float16(), UInt8())}


CARRIERS = (*_CONTAINERS.values(), *(word.dtype for word in _OTHERS.values()))
"""The types of tensors that carry words."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of an integer matrix product: those of its products and those of its running sums.

    >>> from radhard import Int, Words
    >>> Words(product=Int(16, exposed=8)).name
    'product=int16[0:8],accumulator=int32'
    """

    product: Int = Int(16)
    accumulator: Int = Int(32)

    @property
    def name(self) -> str:
        """Stable text, for instance `product=int16,accumulator=int32`."""
        return ",".join(f"{key}={value}" for key, value in self.as_dict().items())

    def as_dict(self) -> dict[str, str]:
        """`{"product": "int16", "accumulator": "int32"}`, ready for JSON."""
        return {"product": self.product.name, "accumulator": self.accumulator.name}

    @classmethod
    def from_dict(cls, names: dict[str, str]) -> "Words":
        """Inverse of `as_dict`; a key left out takes its default."""
        if unknown := sorted(names.keys() - {"product", "accumulator"}):
            raise InputError(f"Words has no field {unknown[0]!r}; its fields are 'product' and 'accumulator'")
        for key, name in names.items():
            if not isinstance(name, str) or name in _OTHERS:
                raise InputError(f"{key}={name}: products and running sums are integers; write int16, or int16[0:8]")
        return cls(**{key: _parse_int(name) for key, name in names.items()})


def parse_word(name: str) -> Word:
    """The word of a name such as `int16`, `int16[0:8]` or `float32`: inverse of `.name`."""
    return _OTHERS[name] if name in _OTHERS else _parse_int(name)


def _parse_int(name: str) -> Int:
    match = re.fullmatch(r"int([1-9]\d*)(?:\[0:([1-9]\d*)\])?", name, re.ASCII)
    if match is None:
        known = ", ".join(_OTHERS)
        raise InputError(f"word {name!r} is not known; write int16, int16[0:8] (low 8 bits exposed), {known}")
    bits, exposed = match.groups()
    return Int(int(bits), None if exposed is None else int(exposed))


def word_of(dtype: torch.dtype) -> Word:
    """The word that a stored or elementwise value of this dtype is, all of its bits exposed."""
    for bits, container in _CONTAINERS.items():
        if dtype == container:
            return Int(bits)
    for word in _OTHERS.values():
        if dtype == word.dtype:
            return word
    known = ", ".join(map(str, CARRIERS))
    raise InputError(f"dtype {dtype} carries no word that can flip; convert the tensor to one of {known}")


def flip(values: Tensor, bit: int | Tensor, word: Word) -> Tensor:
    """`values` [...] word.dtype, `bit` an int or integers that broadcast with it -> new tensor, bits flipped.

    Raises InputError if a bit is not exposed or `values` is not carried by `word.dtype`.
    """
    if isinstance(bit, int):
        bit = torch.tensor(bit)
    if bit.is_floating_point() or bit.is_complex() or bit.dtype == torch.bool:
        raise InputError(f"bit has dtype {bit.dtype}; bit positions are integers, 0 the least significant")
    if bool((outside := (bit < 0) | (bit >= word.exposed)).any()):
        raise InputError(f"bit {int(bit[outside][0])} of {word.name}: exposed bits are 0 to {word.exposed - 1}")
    return _xor(values, torch.ones_like(bit, dtype=torch.int64) << bit, word)


def flip_mask(values: Tensor, mask: Tensor, word: Word) -> Tensor:
    """`values` [...] word.dtype, `mask` int64 that broadcasts with it -> new tensor, its set bits flipped.

    Raises InputError if a bit of the mask is not exposed or `values` is not carried by `word.dtype`.
    """
    if mask.dtype != torch.int64:
        raise InputError(f"mask has dtype {mask.dtype}; a mask of bits is int64")
    if word.exposed < 64 and bool((outside := (mask < 0) | (mask >> word.exposed != 0)).any()):
        first = int(mask[outside][0]) & (1 << 64) - 1
        raise InputError(f"mask {first:#x} of {word.name}: exposed bits are 0 to {word.exposed - 1}")
    return _xor(values, mask, word)


def flip_known(values: Tensor, mask: Tensor, word: Word) -> Tensor:
    """`flip_mask` without a look at the mask, whose bits are known to be exposed: a device is not waited for."""
    return _xor(values, mask, word)


def wrap(values: Tensor, word: Int) -> Tensor:
    """`values` [...] int64 -> [...] word.dtype: the low bits as two's complement, sign-extended."""
    if values.dtype != torch.int64:
        raise InputError(f"values to wrap have dtype {values.dtype}; compute them in int64")
    return _sign_extend(values, word.bits).to(word.dtype)


def _sign_extend(values: Tensor, bits: int) -> Tensor:
    return (values << (64 - bits)) >> (64 - bits)


def canonical(values: Tensor) -> Tensor:
    """`values` [...] -> the same; of floats, every NaN is the quiet one without a sign, 0x7FC00000 as float32.

    What sign and payload a NaN has is the processor's and the compiler's to choose. A flip in a word that is NaN hits
    this one, so that what comes of it is the same everywhere.
    """
    if values.dtype not in _NAN:
        return values
    carrier = _CONTAINERS[8 * values.dtype.itemsize]
    return values.view(carrier).masked_fill(values.isnan(), _NAN[values.dtype]).view(values.dtype)


def _xor(values: Tensor, mask: Tensor, word: Word) -> Tensor:
    """XOR with a sign-extended mask, which keeps an `Int` narrower than its container sign-extended."""
    if values.dtype != word.dtype:
        raise InputError(f"values have dtype {values.dtype}; {word.name} is carried by {word.dtype}")
    carrier = _CONTAINERS[8 * word.dtype.itemsize]
    extended = _sign_extend(mask, word.bits).to(device=values.device, dtype=carrier)
    return (canonical(values.detach()).view(carrier) ^ extended).view(word.dtype)
