"""Consistency check of stored outcomes: values that follow from others are recomputed and compared."""

import numpy as np
import numpy.typing as npt

from radhard.campaign.experiment import Unit
from radhard.campaign.outcomes import Outcome, right


def contradiction(
    unit: Unit, outcome: Outcome, *, clean: Outcome | None, labels: npt.NDArray[np.int64] | None
) -> str | None:
    """What cannot be right in an outcome of B images, the first image named; None if nothing is found.

    `labels` int64 [B]; `clean`: the clean outcome of the same images. What is None is not compared.
    """
    checks: list[tuple[str, npt.NDArray[np.bool_]]] = [
        ("a number of flips below 0", outcome.flips < 0),
        ("a number of values that are not finite below 0", outcome.non_finite < 0),
    ]
    against = outcome if unit.setting.reference else clean
    if labels is not None and (against is not None or unit.setting.labelled):
        answers = (against or outcome).prediction
        expected = right(outcome.prediction, labels=labels, clean=answers)
        checks.append(("'correct' is not: prediction equals label", outcome.correct != expected))
    if unit.setting.clean:
        checks.append(("flips without faults", outcome.flips != 0))
    if clean is not None:
        changed = outcome.prediction != clean.prediction
        checks.append(("'changed' is not: prediction differs from the clean one", outcome.changed != changed))
        if unit.setting.protection is None:
            unhit = outcome.flips == 0
            checks.append(("an image that no flip hits has another prediction", unhit & changed))
    elif unit.setting.reference:
        checks.append(("a clean outcome that differs from itself", outcome.changed))
    for what, wrong in checks:
        if wrong.any():
            return f"{what} (image {unit.start + int(np.flatnonzero(wrong)[0])})"
    return None
