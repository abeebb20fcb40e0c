"""What PIL does here is what torchvision's transforms do, pixel for pixel."""

import numpy as np
import pytest
from PIL import Image

from radhard.models.data.preprocessing import Preprocessing
from radhard.models.data.resizing import resizing
from radhard.models.vision import import_torchvision

SIZES = ((32, 32), (31, 47), (47, 31), (64, 33), (20, 90), (25, 24), (24, 24), (9, 200), (7, 7))
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


def picture(size: tuple[int, int], *, mode: str) -> Image.Image:
    draw = np.random.default_rng(size[0] * 1000 + size[1])
    if mode == "F":
        return Image.fromarray(draw.normal(size=size).astype(np.float32))
    return Image.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8)).convert(mode)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("mode", ["RGB", "L", "F"])
def test_edge_and_middle_are_torchvisions(interpolation: str, mode: str) -> None:
    import_torchvision()
    from torchvision import transforms

    kind = transforms.InterpolationMode(interpolation)
    crop = transforms.CenterCrop((20, 23))
    for size in SIZES:
        image = picture(size, mode=mode)
        for how, theirs in (
            (("center", (25, 25)), [transforms.Resize(25, interpolation=kind), crop]),
            (("squash", (27, 22)), [transforms.Resize((27, 22), interpolation=kind), crop]),
            (("squash", (31, 47)), [transforms.Resize((31, 47), interpolation=kind), crop]),
            (("center", None), [crop]),
        ):
            stated = Preprocessing(size=(20, 23), resize=how[1], crop_mode=how[0], interpolation=interpolation)  # type: ignore[arg-type]
            found = resizing(stated, fill=[0])(image)
            assert np.array_equal(np.asarray(found), np.asarray(transforms.Compose(theirs)(image))), (size, how)
