"""Fault tables of tests: written by hand as (kind, index, bit), or drawn with Hypothesis over a site's words."""

from collections.abc import Iterable, Mapping

import numpy as np
from hypothesis import strategies as st

from radhard.faults import Flips
from radhard.machine import KINDS
from radhard.words import Words

Fault = tuple[str, int, int]


def flips_at(
    site: str, faults: Iterable[Fault], *, image: int = 0, trial: int = 0, words: Words | None = None
) -> Flips:
    """One image's faults at one site."""
    return flips_of([(image, site, *fault) for fault in faults], trial=trial, words=words)


def flips_of(rows: Iterable[tuple[int, str, str, int, int]], *, trial: int = 0, words: Words | None = None) -> Flips:
    """Rows (image, site, kind, index, bit)."""
    rows = list(rows)
    sites = tuple(dict.fromkeys(row[1] for row in rows)) or ("nowhere",)
    image, site, kind, index, bit = zip(*rows, strict=True) if rows else ((),) * 5
    columns = {
        "image": image,
        "site": [sites.index(name) for name in site],
        "kind": [KINDS.index(name) for name in kind],
        "index": index,
        "bit": bit,
    }
    found = {name: np.array(values, dtype=np.int64) for name, values in columns.items()}
    return Flips(sites=sites, trial=trial, words=words or Words(), **found)


def rows_of(flips: Flips) -> list[tuple[int, str, str, int, int]]:
    """Rows (image, site, kind, index, bit), sorted: what a run was hit by."""
    columns = (flips.image, flips.site, flips.kind, flips.index, flips.bit)
    found = zip(*(column.tolist() for column in columns), strict=True)
    return sorted((image, flips.sites[site], KINDS[kind], index, bit) for image, site, kind, index, bit in found)


def faults_over(words: Mapping[str, tuple[int, int]], *, most: int = 12) -> st.SearchStrategy[list[Fault]]:
    """Distinct faults over `words`: kind -> (operations, bits), often several in one word and in neighbours."""
    kinds = [kind for kind, (operations, _) in words.items() if operations]
    if not kinds:
        return st.just([])

    def one(kind: str) -> st.SearchStrategy[Fault]:
        operations, bits = words[kind]
        index = st.one_of(
            st.integers(0, operations - 1), st.integers(0, min(operations, 3) - 1), st.just(operations - 1)
        )
        bit = st.one_of(st.integers(0, bits - 1), st.integers(bits - 3, bits - 1))
        return st.tuples(st.just(kind), index, bit)

    return st.lists(st.sampled_from(kinds).flatmap(one), max_size=most, unique=True)
