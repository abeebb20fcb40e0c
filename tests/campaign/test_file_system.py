"""Stores on network file systems: refused with a write-ahead log, kept with a rollback journal."""

import sqlite3
from pathlib import Path

import pytest

from radhard.campaign import file_system
from radhard.campaign.file_system import check_journal, on_network, type_of
from radhard.campaign.merge import merge
from radhard.campaign.store import Store
from radhard.errors import StoreError

MOUNTS = """\
proc /proc proc rw 0 0
/dev/sda1 / ext4 rw,relatime 0 0
filer:/export/home /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/ann/local xfs rw 0 0
filer:/x /mnt/two\\040words nfs rw 0 0
lfs@tcp:/scratch /scratch lustre rw 0 0
tmpfs /scratch/tmp tmpfs rw 0 0
broken line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/run.db", "ext4"),
        ("/home/ann/run.db", "nfs4"),
        ("/homes/run.db", "ext4"),
        ("/home/ann/local/run.db", "xfs"),
        ("/mnt/two words/run.db", "nfs"),
        ("/scratch/a/b/run.db", "lustre"),
        ("/scratch/tmp/run.db", "tmpfs"),
    ],
)
def test_the_mount_that_lies_nearest_says_the_type(path: str, kind: str) -> None:
    assert type_of(Path(path), MOUNTS) == kind


def test_no_mounts_say_nothing() -> None:
    assert type_of(Path("/a"), "") == ""


def test_this_machine_is_asked(tmp_path: Path) -> None:
    assert on_network(tmp_path) == ""
    assert on_network(Path("/proc/self")) == ""  # a file system, but none of a network


@pytest.fixture
def on_nfs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(file_system, "on_network", lambda _: "nfs4")
    return tmp_path / "run.db"


def test_a_write_ahead_log_is_refused_there_with_the_way_out(on_nfs: Path) -> None:
    with pytest.raises(StoreError, match=r"network file system \(nfs4\).*journal rollback"):
        Store(on_nfs)
    assert not on_nfs.exists()
    check_journal(on_nfs, "rollback")


def test_a_rollback_journal_works_there_also_on_a_store_that_had_a_log(on_nfs: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_system, "on_network", lambda _: "")
        Store(on_nfs).close()
    file = sqlite3.connect(on_nfs)
    assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()
    with Store(on_nfs, journal="rollback") as store:
        assert store.keys() == []
        assert store.connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert store.connection.execute("PRAGMA locking_mode").fetchone() == ("exclusive",)
    with Store(on_nfs, mode="read") as store:
        assert store.keys() == []
    merge(tmp_path / "all.db", [on_nfs])
