"""Tar files in the webdataset layout: files of one image share a key, `000001.png` and `000001.cls`."""

import io
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from radhard.errors import InputError, shown
from radhard.models.data.listing import UNLABELLED, Listing, Open
from radhard.models.data.picture import SUFFIXES, Picture, open_image
from radhard.models.data.split_names import choose, no_splits, split_of
from radhard.models.data.tree import few, hidden

_LABEL = "cls"
_LONGEST = 20  # bytes of a label


@dataclass(kw_only=True)
class _Sample:
    """The members of one key: where the image and the label lie in their tar, offset and bytes."""

    tar: Path
    image: tuple[str, int, int] | None = None
    label: int = UNLABELLED


@dataclass(kw_only=True)
class _Found:
    samples: dict[str, _Sample] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


def tars_of(root: Path) -> list[Path]:
    """The tars that lie in a folder, or the one that `root` is."""
    if root.is_dir():
        return sorted(path for path in root.iterdir() if path.suffix == ".tar" and path.is_file())
    return [root]


def list_tars(root: Path, *, split: str | None, option: str = "--split") -> Listing:
    """The images of tars, in the order of their names; an image's identity is that of `TAR/MEMBER`.

    Tars that are called `train-0001.tar` and the like are splits. InputError for members that cannot be meant.
    """
    tars = tars_of(root)
    groups: dict[str, list[Path]] = {}
    for path in tars:
        groups.setdefault(re.sub(r"[-_.]?\d+$", "", path.stem), []).append(path)
    name = root.resolve().name
    if len(groups) > 1:
        if not all(split_of(stem) for stem in groups):
            raise InputError(
                f"data {root}: {few(list(groups), 'kinds of tars')}; give one tar, or a folder of one kind"
            )
        own, tars = choose(groups, split, name=name, option=option)
        name = f"{name}/{own}"
    elif split is not None and split_of(split) != split_of(next(iter(groups))):
        no_splits(split, name=name, option=option)
    found = _Found()
    for path in tars:
        _list(path, found)
    samples = {key: sample for key, sample in found.samples.items() if sample.image is not None}
    if not samples:
        raise InputError(f"data {root}: its {len(tars)} tar(s) hold no image ({', '.join(SUFFIXES)})")
    bare = [key for key, sample in samples.items() if sample.label == UNLABELLED]
    if bare and len(bare) < len(samples):
        raise InputError(f"data {root}: {few(bare, 'image(s) have no label')} (.{_LABEL}), others have; give all one")
    numbers = [sample.label for sample in samples.values()]
    names = [f"{sample.tar.name}/{sample.image[0]}" for sample in samples.values() if sample.image is not None]
    return Listing(
        name=name,
        origin=str(root.resolve()),
        count=len(samples),
        class_names=(),
        names=tuple(names),
        labels=tuple(numbers),
        read=partial(_read, tuple(samples.values()), tuple(numbers)),
        layout=f"webdataset, {len(tars)} tar(s)",
        remarks=(f"{name}: {few(found.others, 'member(s) not read')}",) if found.others else (),
    )


def _list(path: Path, found: _Found) -> None:
    """Add what a tar holds. InputError for a compressed or damaged one, and a member that is there twice."""
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                parts = PurePosixPath(member.name).parts
                if member.isdir():
                    continue
                if not member.isreg() or member.sparse is not None or any(map(hidden, parts)):
                    found.others.append(f"{path.name}/{member.name}")
                    continue
                stem, _, suffix = member.name.rpartition("/")[2].partition(".")
                key = f"{path.name}/{member.name.rpartition('/')[0]}/{stem}"
                _add(found, path, key, member, suffix=suffix.lower(), tar=tar)
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{path} cannot be read as a tar ({error}); unpack it if it is compressed") from error


def _add(found: _Found, path: Path, key: str, member: tarfile.TarInfo, *, suffix: str, tar: tarfile.TarFile) -> None:
    place = f"{path.name}/{shown(member.name)}"
    if f".{suffix}".endswith(SUFFIXES):
        sample = found.samples.setdefault(key, _Sample(tar=path))
        if sample.image is not None:
            raise InputError(f"data {path.name}: {place} and {shown(sample.image[0])} are two images of one key")
        sample.image = (member.name, member.offset_data, member.size)
    elif suffix == _LABEL:
        sample = found.samples.setdefault(key, _Sample(tar=path))
        content = tar.extractfile(member)
        text = b"" if content is None or member.size > _LONGEST else content.read().strip()
        if not text.isdigit() or sample.label != UNLABELLED:
            raise InputError(f"data {path.name}: {place} is no label, one whole number from 0 on, or there twice")
        sample.label = int(text)
    else:
        found.others.append(place)


def _read(samples: Sequence[_Sample], labels: Sequence[int], places: Sequence[int]) -> Iterator[tuple[int, Open]]:
    for place in places:
        yield place, partial(_open, samples[place], labels[place])


def _open(sample: _Sample, label: int) -> tuple[Picture, int]:
    assert sample.image is not None
    _, offset, size = sample.image
    with sample.tar.open("rb") as file:
        file.seek(offset)
        return open_image(io.BytesIO(file.read(size))), label
