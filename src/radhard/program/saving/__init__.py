"""Programs as files: what they hold is JSON and the bytes of tensors, so that reading one runs no code of anybody's."""

from radhard.program.saving.file import UnreadableError, UnsavableError, read_program, write_program

__all__ = ["UnreadableError", "UnsavableError", "read_program", "write_program"]
