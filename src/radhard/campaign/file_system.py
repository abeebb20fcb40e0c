"""File systems of stores: which are on a network, where the write-ahead log of SQLite is not safe."""

from pathlib import Path
from typing import Literal

from radhard.errors import StoreError

Journal = Literal["wal", "rollback"]
"""How SQLite keeps a transaction whole: a write-ahead log, or a rollback journal with one process at a time."""

NETWORK = frozenset(
    (
        "afs",
        "afpfs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph-fuse",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "pvfs2",
        "smb3",
        "smbfs",
        "wekafs",
    )
)
"""File systems that several machines share: the log is kept in memory of one machine, which the others do not see."""


def type_of(path: Path, mounts: str) -> str:
    r"""The type of the file system that holds an absolute `path`, by the text of /proc/mounts; "" if it says none.

    >>> type_of(Path("/home/ann/run.db"), "/dev/sda1 / ext4 rw 0 0\nfiler:/home /home nfs4 rw 0 0\n")
    'nfs4'
    """
    found, longest = "", -1
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        place = Path(_unescaped(parts[1]))
        if (place == path or place in path.parents) and len(place.parts) >= longest:  # the last one lies on top
            found, longest = parts[2], len(place.parts)
    return found


def on_network(path: Path) -> str:
    """The type of the network file system that holds `path`; "" if it is on none, or this system does not say."""
    try:
        mounts = Path("/proc/mounts").read_text(errors="surrogateescape")
    except OSError:
        return ""
    kind = type_of(path.resolve(), mounts)
    return kind if kind in NETWORK else ""


def journal_for(path: Path) -> Journal:
    """The journal that is safe where `path` lies, for a store that no other process uses meanwhile."""
    return "rollback" if on_network(path) else "wal"


def check_journal(path: Path, journal: Journal) -> None:
    """Raise StoreError for a write-ahead log on a network file system."""
    if journal == "wal" and (kind := on_network(path)):
        raise StoreError(
            f"store {path} is on a network file system ({kind}), where the write-ahead log of SQLite is not safe: give "
            "--journal rollback, with which one process at a time uses the store, or a --store on a disk of this "
            "machine"
        )


def _unescaped(text: str) -> str:
    """Blanks, tabs and backslashes as they are: /proc/mounts writes them as octal numbers."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
