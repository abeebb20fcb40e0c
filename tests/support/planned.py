"""A plan for the small network of `verbs`, made once in a test process."""

from functools import cache

import torch
from torch import Tensor

from radhard.studies.options import PlanOptions, RunOptions
from radhard.studies.planning import Planned, plan
from tests.support.verbs import floats, network, pictures

RATE = 2e-5
RUN = RunOptions(images=60, trials=1, batch=60, chunk=20)


@cache
def data() -> tuple[Tensor, Tensor]:
    """400 images as the network takes them, and its answers: 80 calibrate, 320 are left."""
    images, labels = pictures(400)
    return floats(images), labels


@cache
def planned() -> Planned:
    """On 60 images from the end, judged on the 60 before them."""
    with torch.no_grad():
        return plan(network(), data(), ber=RATE, plan_options=PlanOptions(max_loss=10, max_overhead=90), run=RUN)
