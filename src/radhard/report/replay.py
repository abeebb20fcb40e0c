"""The result of a replay as a record."""

from typing import TypedDict

from radhard.campaign.model_under_test import ModelUnderTest
from radhard.campaign.replay import Replayed, ReplayedRecord
from radhard.machine.device import device_name
from radhard.models.data.pixels import PixelsRecord


class ReplayRecord(TypedDict):
    """What the faults of one trial did to a model's answers."""

    model: str
    recipe: str
    device: str
    trial: int
    pixels: PixelsRecord | None
    images: list[ReplayedRecord]


def replay_record(replayed: Replayed, *, model_under_test: ModelUnderTest, recipe: str, trial: int) -> ReplayRecord:
    """What was replayed on a program of a recipe -> JSON values."""
    return {
        "model": model_under_test.model,
        "recipe": recipe,
        "device": device_name(model_under_test.device),
        "trial": trial,
        "pixels": None if model_under_test.pixels is None else model_under_test.pixels.as_dict(),
        "images": replayed.records(),
    }
