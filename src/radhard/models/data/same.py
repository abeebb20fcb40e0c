"""Finds duplicate pictures by content, so that no evaluated image calibrates."""

import hashlib
from collections import Counter

from radhard.models.data.dataset import Dataset
from radhard.models.data.tree import few


def contents(data: Dataset) -> list[bytes]:
    """SHA-256 of the pixels of each image, as the model takes them."""
    return [hashlib.sha256(image.contiguous().numpy().data).digest() for image in data.images]


def same_pictures(data: Dataset, *, as_in: Dataset) -> list[int]:
    """The places of the images of `data` whose pixels are those of an image of another set."""
    known = set(contents(as_in))
    return [place for place, content in enumerate(contents(data)) if content in known]


def repeated(data: Dataset) -> tuple[str, ...]:
    """What to say of pictures that are there more than once; nothing where none is."""
    found = contents(data)
    counts = Counter(found)
    more = [place for place, content in enumerate(found) if counts[content] > 1]
    if not more:
        return ()
    labels: dict[bytes, set[int]] = {}
    for place in more:
        labels.setdefault(found[place], set()).add(int(data.labels[place]))
    torn = sum(len(each) > 1 for each in labels.values())
    names = [data.names[place] if data.names else f"image {int(data.ids[place])}" for place in more]
    text = few(names, "images are pictures that are there more than once")
    return (f"{data.name}: {text}" + (f"; {torn} of them with different labels" if torn else ""),)
