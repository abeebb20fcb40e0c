"""Small trees of real image files, made by PIL."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radhard.models.data.fashion import fashion_mnist


def noise(height: int, width: int, *, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 [H, W, C], or [H, W] for one channel: smooth enough for JPEG to keep it."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, channels), dtype=np.uint8)
    bands = [np.asarray(Image.fromarray(coarse[:, :, c]).resize((width, height))) for c in range(channels)]
    return bands[0] if channels == 1 else np.stack(bands, axis=2)


def save(image: Image.Image, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def grey_folder(root: Path, *, each: int, suffix: str = ".jpg") -> Path:
    """The first `each` test images of Fashion-MNIST of each class, in class folders 0 ... 9, nearly unchanged."""
    data = fashion_mnist("test")
    for label in range(10):
        for place in (data.labels == label).nonzero().flatten()[:each].tolist():
            path = root / str(label) / f"{place:05}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            options = {"quality": 98} if suffix == ".jpg" else {}
            Image.fromarray(data.images[place, 0].numpy()).save(path, **options)
    return root
