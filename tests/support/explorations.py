"""The tiny vision transformer under test, and made-up studies, for tests of vulnerability."""

from functools import cache

import torch

from radhard.analysis.vulnerability import Study
from radhard.campaign.components import Component, Parts
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.faults import Where
from radhard.models.data.dataset import Dataset, normalise
from radhard.program import run
from tests.support.campaigns import setting
from tests.support.models import tiny_program

MEAN, STD = (0.5,), (0.3,)


@cache
def tiny_under_test(images: int = 400) -> ModelUnderTest:
    """Images of noise; their labels are the answers of the float program, with some wrong ones among them."""
    generator = torch.Generator().manual_seed(8)
    pixels = torch.randint(0, 256, (images, 1, 8, 8), generator=generator, dtype=torch.uint8)
    labels = run(tiny_program(), normalise(pixels, mean=MEAN, std=STD)).logits.argmax(1)
    labels[::9] = (labels[::9] + 1) % 5
    data = Dataset(
        name="noise", images=pixels, labels=labels, ids=torch.arange(images), class_names=tuple("abcde")
    )  # fmt: skip
    programs = {"float": tiny_program(), "int8": tiny_program("int8")}
    return ModelUnderTest(model="tiny", programs=programs, data=data, mean=MEAN, std=STD, calibration=data)


def toy_study(names: tuple[str, ...] = ("a", "b", "c"), *, until_width: float | None = None, trials: int = 3) -> Study:
    """Components of a model that is not there: for an executor that makes outcomes up."""
    whole = setting(1e-7)
    components = tuple(
        Component(
            name=name,
            protected=setting(1e-7, where=~Where(layers=(name,)), bits=10**7 - 10**6 * (k + 1)),
            operations=100 * (k + 1),
            bits=10**6 * (k + 1),
            guessed=k == 1,
        )
        for k, name in enumerate(names)
    )
    parts = Parts(
        by="layer", whole=whole, components=components, operations=1000, bits=10**7, unexposed=("empty",)
    )  # fmt: skip
    return Study(parts=parts, images=250, trials=trials, chunk=100, until_width=until_width)
