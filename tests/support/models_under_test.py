"""The zoo's vision transformer on its model under test: captured and calibrated once in a test process."""

from functools import cache

from radhard.campaign.build import build
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.models.load import load


@cache
def fashion_under_test(recipe: str) -> ModelUnderTest:
    return build(load("fashion-vit"), recipe=recipe)
