"""`Where`: selects the flips by site, image patch and bit, and excludes those of protected parts."""

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from radhard.errors import InputError
from radhard.machine import Site

NOWHERE = "none"
"""The name of the patch of operations that belong to no patch: class tokens, means over the image."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """Selects flips by shell patterns; an empty tuple selects all.

    `layers`, `modules`, `operators`, `sites`: of the site's place, operator and name. `patches`: "row,column" of the
    patch of a `grid` (rows, columns) of the image that the hit unit stands for, or NOWHERE. `bits`: "kind:word:bit",
    such as "mul:int16:15". What a member of `protected` selects is perfectly protected. `~where` is all but `where`.

    >>> import radhard as rh
    >>> attention = rh.Where(layers=("blocks.0", "blocks.1"), modules=("MHA-LF",))
    >>> everything_else = ~attention
    >>> ~everything_else == attention
    True
    """

    layers: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    grid: tuple[int, int] | None = None
    bits: tuple[str, ...] = ()
    protected: tuple["Where", ...] = field(default=(), metadata={"json": "spared"})  # its name in stored settings

    def __post_init__(self) -> None:
        for name in ("layers", "modules", "operators", "sites", "patches", "bits"):
            patterns = getattr(self, name)
            if isinstance(patterns, str) or not all(isinstance(pattern, str) for pattern in patterns):
                raise InputError(f"{name}={patterns!r}: give a tuple of patterns, {name}=('...',)")
            object.__setattr__(self, name, tuple(patterns))
        if not all(isinstance(other, Where) for other in self.protected):
            raise InputError(f"protected={self.protected!r}: give a tuple of Where")
        object.__setattr__(self, "protected", tuple(self.protected))
        if self.patches and self.grid is None:
            raise InputError(f"patches {', '.join(self.patches)} of which grid? give its rows and columns, grid=(7, 7)")
        if self.grid is not None and min(self.grid) < 1:
            raise InputError(f"grid={self.grid}: a grid of patches has at least one row and one column")
        if len(self.grids) > 1:
            raise InputError(f"patches of several grids, {sorted(self.grids)}, in one selection: take one grid")

    def __invert__(self) -> "Where":
        """All but these."""
        return (
            self.protected[0]
            if self == Where(protected=self.protected[:1]) and self.protected
            else Where(protected=(self,))
        )

    @property
    def grids(self) -> frozenset[tuple[int, int]]:
        """The grid of patches that it speaks of, if any."""
        own = frozenset({self.grid} if self.grid is not None else ())
        return own.union(*(other.grids for other in self.protected))

    @property
    def fine(self) -> bool:
        """Whether it tells flips of one site apart, by patch or bit."""
        return bool(self.patches or self.bits) or any(other.fine for other in self.protected)

    def protecting(self, other: "Where") -> "Where":
        """The same, less what `other` selects."""
        return replace(self, protected=(*self.protected, other))

    def within(self, other: "Where") -> bool:
        """Whether it is `other`, perhaps with more protected: whatever it selects, `other` selects."""
        return replace(self, protected=()) == replace(other, protected=()) and set(other.protected) <= set(
            self.protected
        )

    def selects(self, site: Site) -> bool:
        """Whether faults may hit `site`, be it in some patches or bits alone."""
        return self.names(site) and not any(other._covers(site) for other in self.protected)

    def _covers(self, site: Site) -> bool:
        """Whether every flip at `site` is selected."""
        coarse = not self.patches and not self.bits
        return coarse and self.names(site) and not any(other.selects(site) for other in self.protected)

    def names(self, site: Site) -> bool:
        """Whether its patterns match the place, the operator and the name of `site`."""
        return all(matches(value, patterns) for patterns, value in _pairs(self, site))

    def select(self, sites: tuple[Site, ...]) -> tuple[Site, ...]:
        """The sites that it selects; InputError if a pattern matches nothing, or nothing is left."""
        if not sites:
            raise InputError("the model has no operation of arithmetic, so nothing in it can flip: take another model")
        self._check(sites)
        selected = tuple(site for site in sites if self.selects(site))
        if not selected:
            raise InputError(
                f"the selection {self.name} leaves none of the model's {len(sites)} sites; widen a pattern"
            )
        return selected

    def _check(self, sites: tuple[Site, ...]) -> None:
        for place, patterns in enumerate((self.layers, self.modules, self.operators, self.sites)):
            known = {_pairs(self, site)[place][1]: None for site in sites}
            check_patterns(patterns, tuple(sorted(known)), what=("layer", "module", "operator", "site")[place])
        if self.grid is not None:
            check_patterns(self.patches, (*patch_names(self.grid), NOWHERE), what="patch")
        for other in self.protected:
            other._check(sites)

    @property
    def name(self) -> str:
        """`layer block.*, site a or b, but not (module FC)`; `everywhere` if it names nothing."""
        named = {"layer": self.layers, "module": self.modules, "operator": self.operators, "site": self.sites}
        named |= {"patch": self.patches, "bit": self.bits}
        parts = [f"{what} {' or '.join(patterns)}" for what, patterns in named.items() if patterns]
        text = ", ".join(parts) or "everywhere"
        return ", but not ".join([text, *(f"({other.name})" for other in self.protected)])

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "layers": list(self.layers),
            "modules": list(self.modules),
            "operators": list(self.operators),
            "sites": list(self.sites),
            "patches": list(self.patches),
            "grid": None if self.grid is None else list(self.grid),
            "bits": list(self.bits),
            "spared": [other.as_dict() for other in self.protected],
        }


EVERYWHERE = Where()


def patch_names(grid: tuple[int, int]) -> tuple[str, ...]:
    """The patches of a grid in the order of its rows: "0,0", "0,1" ..."""
    return tuple(f"{row},{column}" for row in range(grid[0]) for column in range(grid[1]))


def matches(value: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns matches; no pattern at all matches everything."""
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)


def check_patterns(patterns: tuple[str, ...], known: tuple[str, ...], *, what: str) -> None:
    """Raise InputError for the first pattern that matches none of the `known` names of `what`."""
    for pattern in patterns:
        if not any(fnmatchcase(value, pattern) for value in known):
            near = get_close_matches(pattern, known, n=3, cutoff=0.3) or known[:5]
            plural = "patches" if what == "patch" else f"{what}s"
            raise InputError(
                f"{what} pattern {pattern!r} matches none of the model's {len(known)} {plural}; "
                f"near ones: {', '.join(near)}; `radhard inspect` lists them all"
            )


def _pairs(where: Where, site: Site) -> tuple[tuple[tuple[str, ...], str], ...]:
    return (
        (where.layers, site.layer),
        (where.modules, site.module),
        (where.operators, site.operator),
        (where.sites, site.of or site.name),
    )
