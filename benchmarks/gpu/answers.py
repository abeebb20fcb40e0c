"""What a model of the zoo answers without faults and under them, on a device, so that devices can be compared."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from radhard.faults import Faults, Faulty, Flips
from radhard.machine import Clean
from radhard.models.data.fashion import MEAN, STD, fashion_mnist
from radhard.program import DeviceGraph, Program

IMAGES, BATCH = 200, 50
RATES = {"fashion-vit": (2e-6, 5e-6), "fashion-resnet20": (2e-6, 5e-6)}
RATE, TINY = 2e-6, 1e-5


@dataclass(frozen=True, kw_only=True)
class Answers:
    """At a bit error rate (0: none): `logits` [N, 10] float32, `flips` [N] of each image, `digest` of all of them."""

    ber: float
    logits: Tensor
    flips: Tensor
    digest: str


def rates_of(model: str, *, tiny: bool) -> tuple[float, ...]:
    """The rates at which a model answers: without faults, and where some answers change."""
    return (0.0, TINY) if tiny else (0.0, *RATES.get(model, (RATE,)))


def answered(program: Program, *, ber: float, images: int, device: torch.device) -> Answers:
    """The first `images` test images under faults of seed 0, in batches as campaigns run them."""
    data = fashion_mnist("test")
    state, recorded = hashlib.sha256(), DeviceGraph(program, batch=BATCH)
    logits, counts = [], []
    for part in torch.split(torch.arange(images), BATCH):
        pictures = data.batch(part, mean=MEAN, std=STD).to(device)
        wanted = Faulty(Clean(), Faults(ber=ber)) if ber else Clean()
        result, machine = recorded.run(pictures, wanted, ids=data.ids[part])
        logits.append(result.logits.cpu())
        if isinstance(machine, Faulty):
            counts.append(machine.counts.cpu())
            if machine.flips is not None:
                _feed(state, machine.flips)
    flips = torch.cat(counts) if counts else torch.zeros(images, dtype=torch.int64)
    return Answers(ber=ber, logits=torch.cat(logits), flips=flips, digest=state.hexdigest())


def _feed(state: "hashlib._Hash", flips: Flips) -> None:
    """The flips of a batch, site after site, sorted."""
    for site, found in sorted(flips.by_site().items()):
        columns = (found.bit, found.index, found.kind, found.image)
        order = np.lexsort(columns)
        state.update(site.encode())
        for column in columns:
            state.update(column[order].tobytes())
