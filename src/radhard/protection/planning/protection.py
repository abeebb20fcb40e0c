"""`Protection`: the scheme of each site of a program, and whether faults hit the checks. A frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from radhard.errors import InputError
from radhard.machine import Machine
from radhard.protection.protected import CheckExposure, Protected, Scheme
from radhard.protection.schemes.registry import scheme_dict, scheme_from


@dataclass(frozen=True, kw_only=True)
class Protection:
    """`sites`: names of sites and their schemes, each site once, in order of names.

    >>> from radhard.protection import Protection, Tmr
    >>> sorted(Protection.of({"0": Tmr(), "2": Tmr()}).schemes)
    ['0', '2']
    """

    sites: tuple[tuple[str, Scheme], ...] = ()
    checks: CheckExposure = "exposed"

    def __post_init__(self) -> None:
        if self.checks not in get_args(CheckExposure):
            raise InputError(f"checks={self.checks!r} is not known; choose from {', '.join(get_args(CheckExposure))}")
        names = [name for name, _ in self.sites]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"site {twice[0]!r} has two schemes; give it one")
        object.__setattr__(self, "sites", tuple(sorted(self.sites, key=lambda it: it[0])))

    @classmethod
    def of(cls, schemes: Mapping[str, Scheme], *, checks: CheckExposure = "exposed") -> "Protection":
        """From a mapping of names of sites to schemes."""
        return cls(sites=tuple(schemes.items()), checks=checks)

    @property
    def schemes(self) -> dict[str, Scheme]:
        """Name of each protected site -> its scheme."""
        return dict(self.sites)

    def on(self, inner: Machine) -> Protected:
        """The machine that protects so what `inner` computes."""
        return Protected(inner, self.schemes, checks=self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"checks": self.checks, "sites": {name: scheme_dict(scheme) for name, scheme in self.sites}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, place: str) -> "Protection":
        """The inverse of `as_dict`. InputError names `place` and the site for a value that is none."""
        if unknown := sorted(values.keys() - {"sites", "checks"}):
            raise InputError(f"{place}: a protection has no {unknown[0]!r}; it has 'sites' and 'checks'")
        sites, checks = values.get("sites"), values.get("checks", "exposed")
        if not isinstance(sites, Mapping):
            raise InputError(f"{place}: 'sites' is no mapping of sites to schemes")
        found = {}
        for name, scheme in sites.items():
            if not isinstance(scheme, Mapping):
                raise InputError(f"{place}, site {name!r}: {scheme!r} is no scheme with its options")
            found[name] = scheme_from(scheme, place=f"{place}, site {name!r}")
        try:
            return cls.of(found, checks=checks)
        except InputError as error:
            raise InputError(f"{place}: {error}") from error
