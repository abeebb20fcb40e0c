"""Fashion-MNIST (Zalando SE, MIT licence): the embedded images, and the whole training set.

`test` is the data set's own test set: 10,000 images, which evaluate. `calibration` is 2,000 of the 60,000
training images, 200 of each class: they calibrate and select. The zoo's models were trained without them.
"""

import hashlib
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from radhard.errors import InputError
from radhard.models.data.dataset import Dataset
from radhard.models.data.idx import read_idx
from radhard.models.vision import import_torchvision

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MEAN = (0.2860,)  # of the 60,000 training images, pixels in [0, 1]
STD = (0.3530,)
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
TRAINING_DIGEST = "1f243a60b4b748a44c48b9a6f6907be2a08bee3e4e226f0e86fbde8e147b745a"
CALIBRATION_SEED = 0
CALIBRATION_PER_CLASS = 200

_EMBEDDED = Path(__file__).parent
_STEMS = {"test": "t10k", "calibration": "calibration"}


def fashion_mnist(split: Literal["test", "calibration"] = "test") -> Dataset:
    """The embedded images [N, 1, 28, 28]: N = 10,000 of `test`, or 2,000 of `calibration`."""
    if split not in _STEMS:
        raise InputError(f"split {split!r} of Fashion-MNIST is not embedded; it is one of {', '.join(_STEMS)}")
    return _read(_EMBEDDED, stem=_STEMS[split], name=f"fashion-mnist/{split}")


def calibration_indices(labels: Tensor) -> Tensor:
    """`labels` int64 [N] -> int64 [2000]: which training images the calibration set holds, in its order.

    The rule: image i has the key SHA-256("fashion-mnist calibration {seed} {i}"), seed 0. Of each class
    the 200 images with the smallest keys are taken. The order is the first of each class (classes ascending),
    then the second of each, and so on: any first 10 n images are class-balanced.
    """
    tag = f"fashion-mnist calibration {CALIBRATION_SEED}"
    order = sorted(range(len(labels)), key=lambda i: hashlib.sha256(f"{tag} {i}".encode()).digest())
    ranked = torch.tensor(order)
    classes = [ranked[labels[ranked] == c][:CALIBRATION_PER_CLASS] for c in range(len(CLASS_NAMES))]
    return torch.stack(classes, dim=1).flatten()


def training_set(folder: Path | None = None) -> Dataset:
    """All the training images [60000, 1, 28, 28], from `folder`, else Debian's package, else a download.

    InputError when none can be had, or when the files are not Fashion-MNIST's.
    """
    source = folder or (DEBIAN_FOLDER if DEBIAN_FOLDER.is_dir() else _download())
    data = _read(source, stem="train", name="fashion-mnist/train")
    if data.digest != TRAINING_DIGEST:
        raise InputError(
            f"{source} does not hold Fashion-MNIST's training set: its SHA-256 is {data.digest}, "
            f"not {TRAINING_DIGEST}. Are these MNIST's files? They have the same names"
        )
    return data


def _download() -> Path:
    """The folder of the IDX files that torchvision downloaded, now or earlier."""
    cache = Path(torch.hub.get_dir()) / "datasets"
    import_torchvision()
    from torchvision.datasets import FashionMNIST

    try:
        FashionMNIST(str(cache), train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            "Fashion-MNIST's training set was not found. Give a folder that holds train-images-idx3-ubyte.gz "
            "and train-labels-idx1-ubyte.gz, or install Debian's package dataset-fashion-mnist "
            f"({DEBIAN_FOLDER}), or let torchvision download it to {cache}, which failed just now: {error}"
        ) from error
    return cache / "FashionMNIST" / "raw"


def _read(folder: Path, *, stem: str, name: str) -> Dataset:
    """The two IDX files of `stem` -> Dataset. InputError when they do not belong together."""
    images_file, labels_file = (folder / f"{stem}-{rest}-ubyte.gz" for rest in ("images-idx3", "labels-idx1"))
    images, labels = read_idx(images_file, dims=3), read_idx(labels_file, dims=1)
    if images.shape[1:] != (28, 28):
        raise InputError(f"{images_file} holds images of {images.shape[1:]} pixels; Fashion-MNIST's are 28 x 28")
    if len(images) != len(labels):
        raise InputError(f"{images_file} holds {len(images)} images, {labels_file} {len(labels)} labels: no pair")
    if labels.max(initial=0) >= len(CLASS_NAMES):
        raise InputError(f"{labels_file} holds the label {labels.max()}; Fashion-MNIST's are 0 ... 9")
    return Dataset(
        name=name,
        images=torch.from_numpy(images).unsqueeze(1),
        labels=torch.from_numpy(labels).to(torch.int64),
        ids=torch.arange(len(labels)),
        class_names=CLASS_NAMES,
    )
