"""The repository as if it were installed: its packages on the path, of processes that are started too, its version."""

import os
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def install() -> None:
    """Put `src` on the path, and beside it what `importlib.metadata` reads the version from."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    folder = Path(os.environ.setdefault("RADHARD_GPU_FOLDER", tempfile.mkdtemp(prefix="radhard-gpu-")))
    metadata = folder / f"radhard-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True, exist_ok=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: radhard\nVersion: {version}\n")
    ours = [str(ROOT / "src"), str(ROOT), str(folder)]
    sys.path[:0] = [path for path in ours if path not in sys.path]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path not in ours]
    os.environ["PYTHONPATH"] = os.pathsep.join([*ours, *paths])


def workplace() -> Path:
    """The folder that the processes of a run share."""
    return Path(os.environ["RADHARD_GPU_FOLDER"])
