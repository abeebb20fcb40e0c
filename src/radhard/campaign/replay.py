"""Runs images under exactly the flips or upsets of a given table."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from radhard.campaign.measure import predictions, stops
from radhard.campaign.model_under_test import ModelUnderTest, check_host
from radhard.errors import InputError
from radhard.faults import Faulty, Flips
from radhard.hardware import EVERY_PRODUCT, UpsetMachine, UpsetRows
from radhard.machine import Clean, Machine
from radhard.models.data.listing import UNLABELLED
from radhard.program import Program, run


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


def replay(model_under_test: ModelUnderTest, flips: Flips, *, recipe: str, batch: int = 64) -> Replayed:
    """The images that `flips` hits, run on the program of `recipe`.

    Raises InputError for a row that names an image, a site, an operation or a bit that is not there.
    """
    program = model_under_test.programs[recipe]
    if not len(flips):
        raise InputError("the table holds no fault of this trial: nothing to replay")
    model_under_test.data.places(torch.from_numpy(flips.image))  # tells the row of an image that is not there
    flips.check_unprotected()
    flips.check(program.costs)
    ids = torch.from_numpy(np.unique(flips.image))
    return _replayed(
        model_under_test,
        ids,
        lambda own: Faulty(Clean(), flips.only(own.numpy())),
        flips=torch.from_numpy(flips.per_image(ids.numpy())),
        recipe=recipe,
        batch=batch,
    )


def replay_upsets(model_under_test: ModelUnderTest, upsets: UpsetRows, *, recipe: str, batch: int = 64) -> Replayed:
    """The images of `upsets`, each under its own, run on the program of `recipe`; logits NaN where a code detects it.

    Raises InputError for a row that names an image, a site or a place that is not there.
    """
    model_under_test.data.places(torch.tensor(list(upsets.rows)))  # tells the row of an image that is not there
    program = model_under_test.programs[recipe].on_host
    places = upsets.fault_model.places(program, sites=_named(upsets, program))
    drawn, ids = upsets.drawn(places), torch.tensor(sorted(upsets.rows))
    check_host(model_under_test.device, upsets.fault_model)
    found = _replayed(
        model_under_test,
        ids,
        lambda _: UpsetMachine(Clean(), places, given=drawn),
        flips=torch.ones(len(ids), dtype=torch.int64),
        recipe=recipe,
        batch=batch,
    )
    found.logits[stops(UpsetMachine(Clean(), places, given=drawn), ids)] = torch.nan
    return found


def _named(upsets: UpsetRows, program: Program) -> set[str] | None:
    """The sites of the program that the rows name; None where they name none, or every one."""
    given = {site for _, site, _ in upsets.rows.values()}
    names = {name.strip() for site in given for name in site.split(";")} | given
    return None if EVERY_PRODUCT in given else names.intersection(s.name for s in program.sites) or None


def _replayed(
    model_under_test: ModelUnderTest,
    ids: Tensor,
    machine: Callable[[Tensor], Machine],
    *,
    flips: Tensor,
    recipe: str,
    batch: int,
) -> Replayed:
    """The images `ids` [B] int64, ascending, on the `machine` for some of them, and on a clean one."""
    program, places = model_under_test.programs[recipe], model_under_test.data.places(ids)
    faulty, clean = [], []
    for part in torch.split(torch.arange(len(ids)), batch):
        images = model_under_test.images(places[part])
        faulty.append(run(program, images, machine(ids[part]), ids=ids[part]).logits.cpu())
        clean.append(run(program, images, Clean(), ids=ids[part]).logits.cpu())
    return Replayed(
        images=ids,
        logits=torch.cat(faulty),
        clean=torch.cat(clean),
        labels=model_under_test.data.labels[places],
        flips=flips,
        names=tuple(model_under_test.data.names[place] for place in places.tolist())
        if model_under_test.data.names
        else (),
    )
