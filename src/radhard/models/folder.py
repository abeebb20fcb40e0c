"""An image folder with one folder a class, as ImageNet's validation images are laid out."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from PIL.Image import Image

from radhard.errors import InputError
from radhard.models.decode import open_image
from radhard.models.listing import Listing, Open

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
SHOWN = 5


def list_folder(root: Path) -> Listing:
    """The images below the class folders of `root`; the class folders' names in sorted order give the label.

    Where these names are exactly the numbers 0 ... K - 1, the number is the label (`10` comes after `9`). Files of
    other suffixes, files outside the class folders, and class folders without images are told in `remarks`.
    Raises InputError where there is no image.
    """
    if not root.is_dir():
        raise InputError(f"data {root}: there is no such folder; give one with a folder of images for each class")
    classes = tuple(sorted((entry.name for entry in os.scandir(root) if entry.is_dir()), key=str))
    if set(classes) == {str(number) for number in range(len(classes))}:
        classes = tuple(sorted(classes, key=int))
    files: list[tuple[str, int]] = []
    others = sorted(entry.name for entry in os.scandir(root) if not entry.is_dir())
    empty = []
    for label, name in enumerate(classes):
        found = sorted(path.relative_to(root).as_posix() for path in _files(root / name))
        images = [path for path in found if path.lower().endswith(SUFFIXES)]
        others += [path for path in found if not path.lower().endswith(SUFFIXES)]
        files += [(path, label) for path in images]
        if not images:
            empty.append(name)
    if not files:
        raise InputError(
            f"data {root}: no image ({', '.join(SUFFIXES)}) in its {len(classes)} class folders; give a folder with a "
            "folder of images for each class"
        )
    remarks = [
        f"{root.name}: {few(found, what)}"
        for found, what in (
            (others, "file(s) not read, as they are no images in a class folder"),
            (empty, "class folder(s) without an image"),
        )
        if found
    ]
    return Listing(
        name=root.resolve().name,
        origin=str(root.resolve()),
        count=len(files),
        class_names=classes,
        names=tuple(path for path, _ in files),
        read=partial(_read, root, tuple(files)),
        remarks=tuple(remarks),
    )


def few(names: Sequence[str], what: str) -> str:
    """`7 of what: the first, second ...`: a count and the first few of the names."""
    more = ", ..." if len(names) > SHOWN else ""
    return f"{len(names)} {what}: {', '.join(names[:SHOWN])}{more}"


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, followlinks=True):
        yield from (Path(parent, name) for name in names)


def _read(root: Path, files: tuple[tuple[str, int], ...], places: Sequence[int]) -> Iterator[tuple[int, Open]]:
    for place in places:
        yield place, partial(_open, root / files[place][0], files[place][1])


def _open(path: Path, label: int) -> tuple[Image, int]:
    return open_image(path), label
