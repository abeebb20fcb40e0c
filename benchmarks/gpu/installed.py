"""The repository as if it were installed: its packages on the path, of processes that are started too."""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def install() -> None:
    """Put the repository and its `src` on the path, and make the folder that the processes of a run share."""
    os.environ.setdefault("RADHARD_GPU_FOLDER", tempfile.mkdtemp(prefix="radhard-gpu-"))
    ours = [str(ROOT / "src"), str(ROOT)]
    sys.path[:0] = [path for path in ours if path not in sys.path]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path not in ours]
    os.environ["PYTHONPATH"] = os.pathsep.join([*ours, *paths])


def workplace() -> Path:
    """The folder that the processes of a run share."""
    return Path(os.environ["RADHARD_GPU_FOLDER"])
