"""Runs images under exactly the faults of a given table."""

from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from radhard.campaign.measure import predictions
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.errors import InputError
from radhard.faults import Faulty, Flips
from radhard.machine import Clean
from radhard.models.data.listing import UNLABELLED
from radhard.program import run


class ReplayedRecord(TypedDict):
    """An image's identity, its flips, its label (null: none), what is predicted without and with them, and its file."""

    image: int
    flips: int
    label: int | None
    clean: int
    prediction: int
    file: NotRequired[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Replayed:
    """`images` int64 [B] ascending, identities; `logits` and `clean` ones float32 [B, K]; `labels`, `flips` int64 [B].

    `names` [B] are relative paths where the images are files, else empty.
    """

    images: Tensor
    logits: Tensor
    clean: Tensor
    labels: Tensor
    flips: Tensor
    names: tuple[str, ...] = ()

    def records(self) -> list[ReplayedRecord]:
        """One an image."""
        columns = (self.images, self.flips, self.labels, predictions(self.clean), predictions(self.logits))
        found: list[ReplayedRecord] = []
        for place, row in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            image, flips, label, clean, prediction = row
            record: ReplayedRecord = {
                "image": image,
                "flips": flips,
                "label": None if label == UNLABELLED else label,
                "clean": clean,
                "prediction": prediction,
            }
            if self.names:
                record["file"] = self.names[place]
            found.append(record)
        return found


def replay(bench: ModelUnderTest, flips: Flips, *, recipe: str, batch: int = 64) -> Replayed:
    """The images that `flips` hits, run on the bench's program of `recipe`.

    Raises InputError for a row that names an image, a site, an operation or a bit that is not there.
    """
    program = bench.programs[recipe]
    if not len(flips):
        raise InputError("the table holds no fault of this trial: nothing to replay")
    bench.data.places(torch.from_numpy(flips.image))  # tells the row of an image that is not there
    flips.check_unprotected()
    flips.check(program.costs)
    ids = torch.from_numpy(np.unique(flips.image))
    places = bench.data.places(ids)
    faulty, clean = [], []
    for part in torch.split(torch.arange(len(ids)), batch):
        images = bench.images(places[part])
        machine = Faulty(Clean(), flips.only(ids[part].numpy()))
        faulty.append(run(program, images, machine, ids=ids[part]).logits.cpu())
        clean.append(run(program, images, Clean(), ids=ids[part]).logits.cpu())
    return Replayed(
        images=ids,
        logits=torch.cat(faulty),
        clean=torch.cat(clean),
        labels=bench.data.labels[places],
        flips=torch.from_numpy(flips.per_image(ids.numpy())),
        names=tuple(bench.data.names[place] for place in places.tolist()) if bench.data.names else (),
    )
