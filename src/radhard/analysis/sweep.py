"""The result of a sweep of one model: its curve, and the rates at which accuracy is lost."""

from collections.abc import Mapping
from dataclasses import dataclass

from radhard.analysis.crossing import Crossing, crossing
from radhard.analysis.curve import Point
from radhard.campaign.experiment import Setting
from radhard.models.data.pixels import Pixels

TEN_POINTS = 0.1
"""The loss, as a share of all answers, at which a model is called damaged in a comparison."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The `settings` of one model, their `points`, and the `clean` ones by recipe.

    `macs`: multiply-accumulates of matrix products and convolutions an image. `back_end`: what computed its products.
    `device`: where it ran. `images`: how many were asked for. `calibrated_on`: which images the scales are from.
    `skipped`: how many images could not be read and were left out. `pixels`: what was done to them.
    """

    settings: tuple[Setting, ...]
    points: tuple[Point, ...]
    clean: Mapping[str, Point]
    macs: int
    back_end: Mapping[str, str]
    images: int
    calibrated_on: str = ""
    skipped: int = 0
    pixels: Pixels | None = None
    device: str = "cpu"

    @property
    def setting(self) -> Setting:
        """The last setting: all of them differ in their BER alone."""
        return self.settings[-1]

    @property
    def model(self) -> str:
        """The model's name."""
        return self.setting.model

    @property
    def labelled(self) -> bool:
        """Whether the images have labels, so that there is an accuracy."""
        return self.setting.labelled

    @property
    def recipe(self) -> str:
        """The recipe of the program that the faults were in."""
        return self.setting.recipe

    @property
    def loses_10_points(self) -> Crossing:
        """Where accuracy is 10 points under the clean one of the same program."""
        return crossing(self.points, level=self.clean[self.recipe].kept - TEN_POINTS)

    @property
    def loses_half(self) -> Crossing:
        """Where accuracy is half of the clean one of the same program."""
        return crossing(self.points, level=self.clean[self.recipe].kept / 2)
