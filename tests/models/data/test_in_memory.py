"""Images that a Python program hands over: who they are, and what is refused."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.in_memory import content_ids, is_pixels, made_to_fit, read_whole
from radhard.models.data.listing import UNLABELLED, Listing
from radhard.models.data.picture import Frame
from radhard.models.data.preprocessing import Preprocessing


def pixels(count: int, *, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 4, 5), generator=draw, dtype=torch.uint8)


IMAGES = pixels(23)
LABELS = torch.arange(23) % 4


class Mapped(TorchDataset[Any]):
    def __init__(self, items: list[Any]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> Any:
        return self.items[place]


class Streamed(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from zip(IMAGES, LABELS, strict=True)


def whole(data: Any) -> Dataset:
    found = read_whole(data)
    assert isinstance(found, Dataset)
    return found


def by_id(data: Dataset) -> dict[int, tuple[bytes, int]]:
    rows = zip(data.ids.tolist(), data.images, data.labels.tolist(), strict=True)
    return {number: (image.numpy().tobytes(), label) for number, image, label in rows}


WAYS = {
    "tensors": (IMAGES, LABELS),
    "arrays": (IMAGES.numpy(), LABELS.tolist()),
    "data set": TensorDataset(IMAGES, LABELS),
    "dictionaries": Mapped([{"image": i, "label": int(n)} for i, n in zip(IMAGES, LABELS, strict=True)]),
    "loader": DataLoader(TensorDataset(IMAGES, LABELS), batch_size=5),
    "shuffled": DataLoader(TensorDataset(IMAGES, LABELS), batch_size=4, shuffle=True),
    "stream": Streamed(),
    "read before": Dataset(
        name="own", images=IMAGES, labels=LABELS, ids=content_ids(IMAGES), class_names=("a", "b", "c", "d")
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_images_are_the_same_whichever_way_they_come(way: str) -> None:
    found = whole(WAYS[way])
    assert len(found) == 23
    assert is_pixels(found)
    assert by_id(found) == by_id(whole(WAYS["tensors"]))


def test_an_identity_is_the_first_52_bits_of_a_hash_of_the_content() -> None:
    for row in range(3):
        content = b"torch.uint8 [3, 4, 5] " + bytes(IMAGES[row].flatten().tolist())
        assert int(content_ids(IMAGES)[row]) == int(hashlib.sha256(content).hexdigest()[:13], 16)


def test_copies_of_an_image_have_identities_of_their_own() -> None:
    ids = content_ids(torch.cat([IMAGES[:2], IMAGES[:2], IMAGES[:1]]))
    assert len(set(ids.tolist())) == 5
    assert torch.equal(ids[:2], content_ids(IMAGES[:2]))


def test_reading_leaves_the_global_generator() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    read_whole(WAYS["shuffled"])
    assert torch.equal(torch.get_rng_state(), before)


def test_images_without_labels() -> None:
    for data in (IMAGES, TensorDataset(IMAGES), DataLoader(TensorDataset(IMAGES), batch_size=4)):
        assert set(whole(data).labels.tolist()) == {UNLABELLED}


def test_floats_are_taken_as_they_are() -> None:
    found = whole((IMAGES.double() / 7, LABELS))
    assert not is_pixels(found)
    assert torch.equal(found.images, (IMAGES.double() / 7).float())
    frame = Frame(preprocessing=Preprocessing(size=(2, 2), resize=(4, 4), crop_mode="center"), channels=3, mean=(0.0,))
    assert made_to_fit(found, frame=frame) is found


def test_pictures_of_pil_are_made_to_fit() -> None:
    big = [Image.fromarray(np.full((8, 8, 3), 10 * place, np.uint8)) for place in range(6)]
    found = read_whole(Mapped([(image, place % 2) for place, image in enumerate(big)]))
    assert isinstance(found, Listing)
    frame = Frame(preprocessing=Preprocessing(size=(4, 4), resize=(4, 4), crop_mode="squash"), channels=3, mean=(0.0,))
    made = made_to_fit(found, frame=frame)
    assert made.images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 50]
    assert made.images.shape == (6, 3, 4, 4)
    assert made.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert torch.equal(made.ids, content_ids(made.images))


class Augmented(Mapped):
    def __getitem__(self, place: int) -> Any:
        self.drawn = getattr(self, "drawn", 0) + 1
        return IMAGES[place] + self.drawn, 0


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": ((IMAGES[:0], LABELS[:0]), "holds no image"),
    "one image": (IMAGES[0], "unsqueeze"),
    "channels last": (torch.zeros(4, 8, 8, 3), "permute"),
    "integers": (torch.zeros(4, 3, 8, 8, dtype=torch.int64), "int64; give float32"),
    "NaN": (torch.full((4, 3, 8, 8), float("nan")), "NaN"),
    "labels of another count": ((IMAGES, LABELS[:4]), r"int64 \[4\] for 23 images"),
    "labels one hot": ((IMAGES, torch.zeros(23, 4)), r"float32 \[23, 4\]"),
    "labels below 0": ((IMAGES, LABELS - 1), "count from 0"),
    "labels of text": ((IMAGES, ["cat"] * 23), "cannot be read"),
    "sizes": (Mapped([(torch.zeros(3, 4, 4), 0), (torch.zeros(3, 4, 5), 0)]), "one size"),
    "augmented": (Augmented([0, 1, 2]), "transform of evaluation"),
    "augmented, loaded": (DataLoader(Augmented([0, 1, 2]), batch_size=2), "transform of evaluation"),
    "some left out": (
        DataLoader(TensorDataset(IMAGES, LABELS), batch_size=4, shuffle=True, drop_last=True),
        "drop_last=False",
    ),
    "keys": (Mapped([{"x": IMAGES[0]}]), "name the images"),
    "a number": (3, "data are a int"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    data, told = REFUSED[case]
    with pytest.raises(InputError, match=told) as error:
        read_whole(data)
    assert "\n" not in str(error.value)
