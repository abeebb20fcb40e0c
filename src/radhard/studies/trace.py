"""The verb `trace`: the flips of a sweep as a table, without running it."""

from dataclasses import dataclass
from pathlib import Path

from radhard.campaign.model_under_test import ModelUnderTest
from radhard.errors import InputError
from radhard.faults import MOST_ROWS, Faults, Flips, draw_in_parts, expected, flip_rows, write_trace
from radhard.faults import trace as flips_of_images
from radhard.studies.data import Data
from radhard.studies.model import Model
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.progress import Report
from radhard.studies.request import Request, check_only
from radhard.studies.result import ResultRows
from radhard.studies.under_test import images_taken, recipe_of

DEFAULT_IMAGES = 10


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Trace(ResultRows):
    """The faults of the first `images` of a model under test: drawn when they are asked for, and always the same.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.arange(480.0).reshape(40, 3, 2, 2)
    >>> rh.trace(model, images, ber=1e-3)
    <Trace: Sequential, int8, BER 0.001, trial 0: ... flips in 10 images>
    """

    bench: ModelUnderTest
    recipe: str
    faults: Faults
    images: int

    @property
    def flips(self) -> Flips:
        """All of them, in memory."""
        return flips_of_images(self.bench.programs[self.recipe], self.faults, self.bench.data.ids[: self.images])

    @property
    def headline(self) -> str:
        """`fashion-vit, int8, BER 1e-08, trial 0: 12 flips in 10 images`."""
        faults = self.faults
        where = f"{self.bench.model}, {self.recipe}, BER {faults.ber:.3g}, trial {faults.trial}"
        return f"{where}: {len(self.flips):,} flips in {self.images:,} images"

    def rows(self) -> list[dict[str, object]]:
        """One row a flip: trial, image, site, kind, index, bit, and the file of an image that has one."""
        return flip_rows(self.flips, files=self._files)

    def write(self, file: str | Path) -> int:
        """Write the rows as .csv or .parquet, in parts -> how many flips. OSError as files raise."""
        ids = self.bench.data.ids[: self.images]
        parts = draw_in_parts(self.bench.programs[self.recipe], self.faults, ids)
        return write_trace(parts, file, files=self._files)

    @property
    def _files(self) -> dict[int, str]:
        return dict(self.bench.data.name_of(self.bench.data.ids[: self.images]))


def trace(
    model: Model,
    data: Data | None = None,
    *,
    ber: float,
    trial: int = 0,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> Trace:
    """The faults that a sweep with the same options meets in one trial; of `run` the number of images is taken.

    InputError for more flips than a table can have; other errors are those of `under_test`.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.arange(480.0).reshape(40, 3, 2, 2)
    >>> faults = rh.trace(model, images, ber=1e-3, run=rh.RunOptions(images=5))
    >>> {row["site"] for row in faults.rows()}
    {'1'}
    """
    request = Request.of(
        model, data, model_options=model_options, data_options=data_options, faults=faults, run=run, progress=progress
    )
    run, faults = request.run, request.faults
    check_only(run, ("images",), verb="trace")
    drawn = Faults(ber=ber, kinds=faults.kinds, where=faults.where, seed=faults.seed, trial=trial, words=faults.words)
    bench = request.under_test(images=run.images)
    recipe = recipe_of(bench, request.model_options)
    taken = images_taken(bench, run.images, default=DEFAULT_IMAGES, progress=request.report)
    flips = taken * sum(expected(bench.programs[recipe].costs, drawn).values())
    if flips > MOST_ROWS:
        raise InputError(
            f"--ber {ber:g}: some {flips:,.3g} flips in {taken} images are expected, a table has at most "
            f"{MOST_ROWS:,}: take a lower --ber, fewer --images, or some sites (--layer, --module, --operator, --site)"
        )
    return Trace(bench=bench, recipe=recipe, faults=drawn, images=taken)
