"""Data sets of timm's factory: folders and tars, torchvision, Hugging Face, TensorFlow.

Nothing is downloaded by torchvision's sets; those of Hugging Face and TensorFlow look where their libraries do.
"""

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image

from radhard.errors import InputError
from radhard.models.data.listing import Listing, Open
from radhard.models.data.picture import Picture, open_image
from radhard.models.data.tree import few
from radhard.models.vision import import_timm


def list_factory(name: str, *, root: Path | None, split: str) -> Listing:
    """`name` as timm.data.create_dataset takes it (`torch/cifar10`, `hfds/...`, `tfds/...`, or empty: a folder or tar).

    Images that are files have the identity of their relative path, others that of their place. Raises InputError
    with the reason where timm cannot make the set.
    """
    import_timm()
    from timm.data import create_dataset
    from torch.utils.data import IterableDataset

    try:
        found = create_dataset(name, root=None if root is None else str(root), split=split, input_img_mode="")
    except Exception as error:  # timm asserts, and each library raises its own
        raise InputError(
            f"data timm:{name}, --data-root {root}, --split {split}: timm cannot read it "
            f"({type(error).__name__}: {error})"
        ) from error
    reader = getattr(found, "reader", found)  # timm's set puts the next image in a broken one's place, the reader not
    count = _length(found)
    if not count:
        raise InputError(f"data timm:{name}, --split {split}: it does not say how many images it has, or has none")
    names, base = _names(reader)
    return Listing(
        name=f"timm:{name}/{split}" if name else f"timm:{Path(root or '.').name}",
        origin=base or f"timm:{name} {root} {split}",
        count=count,
        class_names=_class_names(found, reader),
        names=names,
        layout=f"timm:{name}",
        remarks=_remarks(names, Path(base))
        if names and Path(base).is_dir() and not hasattr(reader, "tar_state")
        else (),
        read=partial(_stream, found, name)
        if isinstance(found, IterableDataset)
        else partial(_read_any, reader, Lock()),
    )


def _length(found: Any) -> int:
    try:
        return len(found)
    except TypeError:
        return 0


def _class_names(found: Any, reader: Any) -> tuple[str, ...]:
    """The classes in the order of their labels; empty where the set does not tell them."""
    if classes := getattr(found, "classes", None):
        return tuple(str(name) for name in classes)
    places = getattr(reader, "class_to_idx", None) or getattr(reader, "class_name_to_idx", None) or {}
    return tuple(str(name) for name in sorted(places, key=lambda name: int(places[name])))


def _names(reader: Any) -> tuple[tuple[str, ...], str]:
    """Relative paths where the images are files in a folder or tar, and the folder."""
    samples, root = getattr(reader, "samples", None), getattr(reader, "root", None)
    if samples is None or root is None:
        return (), ""
    if hasattr(reader, "tar_state"):  # a sample is (member, its tar, the tar within that)
        parts = [[tar, inner and inner.name, member.name] for member, tar, inner in samples]
        return tuple("/".join(str(part) for part in path if part) for path in parts), str(Path(root).resolve())
    paths = [Path(path) for path, *_ in samples]
    return tuple(path.relative_to(root).as_posix() for path in paths), str(Path(root).resolve())


def _remarks(names: Sequence[str], root: Path) -> tuple[str, ...]:
    """The files of a folder that the reader passes by, if there are any."""
    known = set(names)
    files = (Path(parent, name) for parent, _, found in os.walk(root, followlinks=True) for name in found)
    others = sorted({file.relative_to(root).as_posix() for file in files} - known)
    return (f"{root.name}: {few(others, 'file(s) that timm does not take for images')}",) if others else ()


def _read_any(reader: Any, lock: Lock, places: Sequence[int]) -> Iterator[tuple[int, Open]]:
    for place in places:
        yield place, partial(_open, reader, lock, place)


def _open(reader: Any, lock: Lock, place: int) -> tuple[Picture, int]:
    with lock:  # tars and data bases are not made for several threads; decoding is outside
        content, label, *_ = reader[place]
        if not isinstance(content, Image.Image):
            with content:
                content = io.BytesIO(content.read())
    return content if isinstance(content, Image.Image) else open_image(content), label


def _stream(found: Iterable[tuple[Image.Image, int]], name: str, places: Sequence[int]) -> Iterator[tuple[int, Open]]:
    """The wanted images of a set that can only be read from its beginning, in its order."""
    wanted = set(places)
    images = enumerate(found)
    while wanted:
        try:
            place, (image, label) = next(images)
        except StopIteration:
            return
        except Exception as error:  # what a stream raises ends it, so that no image can be left out
            raise InputError(f"data timm:{name}: reading it failed ({type(error).__name__}: {error})") from error
        if place in wanted:
            wanted.remove(place)
            yield place, partial(_given, image, label)


def _given(image: Image.Image, label: int) -> tuple[Image.Image, int]:
    return image, label
