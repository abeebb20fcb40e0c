"""Finds the axis of images at every site, and tests it by running changed images.

Runs with two and with three images show the axis whose size follows the batch. Then one image of a batch is
changed: only rows attributed to it may change, at every site. A model for which that fails is refused, since
its faults could not belong to images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numba import njit
from torch import Tensor

from radhard.errors import CaptureError
from radhard.kernels.bits import bits
from radhard.machine import Clean, Cost, Operator, Site
from radhard.program.program import Program, run


class _Watching(Clean):
    """Runs clean and keeps the shape of every site's output and, of attributed sites, a fingerprint of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.rows: dict[str, Tensor] = {}

    def begin(self, costs: Mapping[Site, Cost], ids: Tensor) -> None:
        """Start afresh."""
        super().begin(costs, ids)
        self.shapes, self.rows = {}, {}

    def apply(self, operator: Operator, inputs: Sequence[Tensor | None], site: Site) -> Tensor:
        """The operator's output, watched."""
        out = super().apply(operator, inputs, site)
        self.shapes[site.name] = tuple(out.shape)
        if site.batch_axis is not None:
            self.rows[site.name] = _fingerprints(out.movedim(site.batch_axis, 0))
        return out


def _fingerprints(rows: Tensor) -> Tensor:
    """[r, ...] -> [r] int64: equal for equal rows, and almost surely for no others."""
    found = np.empty(len(rows), np.int64)
    _sums(bits(rows.reshape(len(rows), -1).contiguous()).numpy(), found)
    return torch.from_numpy(found)


@njit(cache=True, nogil=True)
def _sums(words, found):  # type: ignore[no-untyped-def]
    """Words [r, n], integers -> sums [r] int64 of each times an odd number of its place; wraps."""
    for r in range(words.shape[0]):
        total = np.int64(0)
        for i in range(words.shape[1]):
            total += np.int64(words[r, i]) * (i * np.int64(2654435761) + 1)
        found[r] = total


def attribute_rows(program: Program) -> Program:
    """The program with the batch axis and rows per image of every site, probed.

    Raises CaptureError naming the site at which images are not independent rows.
    """
    draw = torch.Generator().manual_seed(0x5EED)
    images = torch.randn(3, *program.input_shape, generator=draw)
    watching = _Watching()
    shapes = []
    for size in (2, 3):
        run(program, images[:size], watching)
        shapes.append(watching.shapes)
    known = {site.name: _attributed(site, *(s[site.name] for s in shapes)) for site in program.sites}
    program = program.with_sites(lambda site: known[site.name])
    moved: dict[str, list[Tensor]] = {site.name: [] for site in program.sites}
    run(program, images[:2], watching)
    before = watching.rows
    for changed in (0, 1):
        other = images[:2].clone()
        other[changed] = images[2]
        run(program, other, watching)
        for name, rows in moved.items():
            rows.append((before[name] != watching.rows[name]).nonzero().flatten())
    return program.with_sites(lambda site: replace(site, blocks=_blocks(site, moved[site.name])))


def _blocks(site: Site, moved: Sequence[Tensor]) -> int:
    """The fewest blocks with which each image of a batch of two moves only its own rows."""
    for blocks in range(1, site.rows_per_image + 1):
        if site.rows_per_image % blocks == 0:
            run_of_rows = site.rows_per_image // blocks
            if all(bool((rows // run_of_rows % 2 == image).all()) for image, rows in enumerate(moved)):
                return blocks
    raise CaptureError(
        f"site {site.name!r} ({site.operator}): changing one image of a batch changes rows of another image, so its "
        "faults belong to no image; make the model treat the images of a batch independently"
    )


def _attributed(site: Site, two: tuple[int, ...], three: tuple[int, ...]) -> Site:
    axes = [axis for axis, (a, b) in enumerate(zip(two, three, strict=True)) if a != b]
    if len(axes) != 1 or two[axes[0]] * 3 != three[axes[0]] * 2:
        raise CaptureError(
            f"site {site.name!r} ({site.operator}): its output is {list(two)} for two images and {list(three)} for "
            "three, so no one axis carries the images"
        )
    return replace(site, batch_axis=axes[0], rows_per_image=two[axes[0]] // 2)
