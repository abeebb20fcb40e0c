"""The verb `trace`: the flips or upsets of a sweep as a table, without running it."""

from dataclasses import dataclass
from pathlib import Path

from radhard.campaign.model_under_test import ModelUnderTest, places_of
from radhard.errors import InputError
from radhard.faults import MOST_ROWS, Faults, Flips, Where, draw_in_parts, expected, flip_rows, write_trace
from radhard.faults import trace as flips_of_images
from radhard.hardware import FaultModel, event_of, upset_rows, write_upsets
from radhard.report.fault_amount import COUNT, RATE, amount_told
from radhard.studies.data import Data
from radhard.studies.fault_amount import counts_of, upset_of
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

    model_under_test: ModelUnderTest
    recipe: str
    faults: Faults
    images: int

    @property
    def flips(self) -> Flips:
        """All of them, in memory."""
        return flips_of_images(
            self.model_under_test.programs[self.recipe], self.faults, self.model_under_test.data.ids[: self.images]
        )

    @property
    def headline(self) -> str:
        """`fashion-vit, int8, BER 1e-08, trial 0: 12 flips in 10 images`."""
        faults = self.faults
        unit = COUNT if faults.flips else RATE
        told = amount_told(faults.flips or faults.ber, unit=unit)
        where = f"{self.model_under_test.model}, {self.recipe}, {told}, trial {faults.trial}"
        return f"{where}: {len(self.flips):,} flips in {self.images:,} images"

    def rows(self) -> list[dict[str, object]]:
        """One row a flip: trial, image, site, kind, index, bit, and the file of an image that has one."""
        return flip_rows(self.flips, files=self._files)

    def write(self, file: str | Path) -> int:
        """Write the rows as .csv or .parquet, in parts -> how many flips. OSError as files raise."""
        ids = self.model_under_test.data.ids[: self.images]
        parts = draw_in_parts(self.model_under_test.programs[self.recipe], self.faults, ids)
        return write_trace(parts, file, files=self._files)

    @property
    def _files(self) -> dict[int, str]:
        return dict(self.model_under_test.data.name_of(self.model_under_test.data.ids[: self.images]))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class UpsetTrace(ResultRows):
    """The upsets of the first `images` of a model under test in one `trial`, one an image: always the same.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> images = torch.arange(480.0).reshape(40, 3, 2, 2)
    >>> rh.trace(model, images, fault_model=rh.RegisterUpsets(array=(4, 4)))
    <UpsetTrace: Sequential, int8, trial 0: 10 upsets of registers of a 4x4 array, output stationary, ... of them idle>
    """

    model_under_test: ModelUnderTest
    recipe: str
    fault_model: FaultModel
    where: Where
    seed: int
    trial: int
    images: int

    @property
    def headline(self) -> str:
        """`fashion-vit, int8, trial 0: 10 upsets of registers of a 16x16 array, output stationary, 4 of them idle`."""
        rows = self.rows()
        idle = sum(row["words"] == 0 for row in rows)
        corrected = " or corrected" * any(row["effect"] == "corrected" for row in rows)
        where = f"{self.model_under_test.model}, {self.recipe}, trial {self.trial}"
        what = f"{event_of(self.fault_model)}{'s' * (len(rows) != 1)} of {self.fault_model.title}"
        return f"{where}: {len(rows):,} {what}, {idle:,} of them idle{corrected}"

    def rows(self) -> list[dict[str, object]]:
        """One row an upset: fault_model, trial, image, site, its place, how many words depend on it, and what is wrong.

        And the file of an image that has one.
        """
        places = places_of(self.model_under_test.programs[self.recipe], self.fault_model, where=self.where)
        data = self.model_under_test.data
        ids = data.ids[: self.images]
        drawn = places.sample(ids.tolist(), seed=self.seed, trial=self.trial)
        return upset_rows(self.fault_model, places, drawn, trial=self.trial, files=dict(data.name_of(ids)))

    def write(self, file: str | Path) -> int:
        """Write the rows as .csv or .parquet -> how many upsets. OSError as files raise."""
        return write_upsets(self.rows(), file)


def trace(
    model: Model,
    data: Data | None = None,
    *,
    ber: float | None = None,
    flips: int | None = None,
    fault_model: str | FaultModel | None = None,
    trial: int = 0,
    model_options: ModelOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> Trace | UpsetTrace:
    """The faults that a sweep with the same options meets in one trial; of `run` the number of images is taken.

    They are those at a rate `ber`, so many `flips` an inference, or one upset an inference of a `fault_model`: one of
    the three is given. InputError for more flips than a table can have; other errors are those of `under_test`.

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
    upset = upset_of(fault_model, faults=faults, ber=ber, flips=flips)
    if upset is not None:
        model_under_test = request.under_test(images=run.images)
        recipe = recipe_of(model_under_test, request.model_options)
        taken = images_taken(model_under_test, run.images, default=DEFAULT_IMAGES, progress=request.report)
        return UpsetTrace(
            model_under_test=model_under_test,
            recipe=recipe,
            fault_model=upset,
            where=faults.where,
            seed=faults.seed,
            trial=trial,
            images=taken,
        )
    if ber is None and flips is None:
        raise InputError("give a bit error rate, --ber 1e-8, or a number of flips an inference, --flips 1")
    count = 0 if flips is None else counts_of(flips, ber=ber)[0]
    drawn = Faults(
        ber=0.0 if ber is None else ber,
        flips=count,
        kinds=faults.kinds,
        where=faults.where,
        seed=faults.seed,
        trial=trial,
        words=faults.words,
    )
    model_under_test = request.under_test(images=run.images)
    recipe = recipe_of(model_under_test, request.model_options)
    taken = images_taken(model_under_test, run.images, default=DEFAULT_IMAGES, progress=request.report)
    rows = taken * (float(count) or sum(expected(model_under_test.programs[recipe].costs, drawn).values()))
    if rows > MOST_ROWS:
        option = f"--flips {count}" if count else f"--ber {ber:g}"
        raise InputError(
            f"{option}: some {rows:,.3g} flips in {taken} images are expected, a table has at most "
            f"{MOST_ROWS:,}: take a lower {option.split()[0]}, fewer --images, or some sites "
            "(--layer, --module, --operator, --site)"
        )
    return Trace(model_under_test=model_under_test, recipe=recipe, faults=drawn, images=taken)
