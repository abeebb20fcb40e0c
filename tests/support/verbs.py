"""A small model, its images in every form that a verb takes, and what a verb tells."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from radhard.studies.progress import Event, Note


def network() -> nn.Module:
    """Two layers over 3 x 8 x 8 words, with weights of their own seed."""
    draw = torch.Generator().manual_seed(5)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) / 4)
    return model.eval()


def pictures(count: int = 60) -> tuple[Tensor, Tensor]:
    """uint8 [count, 3, 8, 8], and as labels the answers of `network` to them as floats, but for one of each class."""
    draw = torch.Generator().manual_seed(6)
    images = torch.randint(0, 256, (count, 3, 8, 8), generator=draw, dtype=torch.uint8)
    with torch.no_grad():
        labels = network()(floats(images)).argmax(1)
    labels[:5] = torch.arange(5)
    return images, labels


def floats(images: Tensor) -> Tensor:
    """Pixels as `network` takes them: values / 255, mean 0.5, deviation 0.25."""
    return (images.float() / 255 - 0.5) / 0.25


def folder(path: Path, images: Tensor, labels: Tensor) -> Path:
    """The pictures as files in a folder for each class."""
    for row, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        file = path / f"{label}" / f"{row:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file)
    return path


class Told:
    """A progress callback that keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    @property
    def notes(self) -> list[str]:
        """The sentences."""
        return [event.text for event in self.events if isinstance(event, Note)]
