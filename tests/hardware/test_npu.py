"""Hardware files: the preset by hand, and every mistake by name, value and fix."""

from pathlib import Path

import pytest

from radhard.errors import InputError
from radhard.hardware import presets, read_npu

FILE = """
name = "mine"
source = "a data sheet"
clock = 2e9
inferences_per_second = 100

[array]
rows = 4
columns = 8
dataflow = "weight"
rate = "flop"

[[buffers]]
name = "weights"
holds = "weights"
bits = 1000
rate = "sram"
ecc = "secded"
ecc_coverage = 0.99

[[buffers]]
name = "scratch"
holds = "other"
bits = 50
rate = "sram"
ecc = "none"
duty = 0.25

[rates.flop]
fit_per_mbit = 10
source = "a test"

[rates.sram]
fit_per_mbit = 700.5
source = "another"
assumes = "sea level"
"""


def test_the_preset_is_the_array_of_the_worked_example() -> None:
    """128 x 128 cells of 8 + 8 + 32 bits are 786,432 bits: 0.786432 Mbit x 100 FIT = 78.6 FIT."""
    npu = read_npu("npu-128")
    bits = npu.array.systolic.cells * sum(npu.array.systolic.registers.values())
    assert bits == 786_432
    assert bits * npu.rates[npu.array.rate].fit_per_mbit / 10**6 == pytest.approx(78.6432)
    assert npu.busy(10**9) == 1.0


def test_every_preset_names_its_sources() -> None:
    for name in presets():
        npu = read_npu(name)
        assert all(rate.source for rate in npu.rates.values())
        assert npu.source


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "npu.toml"
    path.write_text(FILE)
    npu = read_npu(path)
    assert dict(npu.array.systolic.registers) == {"a": 8, "weight": 8, "sum": 32}
    assert [(each.name, each.ecc_coverage, each.duty) for each in npu.buffers] == [
        ("weights", 0.99, None),
        ("scratch", None, 0.25),
    ]
    assert npu.rates["sram"].fit_per_mbit == 700.5
    assert npu.busy(10**6) == 0.05  # 100 x 10^6 cycles of 2 x 10^9 a second
    with pytest.raises(InputError, match=r"mine: inferences_per_second is 100, and one takes 40,000,000 .* at most 50"):
        npu.busy(40 * 10**6)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rows = 4", "rows = 0", "'array', 'rows' is 0; it is at least 1"),
        ("rows = 4", "rowz = 4", "'array': 'rowz' is none of its fields, rows"),
        ("rows = 4", 'rows = "4"', "'rows' is '4', not an integer"),
        ("rows = 4\n", "", "'array': 'rows' is missing"),
        ("bits = 1000", "bits = -1", "'bits' is -1; it is at least 1"),
        ("fit_per_mbit = 10\n", "fit_per_mbit = -10\n", "'flop', 'fit_per_mbit' is -10; it is at least 0"),
        ("fit_per_mbit = 10\n", "fit_per_mbit = inf\n", "'rates.flop.fit_per_mbit' is inf; give a finite number"),
        ("fit_per_mbit = 10\n", "fit_per_mbit = nan\n", "'fit_per_mbit' is nan; it is at least 0"),
        ('source = "a test"\n', "", "'rates', 'flop': 'source' is missing"),
        ('source = "a test"', 'source = " "', "'rates.flop.source' is ' '; say where the numbers are from"),
        ('rate = "flop"', 'rate = "flap"', "'array.rate' is 'flap', and the rates are flop, sram: add .rates.flap."),
        ('dataflow = "weight"', 'dataflow = "row"', "'dataflow' is 'row'; it is one of 'output', 'weight'"),
        ('dataflow = "weight"', 'dataflow = "weight"\noperand_bits = 4', "'operand_bits' is 4; it is one of 8"),
        ("clock = 2e9", "clock = 0", "'clock' is 0; it is above 0"),
        ("per_second = 100", "per_second = -1", "'inferences_per_second' is -1; it is above 0"),
        ('ecc = "secded"', 'ecc = "hamming"', "'ecc' is 'hamming'; it is one of 'none', 'parity', 'secded'"),
        ("ecc_coverage = 0.99\n", "", "'buffers.weights.ecc' is 'secded' without 'ecc_coverage'"),
        ("ecc_coverage = 0.99", "ecc_coverage = 1.5", "'ecc_coverage' is 1.5; it is at most 1"),
        ("duty = 0.25", "ecc_coverage = 0.5", "'buffers.scratch.ecc_coverage' is 0.5 with ecc 'none'"),
        ('name = "scratch"', 'name = "weights"', "two buffers are named 'weights'"),
        ("[array]", "[array", "is no TOML"),
        ("clock = 2e9", "clock = 2e9\ncolour = 1", "'colour' is none of its fields, name, source, clock"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "npu.toml"
    assert old in FILE
    path.write_text(FILE.replace(old, new, 1))
    with pytest.raises(InputError, match=words.replace("(", "\\(")) as error:
        read_npu(path)
    assert f"hardware file {path}" in str(error.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"give a \.toml file, or a preset: npu-128"):
        read_npu("npu-129")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_npu(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_npu(tmp_path / "bytes.toml")
