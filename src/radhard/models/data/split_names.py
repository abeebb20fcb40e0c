"""Names of data splits: train, validation, test, and their common synonyms."""

import re
from collections.abc import Mapping
from typing import TypeVar

from radhard.errors import InputError, shown

T = TypeVar("T")

CALIBRATION = "--calibration-split"
"""The option of the split that calibrates: train, where it is not given."""

NONE = "none"
"""What `--split` says where folders that are called like splits are classes."""

_NAMES = {
    "train": ("train", "training", "trn", "tr"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "t10k"),
}
_YEAR = re.compile(r"(?<=[a-z])[-_]?(19|20)\d\d$")  # val2017
_SPLITS = {name: split for split, names in _NAMES.items() for name in names}


def split_of(name: str) -> str | None:
    """`train`, `validation` or `test` where a folder or file is called so, or by another word for it."""
    return _SPLITS.get(_YEAR.sub("", name.lower()))


def choose(found: Mapping[str, T], wanted: str | None, *, name: str, option: str = "--split") -> tuple[str, T]:
    """Of the splits that data have, by their own names, the wanted one; None: the only one, or the one beside train.

    InputError where there is no such one, and where it must be said which.
    """
    held = ", ".join(map(shown, found))
    if wanted is None and option == CALIBRATION and any(split_of(own) == "train" for own in found):
        wanted = "train"
    if wanted is None:
        rest = [own for own in found if split_of(own) != "train"] if len(found) > 1 else list(found)
        if len(rest) != 1:
            raise InputError(f"data {name} has the splits {held}: say which by {option}")
        return rest[0], found[rest[0]]
    for own in found:
        if own == wanted or (split_of(wanted) is not None and split_of(own) == split_of(wanted)):
            return own, found[own]
    raise InputError(f"{option} {wanted}: data {name} has the splits {held}; give one of them")


def no_splits(wanted: str | None, *, name: str, option: str = "--split") -> None:
    """InputError where a split is wanted of data that have none."""
    if wanted not in (None, NONE):
        raise InputError(f"{option} {wanted}: data {name} has no splits; leave it out, or name the split's own folder")
