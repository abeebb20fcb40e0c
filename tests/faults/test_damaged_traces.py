"""Traces that are no trace, or mean another thing than they seem to: one message that names the file and the row."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from radhard.errors import InputError, one_line
from radhard.faults import Flips, read_trace, write_trace
from radhard.faults import traces as tracing
from tests.support.flips import rows_of

HEAD = "trial,image,site,kind,index,bit"
ROW = {"trial": [0], "image": [1], "site": ["head"], "kind": ["mul"], "index": [3], "bit": [2]}


def refused(path: Path) -> str:
    with pytest.raises(InputError) as error:
        read_trace(path)
    assert str(path) in str(error.value)
    return one_line(str(error.value))


def text(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def parquet(path: Path, *, metadata: dict[bytes, bytes] | None = None, **columns: object) -> Path:
    table = pa.table({**ROW, **columns})
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), path)
    return path


def test_columns_that_are_missing_or_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert "column 'bit' is 2 times" in refused(text(path, HEAD + ",bit", "0,1,head,mul,3,2,4"))
    assert "column 'site' is missing" in refused(text(path, "trial,image,kind,index,bit", "0,1,mul,3,2"))
    assert "not a readable csv table" in refused(text(path, ""))
    assert "not a readable csv table" in refused(text(path, HEAD, "0,1,head,mul,3,2", "0,1,head"))


NO_NUMBERS = ("", "nan", "1e3", "3.0", "0x10", "-0", "99999999999999999999", "9" * 5000, "true", "\uff11")


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_no_whole_numbers(tmp_path: Path, value: str) -> None:
    message = refused(text(tmp_path / "a.csv", HEAD, "0,1,head,mul,3,2", f"0,1,head,mul,{value},2"))
    assert "row 2: index" in message
    assert "is not a whole number from 0 up" in message


@pytest.mark.parametrize(
    "column",
    [
        {"index": pa.array([2**64 - 1], pa.uint64())},
        {"image": pa.array([2**63], pa.uint64())},
        {"bit": pa.array([None], pa.int64())},
        {"bit": pa.array([True])},
        {"bit": pa.array([2.0])},
        {"trial": pa.array([-1], pa.int8())},
        {"index": pa.array(["-3"])},
        {"index": pa.array([[3]])},
        {"index": pa.array([3], pa.date32())},
        {"bit": pa.array([None], pa.null())},
    ],
)
def test_no_whole_numbers_of_a_parquet_file(tmp_path: Path, column: dict[str, pa.Array]) -> None:
    (name,) = column
    assert f"row 1: {name}" in refused(parquet(tmp_path / "a.parquet", **column))


@pytest.mark.parametrize("kind", [pa.array([None], pa.string()), pa.array([b"mul"]), pa.array(["mul "]), pa.array([1])])
def test_no_kinds(tmp_path: Path, kind: pa.Array) -> None:
    assert "kind" in refused(parquet(tmp_path / "a.parquet", kind=kind))


def test_what_other_programs_write_is_read(tmp_path: Path) -> None:
    rows = [("head", 1, "mul", 3, 2), ("head", 1, "mul", 4, 2)]
    plain = (HEAD, "0,1,head,mul,3,2", "0,1,head,mul,4,2")
    for lines, encoding in (
        (plain, "utf-8-sig"),  # with a byte order mark
        ((HEAD + "\r", "0,1,head,mul,3,2\r", "0,1,head,mul,4,2\r", ""), "utf-8"),
        (('"trial","image","site","kind","index","bit"', '"0","1","head","mul","3","2"', plain[2]), "utf-8"),
        ((HEAD + ",note", "0,1,head,mul,3,2,NaN", "0,1,head,mul,4,2,a;b"), "utf-8"),
        ((HEAD, "0, 1,head,mul,03 ,2", plain[2]), "utf-8"),
    ):
        assert rows_of(read_trace(text(tmp_path / "a.csv", *lines, encoding=encoding))) == rows_of(
            read_trace(text(tmp_path / "b.csv", *plain))
        )
    found = read_trace(
        parquet(
            tmp_path / "a.parquet",
            site=pa.array(["head"]).dictionary_encode(),
            kind=pa.array(["mul"], pa.large_string()),
            index=pa.array([3], pa.uint64()),
        )
    )
    assert len(rows_of(found)) == len(rows) - 1


def test_a_site_whose_name_looks_like_a_number_keeps_it(tmp_path: Path) -> None:
    path = text(tmp_path / "a.csv", HEAD, "0,1,0.1,mul,3,2", "0,1,0.10,mul,3,2", "0,1,007,mul,3,2", "0,1,,mul,3,2")
    assert read_trace(path).sites == ("0.1", "0.10", "007", "")
    write_trace(read_trace(path), tmp_path / "b.csv")
    assert read_trace(tmp_path / "b.csv").sites == ("0.1", "0.10", "007", "")


def test_the_folder_of_a_table_says_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "image=7"
    folder.mkdir()
    assert read_trace(parquet(folder / "a.parquet")).image.tolist() == [1]


@pytest.mark.parametrize(
    "words", [b"garbage", b"", b"\xff\xfe", b"product=int99", b"product=int16,product", b"x=int16"]
)
def test_words_that_are_none(tmp_path: Path, words: bytes) -> None:
    assert "its words" in refused(parquet(tmp_path / "a.parquet", metadata={b"words": words}))


def test_damaged_bytes(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", metadata={b"words": b"product=int16,accumulator=int32"})
    whole, right = path.read_bytes(), rows_of(read_trace(path))
    random = np.random.default_rng(0)
    kinds = {"read": 0, "refused": 0}
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), int(random.integers(1, 4))):
            damaged[place] = int(random.integers(0, 256))
        path.write_bytes(bytes(damaged[: int(random.choice([len(whole), random.integers(1, len(whole))]))]))
        try:
            found = read_trace(path)
        except InputError:
            kinds["refused"] += 1
        else:
            kinds["read"] += 1
            assert isinstance(found, Flips)
    assert min(kinds.values()) > 0
    assert right


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("folder.csv", "pipe.csv", "none.csv"):
        assert "there is no such file" in refused(tmp_path / name)


def test_a_table_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"0,{image},head,mul,{image},2" for image in range(20)]
    whole = read_trace(text(tmp_path / "a.csv", HEAD, *names))
    parts = [whole.only(np.array(ids)) for ids in ([], range(7), range(7, 20))]
    for suffix in (".csv", ".parquet"):
        assert write_trace(parts, tmp_path / f"parts{suffix}") == write_trace(whole, tmp_path / f"whole{suffix}") == 20
        assert rows_of(read_trace(tmp_path / f"parts{suffix}")) == rows_of(whole)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    monkeypatch.setattr(tracing, "MOST_ROWS", 10)
    with pytest.raises(InputError, match="a trace of more than 10 rows"):
        write_trace(parts, tmp_path / "more.csv")
