"""Run the images of a table of faults under exactly these faults."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from radhard.campaign.bench import Bench
from radhard.campaign.measure import predictions
from radhard.errors import InputError
from radhard.faults import Faulty, Flips
from radhard.machine import Clean
from radhard.program import run


@dataclass(frozen=True, kw_only=True, eq=False)
class Replayed:
    """`images` int64 [B] ascending; `logits` and `clean` ones float32 [B, K]; `labels`, `flips` int64 [B]."""

    images: Tensor
    logits: Tensor
    clean: Tensor
    labels: Tensor
    flips: Tensor

    def records(self) -> list[dict[str, Any]]:
        """One dict an image: its number, flips, label, and the predictions without and with the faults."""
        columns = (self.images, self.flips, self.labels, predictions(self.clean), predictions(self.logits))
        names = ("image", "flips", "label", "clean", "prediction")
        return [dict(zip(names, row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)]


def replay(bench: Bench, flips: Flips, *, recipe: str, batch: int = 64) -> Replayed:
    """The images that `flips` hits, run on the bench's program of `recipe`.

    Raises InputError for a row that names an image, a site, an operation or a bit that is not there.
    """
    program = bench.programs[recipe]
    beyond = np.flatnonzero(flips.image >= len(bench.data))
    if len(beyond):
        row = int(beyond[0])
        raise InputError(
            f"row {row + 1}: image {flips.image[row]} is not one of {bench.data.name}, whose "
            f"{len(bench.data)} images are numbered from 0"
        )
    if not len(flips):
        raise InputError("the table holds no fault of this trial: nothing to replay")
    flips.check(program.costs)
    ids = torch.from_numpy(np.unique(flips.image))
    faulty, clean = [], []
    for part in torch.split(ids, batch):
        images = bench.images(part)
        faulty.append(run(program, images, Faulty(Clean(), flips.only(part.numpy())), ids=part).logits)
        clean.append(run(program, images, Clean(), ids=part).logits)
    return Replayed(
        images=ids,
        logits=torch.cat(faulty),
        clean=torch.cat(clean),
        labels=bench.data.labels[ids],
        flips=torch.from_numpy(flips.per_image(ids.numpy())),
    )
