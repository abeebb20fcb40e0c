"""Bit flips against an independent reference that writes numbers out as strings of bits."""

import json
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from radhard.errors import InputError
from radhard.words import (
    BFloat16,
    Float16,
    Float32,
    Int,
    UInt8,
    Word,
    Words,
    flip,
    flip_mask,
    parse_word,
    word_of,
    wrap,
)

FLOATS = [Float16(), BFloat16(), Float32()]
INTEGER = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}


def text_of(value: int, bits: int) -> str:
    """Two's complement as text, most significant bit first."""
    return format(value % 2**bits, f"0{bits}b")


def value_of(text: str) -> int:
    return int(text, 2) - (2 ** len(text) if text[0] == "1" else 0)


def flipped_text(text: str, bit: int) -> str:
    place = len(text) - 1 - bit
    return text[:place] + ("0" if text[place] == "1" else "1") + text[place + 1 :]


def flipped(value: int, bit: int, bits: int) -> int:
    return value_of(flipped_text(text_of(value, bits), bit))


def test_every_bit_of_every_int8() -> None:
    values = list(range(-128, 128))
    for bit in range(8):
        got = flip(torch.tensor(values, dtype=torch.int8), bit, Int(8))
        assert got.tolist() == [flipped(v, bit, 8) for v in values]


