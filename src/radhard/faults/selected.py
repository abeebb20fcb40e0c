"""Which flips of a table are also those of a selection: faults are nested, so the others are what it spares."""

import numpy as np
from numpy.typing import NDArray

from radhard.faults.faults import Faults
from radhard.faults.flips import Flips
from radhard.machine import KINDS
from radhard.program import Program


def selected(flips: Flips, program: Program, faults: Faults) -> NDArray[np.bool_]:
    """`flips` [F] of faults at the rate, seed and trial of `faults` that include them -> whether these have it [F]."""
    chosen = {site.name for site in program.sites if faults.where.selects(site)}
    sites = np.array([name in chosen for name in flips.sites], np.bool_)
    kinds = np.array([kind in faults.kinds for kind in KINDS], np.bool_)
    found: NDArray[np.bool_] = sites[flips.site] & kinds[flips.kind]
    return found
