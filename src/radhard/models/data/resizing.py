"""Resizing and cutting for evaluation, as timm's and torchvision's transforms do it to PIL images.

What most configurations state, an edge and the middle, is done by PIL here, bit for bit as they do it (tests hold the
two together): importing them takes as long as reading hundreds of images.
"""

from collections.abc import Callable
from typing import Any

from PIL import Image

from radhard.models.data.preprocessing import PixelSize, Preprocessing
from radhard.models.vision import import_timm, import_torchvision

Transform = Callable[[Image.Image], Image.Image]


def resizing(how: Preprocessing, *, fill: list[int]) -> Transform:
    """PIL image -> PIL image; safe on any thread. `fill`: what a border is made of, a number a channel."""
    if how.crop_mode == "none":
        return lambda image: image
    if how.resize is None:
        return lambda image: middle(image, how.size)
    kind, resize = Image.Resampling[how.interpolation.upper()], how.resize
    if how.crop_mode == "squash":
        return lambda image: middle(_to(image, resize, kind), how.size)
    if how.crop_mode == "center" and resize[0] == resize[1]:
        return lambda image: middle(_to(image, shorter_edge(image, resize[0]), kind), how.size)
    return _by_libraries(how, resize, fill=fill)


def shorter_edge(image: Image.Image, edge: int) -> PixelSize:
    """(H, W) to which an image is resized so that its shorter edge has `edge` pixels."""
    width, height = image.size
    if width <= height:
        return int(edge * height / width), edge
    return edge, int(edge * width / height)


def middle(image: Image.Image, size: PixelSize) -> Image.Image:
    """The middle (H, W) of an image; one that is smaller is padded with 0."""
    (height, width), (wide, high) = size, image.size
    if wide < width or high < height:
        import_torchvision()
        from torchvision.transforms import CenterCrop

        padded: Image.Image = CenterCrop(size)(image)
        return padded
    top, left = round((high - height) / 2.0), round((wide - width) / 2.0)
    return image.crop((left, top, left + width, top + height))


def _to(image: Image.Image, size: PixelSize, kind: Image.Resampling) -> Image.Image:
    height, width = size
    return image if image.size == (width, height) else image.resize((width, height), kind)


def _by_libraries(how: Preprocessing, resize: PixelSize, *, fill: list[int]) -> Transform:
    """What timm's own transforms do: both edges scaled alike, cut or padded."""
    import_timm()
    from timm.data.transforms import CenterCropOrPad, ResizeKeepRatio
    from torchvision import transforms

    if how.crop_mode == "border":
        steps: list[Any] = [
            ResizeKeepRatio(resize, interpolation=how.interpolation, longest=1.0),
            CenterCropOrPad(how.size, fill=fill if len(fill) > 1 else fill[0]),
        ]
    else:
        steps = [ResizeKeepRatio(resize, interpolation=how.interpolation), transforms.CenterCrop(how.size)]
    whole: Transform = transforms.Compose(steps)
    return whole