@pytest.mark.parametrize("word", [Float16(), BFloat16()], ids=lambda w: w.name)
def test_every_bit_of_every_16_bit_float(word: Word) -> None:
    patterns = list(range(2**16))
    raw = torch.frombuffer(bytearray(struct.pack("<65536H", *patterns)), dtype=word.dtype)
    for bit in range(16):
        got = flip(raw, bit, word)
        assert got.dtype == word.dtype
        infinity, nan = {Float16(): (0x7C00, 0x7E00), BFloat16(): (0x7F80, 0x7FC0)}[word]
        words = [nan if p & 0x7FFF > infinity else p for p in patterns]
        expected = [p + 2**bit if (p // 2**bit) % 2 == 0 else p - 2**bit for p in words]
        assert list(struct.unpack("<65536H", got.view(torch.int16).numpy().tobytes())) == expected


@given(pattern=st.integers(0, 2**32 - 1), bit=st.integers(0, 31))
def test_float32_flips_bit_for_bit_nans_included(pattern: int, bit: int) -> None:
    raw = torch.frombuffer(bytearray(struct.pack("<I", pattern)), dtype=torch.float32)
    got = struct.unpack("<I", flip(raw, bit, Float32()).numpy().tobytes())[0]
    nan = pattern & 0x7FFFFFFF > 0x7F800000  # any of them becomes the one without sign and payload first
    assert format(got, "032b") == flipped_text(format(0x7FC00000 if nan else pattern, "032b"), bit)


def test_float32_meaning_of_bits() -> None:
    one = torch.tensor([1.0])
    assert flip(one, 31, Float32()).item() == -1.0
    assert flip(one, 23, Float32()).item() == 0.5
    assert flip(one, 30, Float32()).item() == float("inf")
    assert flip(one, 22, Float32()).item() == 1.5
    zero = flip(torch.tensor([0.0]), 31, Float32())
    assert struct.pack("<f", zero.item()) == struct.pack("<f", -0.0)


def test_every_bit_of_every_uint8() -> None:
    """XOR of the bits as plain integers; by its name it is read again."""
    values = torch.arange(256).to(torch.uint8)
    for bit in range(8):
        assert flip(values, bit, UInt8()).tolist() == [value ^ (1 << bit) for value in range(256)]
    assert flip_mask(values, torch.tensor(0b10000001), UInt8()).tolist() == [value ^ 129 for value in range(256)]
    assert word_of(torch.uint8) == parse_word("uint8") == UInt8()
    with pytest.raises(InputError, match="bit 8 of uint8"):
        flip(values, 8, UInt8())


@pytest.mark.parametrize("bits", [2, 5, 7, 8, 12, 16, 24, 32, 33, 48, 63, 64])
def test_widths_stay_sign_extended(bits: int) -> None:
    word, low, high = Int(bits), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values = sorted({*range(max(low, -40), min(high, 40) + 1), low, low + 1, high - 1, high, low // 3, high // 3})
    container = next(size for size in (8, 16, 32, 64) if bits <= size)
    tensor = torch.tensor(values, dtype=INTEGER[container])
    assert word.dtype == tensor.dtype
    for bit in range(bits):
        got = flip(tensor, bit, word)
        assert got.tolist() == [flipped(v, bit, bits) for v in values]
        assert torch.equal(flip(got, bit, word), tensor)
    negated = flip(tensor, bits - 1, word)
    assert torch.equal(negated < 0, tensor >= 0)


def test_every_bit_of_every_5_and_12_bit_value() -> None:
    for bits, dtype in ((5, torch.int8), (12, torch.int16)):
        values = list(range(-(2 ** (bits - 1)), 2 ** (bits - 1)))
        tensor = torch.tensor(values, dtype=dtype)
        for bit in range(bits):
            assert flip(tensor, bit, Int(bits)).tolist() == [flipped(v, bit, bits) for v in values]


@given(bits=st.integers(2, 64), data=st.data())
def test_masks_flip_several_bits_at_once(bits: int, data: st.DataObject) -> None:
    word = Int(bits)
    value = data.draw(st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    chosen = data.draw(st.sets(st.integers(0, bits - 1)))
    expected = value
    for bit in chosen:
        expected = flipped(expected, bit, bits)
    mask = torch.tensor([value_of(text_of(sum(2**b for b in chosen), 64))])
    values = torch.tensor([value], dtype=word.dtype)
    got = flip_mask(values, mask, word)
    assert got.item() == expected
    assert torch.equal(flip_mask(got, mask, word), values)


@pytest.mark.parametrize("word", FLOATS, ids=lambda w: w.name)
def test_float_masks_are_flips_in_a_row(word: Word) -> None:
    values = torch.randn(50, generator=torch.Generator().manual_seed(1)).to(word.dtype)
    top = word.bits - 1
    got = flip_mask(values, torch.tensor((1 << top) | 0b101), word)
    assert torch.equal(got, flip(flip(flip(values, top, word), 0, word), 2, word))


def test_bits_broadcast_and_values_are_left_alone() -> None:
    values = torch.tensor([[1], [2]], dtype=torch.int8)
    got = flip(values, torch.tensor([0, 1, 7]), Int(8))
    assert got.tolist() == [[0, 3, -127], [3, 0, -126]]
    assert values.tolist() == [[1], [2]]
    strided = torch.arange(6, dtype=torch.int16).reshape(2, 3).T
    assert flip(strided, 0, Int(16)).tolist() == [[1, 2], [0, 5], [3, 4]]
    none = flip(torch.empty(0), torch.empty(0, dtype=torch.int64), Float32())
    assert none.shape == (0,)
    assert flip(torch.tensor(1.0, requires_grad=True), 31, Float32()).item() == -1.0


@given(value=st.integers(-(2**63), 2**63 - 1), bits=st.integers(2, 64))
def test_wrap_keeps_the_low_bits(value: int, bits: int) -> None:
    got = wrap(torch.tensor([value]), Int(bits))
    assert got.dtype == Int(bits).dtype
    assert got.item() == value_of(text_of(value, 64)[64 - bits :])


def test_names() -> None:
    words = [Int(bits, exposed=e) for bits in range(2, 65) for e in range(1, bits + 1)]
    for word in [*words, *FLOATS]:
        assert parse_word(word.name) == word
        assert hash(parse_word(word.name)) == hash(word)
    assert len({word.name for word in words}) == len(words)
    assert Int(16, exposed=8).name == "int16[0:8]"
    assert Int(16).name == "int16"
    assert Int(16) == Int(16, exposed=16)
    assert [w.name for w in FLOATS] == ["float16", "bfloat16", "float32"]


def test_words_travel_through_json() -> None:
    words = Words(product=Int(16, exposed=8), accumulator=Int(24))
    assert Words.from_dict(json.loads(json.dumps(words.as_dict()))) == words
    assert words.name == "product=int16[0:8],accumulator=int24"
    assert Words() == Words(product=Int(16), accumulator=Int(32)) == Words.from_dict({})


def test_word_of_a_dtype() -> None:
    assert [word_of(d) for d in INTEGER.values()] == [Int(8), Int(16), Int(32), Int(64)]
    for word in FLOATS:
        assert word_of(word.dtype) == word


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Int(1), r"Int\(bits=1\): a width of 2 to 64"),
        (lambda: Int(65), r"Int\(bits=65\)"),
        (lambda: Int(8, exposed=9), r"Int\(8, exposed=9\): 1 to 8"),
        (lambda: Int(8, exposed=0), r"exposed=0"),
        (lambda: parse_word("float8"), "'float8' is not known"),
        (lambda: parse_word("int16[4:8]"), "not known"),
        (lambda: parse_word("int99"), "bits=99"),
        (lambda: word_of(torch.float64), "dtype torch.float64"),
        (lambda: word_of(torch.bool), "dtype torch.bool"),
        (lambda: Words.from_dict({"sum": "int8"}), "no field 'sum'"),
        (lambda: Words.from_dict({"product": "float32"}), "product=float32: products and running sums are integers"),
        (lambda: flip(torch.ones(2, dtype=torch.int8), 8, Int(8)), "bit 8 of int8: exposed bits are 0 to 7"),
        (lambda: flip(torch.ones(2, dtype=torch.int8), -1, Int(8)), "bit -1 of int8"),
        (
            lambda: flip(torch.ones(2, dtype=torch.int16), torch.tensor([3, 9]), Int(16, exposed=8)),
            r"bit 9 of int16\[0:8\]: exposed bits are 0 to 7",
        ),
        (lambda: flip(torch.ones(2), 3, Int(32)), "values have dtype torch.float32; int32 is carried by"),
        (lambda: flip(torch.ones(2), torch.tensor(1.0), Float32()), "bit has dtype torch.float32"),
        (lambda: flip_mask(torch.ones(2), torch.tensor(1 << 32), Float32()), "mask 0x100000000 of float32"),
        (lambda: flip_mask(torch.ones(2), torch.tensor([-1]), Float32()), "mask 0xffffffffffffffff"),
        (lambda: flip_mask(torch.ones(2), torch.tensor([1], dtype=torch.int32), Float32()), "mask has dtype"),
        (lambda: wrap(torch.ones(2, dtype=torch.int32), Int(8)), "compute them in int64"),
    ],
)
def test_errors_name_value_and_fix(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]
