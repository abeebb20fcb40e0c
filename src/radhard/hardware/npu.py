"""The hardware file of an accelerator: its array, its buffers, and the raw failure rate of each class of parts.

A file is TOML. Sizes are in bits, the clock in Hz, raw rates in FIT a Mbit: failures in 10^9 hours of 10^6 bits.

    name = "my NPU"
    source = "data sheet, revision 3"     # where the sizes are from
    clock = 1e9
    inferences_per_second = 30            # without it, the array never idles between inferences

    [array]
    rows = 128
    columns = 128
    dataflow = "output"                   # or "weight"
    rate = "flip-flop"                    # one of the rates below

    [[buffers]]
    name = "weight buffer"
    holds = "weights"                     # or "activations", "other"
    bits = 8388608
    rate = "sram"
    ecc = "secded"                        # or "none", "parity"
    ecc_coverage = 0.99                   # share of upsets that the code corrects or detects

    [rates.flip-flop]
    fit_per_mbit = 100
    source = "..."                        # where the number is from
    assumes = "..."                       # under which conditions it holds
"""

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from radhard.errors import InputError
from radhard.hardware.memory_code import Ecc
from radhard.hardware.permanent import Dataflow
from radhard.hardware.systolic import SystolicArray
from radhard.json_record import Above, Least, Most, Record

BufferContent = Literal["weights", "activations", "other"]


@dataclass(frozen=True, kw_only=True)
class RawRate(Record):
    """Upsets of a class of parts: `fit_per_mbit`, where the number is from, and under which conditions it holds."""

    fit_per_mbit: Annotated[float, Least(0)]
    source: str
    assumes: str = ""


@dataclass(frozen=True, kw_only=True)
class CellArray(Record):
    """The array: `rows` x `columns` cells with a `dataflow`, whose registers are of the class `rate`.

    An operand has 8 bits and a sum 32: what upsets are modelled in.
    """

    rows: Annotated[int, Least(1)]
    columns: Annotated[int, Least(1)]
    dataflow: Dataflow
    rate: str
    operand_bits: Literal[8] = 8
    accumulator_bits: Literal[32] = 32

    @property
    def systolic(self) -> SystolicArray:
        """The array with its registers and cycles."""
        return SystolicArray(rows=self.rows, columns=self.columns, dataflow=self.dataflow)


@dataclass(frozen=True, kw_only=True)
class Buffer(Record):
    """A memory of `bits` of the class `rate` that holds weights, activations or other words.

    `ecc_coverage`: the share of upsets that the code corrects or detects; in [0, 1], for a buffer with a code. `duty`:
    the share of its bits and time in which a word stands there that is read later; None: not known, so 1 is assumed.
    """

    name: str
    holds: BufferContent
    bits: Annotated[int, Least(1)]
    rate: str
    ecc: Ecc
    ecc_coverage: Annotated[float, Least(0), Most(1)] | None = None
    duty: Annotated[float, Least(0), Most(1)] | None = None


@dataclass(frozen=True, kw_only=True)
class Npu(Record):
    """An accelerator, as its file states it: `clock` in Hz, and where its sizes are from.

    >>> from radhard.hardware import read_npu
    >>> npu = read_npu("npu-128")
    >>> bits = npu.array.systolic.cells * 48  # of its registers
    >>> print(f"{bits / 1e6 * npu.rates[npu.array.rate].fit_per_mbit:.1f} FIT raw")
    78.6 FIT raw
    """

    name: str
    source: str
    clock: Annotated[float, Above(0)]
    array: CellArray
    rates: Mapping[str, RawRate]
    buffers: tuple[Buffer, ...] = ()
    inferences_per_second: Annotated[float, Above(0)] | None = None
    assumes: tuple[str, ...] = ()

    def busy(self, cycles: int) -> float:
        """The share of time in which the array works, of so many `cycles` an inference. InputError if it is above 1."""
        if self.inferences_per_second is None:
            return 1.0
        share = self.inferences_per_second * cycles / self.clock
        if share > 1:
            raise InputError(
                f"{self.name}: inferences_per_second is {self.inferences_per_second:g}, and one takes {cycles:,} "
                f"cycles, {cycles / self.clock:.3g} s at {self.clock:g} Hz: give at most {self.clock / cycles:.4g}"
            )
        return share


def presets() -> dict[str, str]:
    """Names of the hardware files of the package, and their texts."""
    folder = files("radhard.hardware").joinpath("presets")
    found = sorted((each.name, each) for each in folder.iterdir() if each.name.endswith(".toml"))
    return {name.removesuffix(".toml"): each.read_text(encoding="utf-8") for name, each in found}


def read_npu(file: str | Path) -> Npu:
    """Read a hardware file, or a preset by its name. InputError names the file, the key, the value and the fix.

    >>> import radhard as rh
    >>> array = rh.read_npu("npu-128").array
    >>> array.rows, array.columns, array.dataflow
    (128, 128, 'output')
    """
    place, text = _text(file)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{place} is no TOML: {error}; `radhard.hardware.npu` shows a hardware file") from error
    npu = Npu.from_dict(values, place=place)
    for problem in _problems(npu):
        raise InputError(f"{place}{problem}")
    return npu


def _text(file: str | Path) -> tuple[str, str]:
    known = presets()
    if isinstance(file, str) and file in known:
        return f"hardware preset {file}", known[file]
    path = Path(file)
    if path.suffix != ".toml":
        raise InputError(f"--hardware {file}: give a .toml file, or a preset: {', '.join(known)}")
    try:
        return f"hardware file {path}", path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InputError(f"--hardware {file} cannot be read: {why}; give a .toml file or {', '.join(known)}") from error


def _problems(npu: Npu) -> Iterator[str]:
    """What types do not say."""
    numbers: dict[str, float | None] = {"clock": npu.clock, "inferences_per_second": npu.inferences_per_second}
    numbers |= {f"rates.{name}.fit_per_mbit": rate.fit_per_mbit for name, rate in npu.rates.items()}
    for key, number in numbers.items():
        if number is not None and not math.isfinite(number):
            yield f", {key!r} is {number}; give a finite number"
    texts = {"name": npu.name, "source": npu.source}
    texts |= {f"rates.{name}.source": rate.source for name, rate in npu.rates.items()}
    texts |= {f"buffers.{number}.name": each.name for number, each in enumerate(npu.buffers)}
    for key, text in texts.items():
        if not text.strip():
            yield f", {key!r} is {text!r}; {'say where the numbers are from' if 'source' in key else 'give a name'}"
    known = ", ".join(npu.rates) or "none"
    for key, rate in (("array", npu.array.rate), *((f"buffers.{each.name}", each.rate) for each in npu.buffers)):
        if rate not in npu.rates:
            yield f", '{key}.rate' is {rate!r}, and the rates are {known}: add [rates.{rate}] or take one of these"
    names = [each.name for each in npu.buffers]
    for buffer in npu.buffers:
        key = f"buffers.{buffer.name}"
        if names.count(buffer.name) > 1:
            yield f": two buffers are named {buffer.name!r}; give each a name of its own"
        if buffer.ecc == "none" and buffer.ecc_coverage is not None:
            yield f", '{key}.ecc_coverage' is {buffer.ecc_coverage:g} with ecc 'none': leave it out, or name the code"
        if buffer.ecc != "none" and buffer.ecc_coverage is None:
            yield (
                f", '{key}.ecc' is {buffer.ecc!r} without 'ecc_coverage': give the share of upsets that the code "
                "corrects or detects, which the share of multi-bit upsets of your memory decides"
            )
