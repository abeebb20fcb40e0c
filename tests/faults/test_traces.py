"""Traces: what is written is read again, and a replay is the run that it came from."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch

from radhard.errors import InputError
from radhard.faults import Faults, Faulty, Flips, read_trace, trace, write_trace
from radhard.machine import Clean
from radhard.program import run
from radhard.words import Int, Words
from tests.support.flips import rows_of
from tests.support.models import images, tiny_program

COLUMNS = ["trial", "image", "site", "kind", "index", "bit"]
FAULTS = Faults(ber=3e-6, kinds={"mul", "add", "load", "special", "scale"}, seed=5, trial=3)
IDS = torch.arange(12) * 5 + 2
SUFFIXES = pytest.mark.parametrize("suffix", [".csv", ".parquet"])


@pytest.fixture(scope="module")
def drawn() -> Flips:
    return trace(tiny_program("int8"), FAULTS, IDS.numpy())


def table_of(path: Path) -> pa.Table:
    return pyarrow.csv.read_csv(path) if path.suffix == ".csv" else pyarrow.parquet.read_table(path)


def write_by_hand(path: Path, lines: str) -> Path:
    path.write_text("\n".join([",".join(COLUMNS), *lines.split()]) + "\n")
    return path


@SUFFIXES
def test_what_is_written_is_read(drawn: Flips, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"trace{suffix}"
    write_trace(drawn, path)
    table = table_of(path)
    assert table.column_names == COLUMNS
    assert table.num_rows == len(drawn) > 100
    assert set(table.column("trial").to_pylist()) == {3}
    written = zip(*(table.column(name).to_pylist() for name in COLUMNS[1:]), strict=True)
    assert sorted(written) == rows_of(drawn)
    again = read_trace(path)
    assert rows_of(again) == rows_of(drawn)
    assert (again.trial, again.words) == (3, Words())


@SUFFIXES
def test_a_replay_is_the_run(drawn: Flips, suffix: str, tmp_path: Path) -> None:
    path, program, x = tmp_path / f"trace{suffix}", tiny_program("int8"), images(12)
    write_trace(drawn, path)
    original = run(program, x, Faulty(Clean(), FAULTS), ids=IDS)
    clean = run(program, x)
    assert (original.logits != clean.logits).any(dim=1).sum() > 3
    replayed = run(program, x, Faulty(Clean(), read_trace(path)), ids=IDS)
    assert torch.equal(replayed.logits.view(torch.int32), original.logits.view(torch.int32))
    assert torch.equal(replayed.non_finite, original.non_finite)
    some = torch.tensor([7, 1, 10])
    part = run(program, x[some], Faulty(Clean(), read_trace(path)), ids=IDS[some])
    assert torch.equal(part.logits.view(torch.int32), original.logits[some].view(torch.int32))


@SUFFIXES
def test_rows_and_columns_in_any_order(drawn: Flips, suffix: str, tmp_path: Path) -> None:
    path, shuffled = tmp_path / f"trace{suffix}", tmp_path / f"shuffled{suffix}"
    write_trace(drawn, path)
    table = table_of(path)
    order = np.random.default_rng(0).permutation(table.num_rows)
    mixed = table.take(pa.array(order)).select(COLUMNS[::-1])
    if suffix == ".csv":
        pyarrow.csv.write_csv(mixed, shuffled)
    else:
        pyarrow.parquet.write_table(mixed, shuffled)
    program, x = tiny_program("int8"), images(12)
    logits = [run(program, x, Faulty(Clean(), read_trace(p)), ids=IDS).logits for p in (path, shuffled)]
    assert torch.equal(logits[0].view(torch.int32), logits[1].view(torch.int32))


def test_other_words_travel_with_a_parquet_file(tmp_path: Path) -> None:
    words = Words(product=Int(24), accumulator=Int(32, 20))
    flips = trace(tiny_program("int8"), Faults(ber=1e-5, words=words), np.arange(3))
    write_trace(flips, tmp_path / "trace.parquet")
    write_trace(flips, tmp_path / "trace.csv")
    assert read_trace(tmp_path / "trace.parquet").words == words
    assert read_trace(tmp_path / "trace.csv", words=words).words == words


def test_a_run_without_faults_leaves_an_empty_table(tmp_path: Path) -> None:
    flips = trace(tiny_program("int8"), Faults(ber=0.0), np.arange(3))
    write_trace(flips, tmp_path / "trace.parquet")
    got = run(tiny_program("int8"), images(3), Faulty(Clean(), read_trace(tmp_path / "trace.parquet")))
    assert torch.equal(got.logits, run(tiny_program("int8"), images(3)).logits)


def test_a_trace_written_by_hand(tmp_path: Path) -> None:
    """The sign of the accumulator of class 2, image 1: of its last addition, index 2 * 16 + 15, the bias."""
    path = write_by_hand(tmp_path / "one.csv", "0,1,head,add,47,30")
    program, x = tiny_program("int8"), images(3)
    clean, got = run(program, x).logits, run(program, x, Faulty(Clean(), read_trace(path))).logits
    moved = (got != clean).nonzero().tolist()
    assert moved == [[1, 2]]
    scale = clean.abs().max() / 127
    assert got[1, 2].abs() >= 127 * scale * 0.999  # saturated


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0,1,head,mull,3,2", "row 1: kind 'mull' is not a kind of operation; choose from mul, add"),
        ("0,1,head,mul,3,2 0,1,head,mul,-3,2", "row 2: index -3 is not a whole number from 0 up"),
        ("0,-1,head,mul,3,2", "row 1: image -1 is not"),
        ("0,1,head,mul,3.5,2", "row 1: index 3.5 is not"),
        ("0,1,head,mul,3,2 0,2,head,mul,3,2 0,1,head,mul,3,2", "row 1 stands there twice"),
        ("0,1,head,mul,3,2 1,1,head,mul,3,2", "holds trials 0 to 1: say which"),
    ],
)
def test_rows_that_cannot_be(lines: str, message: str, tmp_path: Path) -> None:
    path = write_by_hand(tmp_path / "bad.csv", lines)
    with pytest.raises(InputError, match=message) as error:
        read_trace(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0,1,hed,mul,3,2", "site 'hed' is not one of the program's .* near ones: .*head"),
        ("0,1,head,mul,80,2", "row 1: index 80 at site 'head': it has 80 operations of kind 'mul' an image"),
        ("0,1,head,mul,79,16", "row 1: bit 16 at site 'head': a word of kind 'mul' is int16, bits 0 to 15"),
        ("0,1,head,add,0,32", "a word of kind 'add' is int32"),
        ("0,1,head,special,0,1", "it has 0 operations of kind 'special'"),
    ],
)
def test_rows_that_do_not_fit_the_program(lines: str, message: str, tmp_path: Path) -> None:
    flips = read_trace(write_by_hand(tmp_path / "bad.csv", lines))
    with pytest.raises(InputError, match=message):
        run(tiny_program("int8"), images(2), Faulty(Clean(), flips))


def test_one_trial_of_several(tmp_path: Path) -> None:
    path = write_by_hand(tmp_path / "two.csv", "0,1,head,mul,3,2 4,1,head,mul,5,2")
    assert rows_of(read_trace(path, trial=4)) == [(1, "head", "mul", 5, 2)]
    assert read_trace(path, trial=4).trial == 4
    assert len(read_trace(path, trial=9)) == 0


def test_files_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: there is no such file"):
        read_trace(tmp_path / "none.csv")
    for call in (read_trace, lambda path: write_trace(read_trace(path), path)):
        with pytest.raises(InputError, match=r"must end in \.csv or \.parquet"):
            call(tmp_path / "trace.txt")
    (tmp_path / "short.csv").write_text("trial,image,site,kind,index\n0,1,head,mul,3\n")
    with pytest.raises(InputError, match="column 'bit' is missing; a trace has the columns trial, image"):
        read_trace(tmp_path / "short.csv")
    (tmp_path / "noise.parquet").write_bytes(b"not a table")
    with pytest.raises(InputError, match="not a readable parquet table"):
        read_trace(tmp_path / "noise.parquet")
