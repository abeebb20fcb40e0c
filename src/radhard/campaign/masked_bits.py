"""The masked bits of integer products under one flip, counted image by image: what no run has to find out."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from radhard.campaign.experiment import Setting, Unit
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.faults import exposures, trace
from radhard.faults.masking import counts_at, masked_bits
from radhard.machine import KINDS, Kind, Site
from radhard.program import Apply, Program

Counts = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_MACS = 2e11
"""Multiply-accumulates of all images that are counted: some minutes of one core. A chain is executed twice."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CountedBits:
    """Of the first N images the masked bits at each site and kind where they were counted: int64 [N]."""

    model_under_test: ModelUnderTest
    of: dict[tuple[Site, Kind], Counts]

    def masked(self, setting: Setting) -> Counts | None:
        """The masked bits of each image among those that a setting exposes; None where no bit of it was counted.

        Nothing is counted by patch or by bit: of these a setting exposes some words of a site, or some of their bits.
        """
        if setting.where.fine:
            return None
        mine = [place for place in self._exposed(setting) if place in self.of]
        return sum((self.of[place] for place in mine[1:]), self.of[mine[0]]) if mine else None

    def hit(self, setting: Setting) -> Callable[[Unit], Bools]:
        """Of a unit: whether the flip of each image is at a site and kind where masked bits were counted, bool [B]."""
        if all(place in self.of for place in self._exposed(setting)):
            return lambda unit: np.ones(len(unit), np.bool_)
        return self._at_counted

    def _at_counted(self, unit: Unit) -> Bools:
        program = self.model_under_test.program_of(unit.setting)
        ids = self.model_under_test.data.ids[unit.start : unit.stop]
        flips = trace(program, unit.setting.faults(unit.trial), ids)
        known = np.zeros((len(flips.sites), len(KINDS)), np.bool_)
        for site, kind in self.of:
            known[flips.sites.index(site.name), KINDS.index(kind)] = True
        hit = known[flips.site, flips.kind]
        by_image = dict(zip(flips.image.tolist(), hit.tolist(), strict=True))
        return np.array([by_image[image] for image in ids.tolist()], np.bool_)

    def _exposed(self, setting: Setting) -> list[tuple[Site, Kind]]:
        costs = self.model_under_test.program_of(setting).costs
        return [place for place, one in exposures(costs, setting.faults(0)).items() if one.bits]


def count_bits(model_under_test: ModelUnderTest, setting: Setting, *, images: int, batch: int) -> CountedBits | None:
    """Count the masked bits of all integer products on the first `images`; None where that is not `countable`."""
    program = model_under_test.program_of(setting)
    if not countable(program, images=images):
        return None
    found: dict[tuple[Site, Kind], list[Counts]] = {}
    for places in torch.split(torch.arange(images), batch):
        ids = model_under_test.data.ids[places]
        bits = masked_bits(program, model_under_test.images(places), ids=ids, words=setting.words)
        for place, counts in bits.of.items():
            found.setdefault(place, []).append(counts)
    return CountedBits(
        model_under_test=model_under_test, of={place: np.concatenate(counts) for place, counts in found.items()}
    )


def countable(program: Program, *, images: int) -> bool:
    """Whether there are integer products to count, and all of it takes no more than MOST_MACS."""
    return 0 < images * counted_macs(program) <= MOST_MACS


def counted_macs(program: Program) -> int:
    """Multiply-accumulates of an image in products whose masked bits can be counted."""
    return sum(
        program.costs[step.site].operations("mul")
        for step in program.on_host.steps
        if isinstance(step, Apply) and counts_at(step.operator)
    )
