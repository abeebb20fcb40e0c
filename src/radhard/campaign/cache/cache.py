"""The cache of programs in this process: keys that hold all that makes a program, and programs by their checksums."""

import hashlib
import json
from functools import partial

from radhard.campaign.cache.environment import changing, environment
from radhard.campaign.cache.folder import Folder, Tell, folder_named, limit_named
from radhard.program.program import Program
from radhard.program.saving import UnreadableError, UnsavableError, read_program, write_program


class Cache:
    """Entries by what they are made of, and programs, in a `folder`."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def key(self, *, kind: str, parts: object) -> str:
        """SHA-256 of what an entry of a kind is made of, JSON values, and of the environment."""
        text = json.dumps({"kind": kind, "parts": parts, "environment": environment()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def keep(self, program: Program) -> str | None:
        """Keep a program -> its checksum; None where it cannot be kept."""
        try:
            return self.folder.put_program(partial(write_program, program.on_host))
        except UnsavableError:
            return None

    def read(self, checksum: str) -> Program | None:
        """The program with that checksum, every bit checked; None where it is not there or damaged, which is told."""
        path = self.folder.program(checksum)
        if path is None:
            return None
        try:
            return read_program(path)
        except UnreadableError:
            self.folder.damaged(path)
        except OSError:
            pass
        return None


def user_cache(tell: Tell | None) -> Cache | None:
    """The user's cache; None where there is to be none. What is wrong with its files is told."""
    path = folder_named()
    if path is None:
        return None
    if changing():
        if tell is not None:
            tell("the cache is not used: files of radhard or of a library have changed since this process began")
        return None
    return Cache(Folder(path, limit=limit_named(), tell=tell))
