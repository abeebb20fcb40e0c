"""The verb `inspect`: operations and exposed bits of a model."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from radhard.analysis.anatomy import Anatomy, By, anatomy
from radhard.campaign import build
from radhard.models.loaded import LoadedModel
from radhard.program import Program, template
from radhard.program.coverage import Coverage, counted_by_torch, coverage
from radhard.report.anatomy import AnatomyRecord, anatomy_record, row_record
from radhard.report.coverage import CoverageRecord, coverage_record
from radhard.studies.model import Model, cache_of, loaded_model
from radhard.studies.options import FaultOptions, ModelOptions
from radhard.studies.progress import Note, Preparing, Report, silent
from radhard.studies.result import DrawnResult, FigureTarget
from radhard.studies.under_test import assumed, name_of


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class InspectionResult(DrawnResult):
    """The `anatomy` of a model's `program`: operations and exposed bits of one image's inference, by site or summed.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> rh.inspect(model, model_options=rh.ModelOptions(input_shape=(3, 2, 2)))
    <InspectionResult: ...>
    """

    anatomy: Anatomy
    program: Program
    loaded: LoadedModel

    @property
    def headline(self) -> str:
        """`fashion-vit, int8: 4.61e+06 multiply-accumulates, 3.1e+08 exposed bits an image; 21 rows by layer`."""
        found = self.anatomy
        return (
            f"{found.model}, {found.recipe}: {found.macs:,} multiply-accumulates, {found.total.exposed_bits:,} exposed "
            f"bits an image; {len(found.rows)} rows by {found.by}"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row a site or group, with a column for each kind of operation."""
        found = []
        for row in self.anatomy.rows:
            values: dict[str, object] = {**row_record(row)}
            values.pop("operations")
            found.append({**values, **row.operations})
        return found

    def to_dict(self) -> AnatomyRecord:
        """The record of the model in `radhard inspect --json`."""
        return anatomy_record(self.anatomy, weights=self.loaded.weights)

    def plot(self, target: FigureTarget) -> None:
        """Draw the exposed bits of each row."""
        from radhard.report.anatomy_figure import draw_anatomy, draw_anatomy_on

        if isinstance(target, str | Path):
            draw_anatomy(self.anatomy, Path(target))
        else:
            draw_anatomy_on(self.anatomy, target)

    @property
    def coverage(self) -> Coverage:
        """What became of each node of the exported graph."""
        return coverage(self.program)

    @property
    def torch_macs(self) -> int | None:
        """Multiply-accumulates of an image by PyTorch's own counter; None for a program, which it cannot count."""
        module = self.loaded.built
        if not isinstance(module, nn.Module):
            return None
        return counted_by_torch(module, torch.zeros(1, *self.loaded.input_shape))

    def coverage_to_dict(self) -> CoverageRecord:
        """The record of the model in `radhard inspect --coverage --json`."""
        return coverage_record(self.coverage, torch_macs=self.torch_macs)

    @property
    def template(self) -> str:
        """A file of overrides, TOML, that says where each site stands today."""
        return template(self.program.sites)


def inspect(
    model: Model,
    *,
    by: By = "site",
    model_options: ModelOptions | None = None,
    faults: FaultOptions | None = None,
    progress: Report | None = None,
) -> InspectionResult:
    """Capture and quantise a model, and count the operations and exposed bits of one image, `by` kind of component.

    `faults` selects the exposed operations; its seed does not matter. A module needs the shape of its images,
    `ModelOptions(input_shape=...)`. Errors are those of `loaded_model` and `radhard.capture`.

    >>> import torch
    >>> import radhard as rh
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4)).eval()
    >>> rh.inspect(model, model_options=rh.ModelOptions(input_shape=(3, 2, 2))).program.recipe
    'int8'
    """
    model_options, faults, report = model_options or ModelOptions(), faults or FaultOptions(), progress or silent
    where = faults.where
    report(Preparing(model=name_of(model)))
    name = name_of(model)
    cache = cache_of(model_options, tell=lambda text: report(Note(model=name, line=text)))
    loaded = loaded_model(model, model_options, cache=cache)
    program = build.build_program(loaded, recipe=model_options.recipe, cache=cache)
    for line in assumed(loaded):
        report(Note(model=loaded.name, line=line))
    found = anatomy(program, kinds=faults.kinds, where=where, words=faults.words, by=by)
    return InspectionResult(anatomy=found, program=program, loaded=loaded)
