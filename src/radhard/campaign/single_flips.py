"""The settings of one flip an inference: one for each component of a model, in which it alone is exposed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from radhard.campaign.components import By, guessed, selections
from radhard.campaign.experiment import Setting
from radhard.campaign.model_under_test import ModelUnderTest
from radhard.errors import InputError
from radhard.faults import EVERYWHERE, Where, check_patterns, exposures, patches_of


@dataclass(frozen=True, kw_only=True)
class FlipTarget:
    """A component that takes the flip: `setting` exposes it alone, its `setting.bits` bits of `operations` an image.

    `part`: it is a part of another target. `guessed`: a site's layer or module is no more than a guess.
    """

    name: str
    setting: Setting
    operations: int
    part: bool = False
    guessed: bool = False


def targets(
    model_under_test: ModelUnderTest,
    whole: Setting,
    *,
    by: By,
    only: Sequence[str] = (),
    grid: tuple[int, int] | None = None,
) -> tuple[FlipTarget, ...]:
    """The components of what `whole` exposes to its flips, in the order of execution; those that match `only`.

    Components without an exposed bit are left out. InputError if `whole` has no number of flips, for a pattern that
    matches nothing or only components without exposed bits, and if nothing is left.
    """
    if not whole.flips:
        raise InputError(f"{whole.rate}: give a number of flips an inference")
    if by == "patch" and grid is None:
        raise InputError("patches of which grid? give its rows and columns, --grid 7x7")
    program, faults = model_under_test.program_of(whole), whole.faults(0)
    patches = patches_of(program, faults.where) if grid is None else program.patches(grid)
    everything = exposures(program.costs, faults, patches=patches)
    components = dict(selections(program, whole, everything, by=by, grid=grid))
    check_patterns(tuple(only), tuple(components), what=by)
    found = []
    for name, (kinds, where) in components.items():
        if only and not any(fnmatchcase(name, pattern) for pattern in only):
            continue
        exposed = exposures(program.costs, faults, patches=patches, inside=where)
        inside = {place: one for place, one in exposed.items() if place[1] in kinds and one.bits}
        if inside:
            setting = replace(
                whole, kinds=kinds, where=_both(whole.where, where), bits=sum(one.bits for one in inside.values())
            )
            found.append(
                FlipTarget(
                    name=name,
                    setting=setting,
                    operations=sum(one.operations for one in inside.values()),
                    part=by == "module" and bool(where.operators),
                    guessed=guessed(inside, by=by),
                )
            )
    names = {target.name for target in found}
    for pattern in only:
        matched = [name for name in components if fnmatchcase(name, pattern)]
        if not names.intersection(matched):
            raise InputError(
                f"--component {pattern}: {by} {', '.join(matched)} has no exposed bit (kinds "
                f"{', '.join(sorted(whole.kinds))}), so no flip can be in it and it has no AVF; expose more --kinds, "
                "or leave it out"
            )
    if not found:
        raise InputError(
            f"in none of the {len(components)} {by}s can a bit flip (kinds {', '.join(sorted(whole.kinds))})"
        )
    return tuple(found)


def _both(where: Where, other: Where) -> Where:
    """What both select."""
    if where == EVERYWHERE or other == EVERYWHERE:
        return other if where == EVERYWHERE else where
    return where.protecting(~other)
