"""Holm's correction of several p-values (Scandinavian Journal of Statistics 6, 1979)."""

from collections.abc import Sequence


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """p-values of a family of tests -> corrected ones: of those at most 0.05, all are right with 95 %.

    The smallest is multiplied by how many there are, the next by one fewer and so on; none is smaller than one before.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    order = sorted(range(len(p)), key=lambda place: p[place])
    corrected, least = [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(p) - rank) * p[place]))
        corrected[place] = least
    return tuple(corrected)
