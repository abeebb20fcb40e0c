"""The mean of images, float64 [H, W] or [H, W, 3] in 0 ... 1: what stands beside a map over the image."""

import numpy as np
import numpy.typing as npt
import torch

from radhard.models.data.dataset import Dataset
from radhard.models.data.picture import SCALES

Image = npt.NDArray[np.float64]

MOST_PIXELS = 64
"""Of a side of the grey levels: enough to see what is where under patches."""


def mean_image(data: Dataset, *, images: int) -> Image:
    """The mean of the first images, in 0 ... 1: float64 [H, W], the mean of all channels, or [H, W, 3] of three."""
    total = torch.zeros(data.images.shape[1:], dtype=torch.float64)
    for part in torch.split(torch.arange(images), 256):
        total += data.images[part].to(torch.float64).sum(0)
    mean: Image = (total / images / SCALES[data.images.dtype]).numpy()
    if data.images.dtype == torch.float32:  # floats have no scale of their own: the mean's range is shown
        mean = (mean - mean.min()) / max(float(np.ptp(mean)), 1e-30)
    return mean.transpose(1, 2, 0) if len(mean) == 3 else mean.mean(0)


def grey_levels(image: Image) -> list[list[int]]:
    """A mean image [H, W] or [H, W, 3] -> its grey levels 0 ... 255, at most `MOST_PIXELS` a side, as a record has it.

    >>> grey_levels(np.array([[0.0, 0.5], [1.0, 0.25]]))
    [[0, 128], [255, 64]]
    """
    grey = torch.from_numpy(grey_of(image).copy())
    side = max(grey.shape)
    if side > MOST_PIXELS:
        height, width = (max(1, round(MOST_PIXELS * length / side)) for length in grey.shape)
        grey = torch.nn.functional.adaptive_avg_pool2d(grey[None, None], (height, width))[0, 0]
    return [[int(level) for level in line] for line in (255 * grey.clamp(0, 1)).round().tolist()]


def grey_of(image: Image) -> Image:
    """The luma of an image [H, W, 3], [H, W]; a grey image as it is."""
    return image if image.ndim == 2 else image @ np.array([0.299, 0.587, 0.114])
