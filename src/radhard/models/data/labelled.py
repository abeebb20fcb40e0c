"""Label lists: a CSV or text file with the name and class of each image."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from radhard.errors import InputError, shown
from radhard.models.data.picture import SUFFIXES
from radhard.models.data.tree import few

LISTS = (".csv", ".tsv", ".txt")

_FILES = frozenset(
    {
        *("file", "files", "filename", "file_name", "filepath", "file_path", "path", "image", "images", "image_path"),
        *("imagepath", "image_file", "image_name", "img", "img_path", "img_name", "image_id", "id", "name"),
    }
)
_LABELS = frozenset(
    {
        *("label", "labels", "class", "classes", "target", "category", "y", "wnid", "synset", "class_id", "label_id"),
        *("category_id", "class_name", "label_name", "classname", "class_index", "class_label", "diagnosis", "dx"),
    }
)
_KNOWN = "val_annotations.txt"  # Tiny ImageNet's: file, synset, and a box
_MOST = 64 << 20  # bytes of a list


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Images by path relative to the list's folder, the text of each label, and the images beside them not listed."""

    files: tuple[str, ...]
    labels: tuple[str, ...]
    unlisted: tuple[str, ...]


def read_list(path: Path, *, images: Sequence[str], root: Path) -> Listed:
    """The list at `path`; `images` are the image files below `root` that it can mean.

    Images that are listed and are not there stay in, and are told when they are opened. InputError names the row for
    what cannot be meant: columns that do not tell, an image twice, no label, a path that leads out of the folder.
    """
    rows = _rows(path)
    file_column, label_column, first = _columns(path, rows, images=images)
    files: dict[str, int] = {}
    labels: list[str] = []
    index = _Index(images, root=root, base=path.parent)
    for number, row in rows[first:]:
        if max(file_column, label_column) >= len(row):
            raise InputError(f"{path}, line {number}: it has {len(row)} column(s); write a file and its label")
        file, label = index.find(row[file_column], f"{path}, line {number}"), row[label_column]
        if file in files:
            raise InputError(f"{path}, line {number}: {shown(file)} is in line {files[file]} already; list it once")
        if not label:
            raise InputError(f"{path}, line {number}: {shown(file)} has no label; give it one or take the line out")
        files[file] = number
        labels.append(label)
    if not files:
        raise InputError(f"{path} lists no image; write a file and its label in each line, such as a.png,3")
    missing = [file for file in files if file not in set(images)]
    if len(missing) == len(files):
        raise InputError(f"{path}: none of its images is there: {few(missing, 'listed')}; paths are relative to {root}")
    return Listed(
        files=tuple(files), labels=tuple(labels), unlisted=tuple(image for image in images if image not in files)
    )


def lists_images(path: Path, *, images: Sequence[str], root: Path) -> bool:
    """Whether a file is a list of labels of at least half of the `images`."""
    try:
        listed = read_list(path, images=images, root=root)
    except InputError:
        return False
    return 2 * len(set(listed.files) & set(images)) >= len(images)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The cells of each line that is not empty or a remark, with its number."""
    if not path.is_file():
        raise InputError(f"--labels {path}: there is no such file; give a CSV or text file, none or folders")
    if path.stat().st_size > _MOST:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes: that is no list of labels")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text in UTF-8 ({error}); save it so") from error
    lines = [line for line in text.splitlines() if line.strip()]
    mark = _delimiter(path, lines)
    try:
        if mark is None:  # blanks: the label is the last word, whatever a file is called
            cut = [(number, line.rsplit(None, 1)) for number, line in enumerate(text.splitlines(), start=1)]
        else:
            reader = csv.reader(text.splitlines(), delimiter=mark, strict=True)
            cut = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table ({error}); write file,label in each line") from error
    rows = [(number, [cell.strip() for cell in row]) for number, row in cut]
    return [(number, row) for number, row in rows if any(row) and not row[0].startswith("#")]


def _delimiter(path: Path, lines: Sequence[str]) -> str | None:
    """What parts the columns: the mark that every line has; None for blanks alone."""
    if path.suffix == ".tsv":
        return "\t"
    for mark in ("\t", ",", ";"):
        if lines and all(mark in line for line in lines):
            return mark
    return "," if path.suffix == ".csv" else None


def _columns(path: Path, rows: Sequence[tuple[int, list[str]]], *, images: Sequence[str]) -> tuple[int, int, int]:
    """The columns of files and of labels, and the first row after the headings, if it has any."""
    if not rows or len(rows[0][1]) < 2:
        raise InputError(f"{path} has no two columns; write a file and its label in each line, such as a.png,3")
    if path.name == _KNOWN:
        return 0, 1, 0
    head = [cell.lower().replace(" ", "_").replace("-", "_") for cell in rows[0][1]]
    files = [place for place, cell in enumerate(head) if cell in _FILES]
    labels = [place for place, cell in enumerate(head) if cell in _LABELS]
    if files or labels:
        if len(files) > 1:  # such as id and path: the one that names files of a kind that is known
            files = [place for place in files if _is_image(rows[-1][1], place)] or files
        if len(head) == 2 and len(files) + len(labels) == 1:
            files, labels = (files, [1 - files[0]]) if files else ([1 - labels[0]], labels)
        if len(files) == len(labels) == 1:
            return files[0], labels[0], 1
        raise InputError(
            f"{path}: its headings {', '.join(map(shown, rows[0][1]))} do not tell one column of files and one of "
            "labels; name them file and label, and no other so"
        )
    known = {PurePosixPath(image).stem for image in images}
    naming = [p for p in range(len(head)) if all(_is_image(row, p) for _, row in rows[1:] or rows)]
    naming = naming or [p for p in range(len(head)) if all(p < len(row) and row[p] in known for _, row in rows[1:])]
    if len(naming) != 1 or len(head) != 2:
        raise InputError(
            f"{path}: it does not tell which of its {len(head)} columns names files and which labels; write the "
            "headings file,label"
        )
    headings = 0 if _is_image(rows[0][1], naming[0]) or rows[0][1][naming[0]] in known else 1
    return naming[0], 1 - naming[0], headings


def _is_image(row: Sequence[str], place: int) -> bool:
    return place < len(row) and row[place].lower().endswith(SUFFIXES)


class _Index:
    """Cells -> the images that they mean: a path from the list's folder or from the images' folder, or a bare name."""

    def __init__(self, images: Sequence[str], *, root: Path, base: Path) -> None:
        self._images, self._root, self._base = set(images), root, base
        self._folders = sorted({str(PurePosixPath(image).parent) for image in images})
        self._stems: dict[str, list[str]] = {}
        for image in images:
            self._stems.setdefault(PurePosixPath(image).stem, []).append(image)

    def find(self, cell: str, place: str) -> str:
        """The path of the image below the root, be it there or not; `place` is the line, for errors."""
        text = cell if "/" in cell else cell.replace("\\", "/")  # as Windows writes a path
        relative = os.path.relpath(self._base / text, self._root)
        if Path(text).is_absolute():
            relative = os.path.relpath(text, self._root.resolve())
        if relative in self._images:
            return relative
        hits = sorted(self._images & {os.path.normpath(f"{folder}/{text}") for folder in self._folders})
        if not hits and "/" not in text:
            hits = self._stems.get(text, [])
        if len(hits) > 1:
            raise InputError(f"{place}: {shown(cell)} can be {few(hits, 'images')}; write the whole path")
        if hits:
            return hits[0]
        if relative.startswith("../"):
            raise InputError(f"{place}: {shown(cell)} leads out of {self._root}; list images below it")
        return relative
