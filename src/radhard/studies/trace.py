"""The verb `trace`: the flips of a sweep as a table, without running it."""

from dataclasses import dataclass
from pathlib import Path

from radhard.campaign.model_under_test import ModelUnderTest
from radhard.errors import InputError
from radhard.faults import MOST_ROWS, Faults, Where, draw_in_parts, expected, write_trace
from radhard.studies.data import Data
from radhard.studies.model import Model
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions
from radhard.studies.progress import Report
from radhard.studies.under_test import images_taken, under_test

DEFAULT_IMAGES = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """The faults of the first `images` of a model under test, drawn as they are written."""

    bench: ModelUnderTest
    recipe: str
    faults: Faults
    images: int

    def write(self, file: Path) -> int:
        """Write trial, image, site, kind, index, bit as .csv or .parquet -> how many flips. OSError as files raise."""
        ids = self.bench.data.ids[: self.images]
        parts = draw_in_parts(self.bench.programs[self.recipe], self.faults, ids)
        return write_trace(parts, file, files=self.bench.data.name_of(ids))


def trace(
    model: Model,
    data: Data | None = None,
    *,
    ber: float,
    trial: int = 0,
    images: int | None = None,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    progress: Report | None = None,
) -> Trace:
    """The faults that a sweep with the same options meets in one trial. InputError for more than a table can have."""
    faults, model_options = faults or FaultOptions(), model_options or ModelOptions()
    drawn = Faults(ber=ber, kinds=faults.kinds, where=faults.where, seed=faults.seed, trial=trial, words=faults.words)
    bench = under_test(
        model,
        data,
        model_options=model_options,
        data_options=data_options,
        images=images,
        places=Where(layers=faults.layer, modules=faults.module),
        progress=progress,
    )
    taken = images_taken(bench, images, default=DEFAULT_IMAGES, progress=progress)
    flips = taken * sum(expected(bench.programs[model_options.recipe].costs, drawn).values())
    if flips > MOST_ROWS:
        raise InputError(
            f"--ber {ber:g}: some {flips:,.3g} flips in {taken} images are expected, a table has at most "
            f"{MOST_ROWS:,}: take a lower --ber, fewer --images, or some sites (--layer, --module, --operator, --site)"
        )
    return Trace(bench=bench, recipe=model_options.recipe, faults=drawn, images=taken)
