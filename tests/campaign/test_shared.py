"""Images that choose and images that judge share no picture."""

from dataclasses import replace

import pytest
import torch

from radhard.campaign.model_under_test import shared
from radhard.errors import InputError
from tests.support.guarded import model_under_test


def test_a_copy_of_an_image_that_chooses_does_not_judge() -> None:
    places = torch.tensor([0, 1, 2, 0, 3, 2, 4, 5])
    twice = model_under_test().data.take(places, name="twice")
    twice = replace(twice, ids=torch.arange(100, 108))
    choosers, judges = shared(replace(model_under_test(), data=twice), 3, 2)
    assert choosers.data.ids.tolist() == [100, 101, 102]
    assert judges.data.ids.tolist() == [104, 106]
    assert judges.data.name == "twice, from image 4 on, without copies of those before"
    with pytest.raises(InputError, match=r"has 8 images \(2 of them copies of those that choose\), 3 .* and 4 that"):
        shared(replace(model_under_test(), data=twice), 3, 4)
    assert shared(replace(model_under_test(), data=twice.take(torch.tensor([0, 1, 2, 4]), name="x")), 3, 1)[
        1
    ].data.name == ("x, from image 4 on")
