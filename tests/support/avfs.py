"""Made-up studies of AVFs, with known numbers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from radhard.analysis.avf import AvfStudy
from radhard.campaign.effects import Effects
from radhard.campaign.single_flips import FlipTarget
from radhard.faults import Where
from tests.support.campaigns import setting


def effects_of(
    *, trials: Sequence[int], sdc: Sequence[int], critical: Sequence[int], due: Sequence[int], **more: Sequence[int]
) -> Effects:
    columns = {"trials": trials, "sdc": sdc, "critical": critical, "due": due, **more}
    return Effects(**{name: np.array(values, np.int64) for name, values in columns.items()})


def study_of(
    *,
    bits: Mapping[str, int],
    whole: int,
    trials: tuple[int, ...],
    parts: Collection[str] = (),
    labelled: bool = True,
    images: int = 2,
) -> AvfStudy:
    """Components by name and their bits, of `whole` exposed ones."""
    every = setting(0.0, flips=1, bits=whole, labelled=labelled)
    targets = tuple(
        FlipTarget(
            name=name,
            setting=replace(every, where=Where(sites=(name,)), bits=own),
            operations=own,
            part=name in parts,
        )
        for name, own in bits.items()
    )
    return AvfStudy(by="module", whole=every, targets=targets, trials=trials, images=images, chunk=images)
