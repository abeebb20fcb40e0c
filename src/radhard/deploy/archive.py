"""Saves a hardened module as a `.pt2` archive, which loads where `import torch, radhard.kernels` works."""

from pathlib import Path

import torch

from radhard.deploy.hardened import Hardened

EXAMPLE = 2
"""Images of the batch with which a module is exported; the archive takes any number."""


def save_hardened(hardened: Hardened, path: Path) -> None:
    """Export a module with a dynamic batch, and write it to `path`; its counters go with it."""
    example = torch.zeros(EXAMPLE, *hardened.input_shape)
    batch = torch.export.Dim("batch")
    exported = torch.export.export(hardened, (example,), dynamic_shapes=({0: batch},))
    torch.export.save(exported, path)
