"""What decides which model a name gives, known before the model is built: of the sources whose code is installed.

A model of the zoo, of DeepViT, timm or torchvision is its name, its seed or the bytes of its weights, and installed
code; an exported program is the bytes of its file. What a user's own code makes may depend on anything, weights that a
library downloads are known only when they are there, and a library that a program has imported itself may have been
changed by it: such models are built and captured each time.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from radhard.models.load import source_of
from radhard.models.sources.from_archive import from_archive
from radhard.models.sources.from_timm import from_timm
from radhard.models.sources.from_torchvision import from_torchvision
from radhard.models.sources.from_zoo import from_deepvit, from_zoo
from radhard.models.vision import imported_by_others
from radhard.models.zoo import ZOO
from radhard.operators.aten import registered_by_others

_INSTALLED = (from_zoo, from_deepvit, from_timm, from_torchvision)


def origin(name: str, *, checkpoint: Path | None, options: Mapping[str, object]) -> dict[str, object] | None:
    """JSON values that decide the model `name`, `options` among them; None where they are not known.

    `options` are what `radhard.load` is told beside the two.
    """
    source = source_of(name)
    if registered_by_others() or source not in (*_INSTALLED, from_archive):
        return None
    files = [] if checkpoint is None else [Path(checkpoint)]
    if source in _INSTALLED and imported_by_others():
        return None
    if source is from_archive:
        files.append(Path(name))
    elif source is from_zoo:
        files += [ZOO[name].weights, *ZOO[name].calibrations]
    elif options.get("weights") != "random" and checkpoint is None:
        return None
    try:
        contents = [_content(path) for path in files]
    except OSError:  # which loading the model tells
        return None
    return {
        "source": source.__name__,
        "name": name,
        "checkpoint": None if checkpoint is None else str(checkpoint),
        "contents": contents,
        "options": dict(options),
    }


def _content(path: Path) -> str:
    """SHA-256 of the bytes of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
