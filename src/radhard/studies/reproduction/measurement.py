"""Measures the parts of a reproduction: each calls its verb for every model, and keeps what it gives."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from radhard.protection import write_plan
from radhard.studies.block_sizes import ModelBlocks, block_sizes
from radhard.studies.comparison import Compared, compare
from radhard.studies.data import Data
from radhard.studies.evaluation import Evaluated, evaluate
from radhard.studies.options import (
    CompareOptions,
    DataOptions,
    FaultOptions,
    ModelOptions,
    PlanOptions,
    RunOptions,
)
from radhard.studies.planning import plan
from radhard.studies.progress import Report
from radhard.studies.reproduction.estimate import LOSSES
from radhard.studies.reproduction.paper_figures import SCHEMES, PartName, ReproduceOptions
from radhard.studies.sweep import SweepResult, sweep
from radhard.studies.vulnerability import VulnerabilityResult, vulnerability

PartResult = SweepResult | VulnerabilityResult | ModelBlocks | Evaluated | Compared


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """All that the parts need: models with their options, data, how it is run, and where plans are written.

    `rates`: those of Figs. 7 to 14; `run` of figures 2 to 5, `protected` of 9 to 12.
    """

    models: Mapping[str, ModelOptions]
    data: Data | None
    data_options: DataOptions
    faults: FaultOptions
    run: RunOptions
    protected: RunOptions
    options: ReproduceOptions
    rates: Mapping[str, tuple[float, ...]]
    grids: Mapping[str, tuple[int, int]]
    plans: Path
    report: Report

    def part(self, name: PartName, model: str) -> PartResult:
        """A part of one model."""
        measures: dict[PartName, Callable[[str], PartResult]] = {
            "sweep": self._sweep,
            "layer": self._layer,
            "module": self._module,
            "patch": self._patch,
            "blocks": self._blocks,
            "plans": self._plans,
            "schemes": self._schemes,
        }
        return measures[name](model)

    def _sweep(self, model: str) -> SweepResult:
        return sweep(
            model, self.data, default="comparable", model_options=self.models[model], data_options=self.data_options,
            faults=self.faults, run=self.run, progress=self.report,
        )  # fmt: skip

    def _layer(self, model: str) -> VulnerabilityResult:
        return vulnerability(
            model, self.data, by="layer", loss=LOSSES, model_options=self.models[model],
            data_options=self.data_options, faults=self.faults, run=self.run, progress=self.report,
        )  # fmt: skip

    def _module(self, model: str) -> VulnerabilityResult:
        return vulnerability(
            model, self.data, by="module", loss=LOSSES, model_options=self.models[model],
            data_options=self.data_options, faults=self.faults, run=self.run, progress=self.report,
        )  # fmt: skip

    def _patch(self, model: str) -> VulnerabilityResult:
        return vulnerability(
            model, self.data, by="patch", loss=10.0, grid=self.grids[model], model_options=self.models[model],
            data_options=self.data_options, faults=self.faults, run=self.run, progress=self.report,
        )  # fmt: skip

    def _blocks(self, model: str) -> ModelBlocks:
        simulated = 2 if 7 in self.options.figures else 0
        return block_sizes(
            model, ber=self.rates[model], simulate=simulated, simulated_products=self.options.products,
            model_options=self.models[model], faults=self.faults, progress=self.report,
        )  # fmt: skip

    def _plans(self, model: str) -> Evaluated:
        """A plan for each rate, in its file; then what they give together."""
        limits = PlanOptions(
            scheme="lb-abft", max_loss=self.options.max_loss, max_overhead=self.options.max_overhead, grain="layer",
            frontier="needed",
        )  # fmt: skip
        self.plans.mkdir(parents=True, exist_ok=True)
        plans: list[Path] = []
        for ber in self.rates[model]:
            found = plan(
                model, self.data, ber=ber, plan_options=limits, model_options=self.models[model],
                data_options=self.data_options, faults=self.faults, run=self.protected, progress=self.report,
            )  # fmt: skip
            file = self.plans / f"{file_name(model)}-{ber:g}.json"
            write_plan(found.plan, file)
            plans.append(file)
        return evaluate(
            model, self.data, plan=plans, model_options=self.models[model], data_options=self.data_options,
            faults=self.faults, run=self.protected, progress=self.report,
        )  # fmt: skip

    def _schemes(self, model: str) -> Compared:
        return compare(
            model, self.data, ber=self.rates[model], compare_options=CompareOptions(schemes=SCHEMES),
            model_options=self.models[model], data_options=self.data_options, faults=self.faults, run=self.protected,
            progress=self.report,
        )  # fmt: skip


def file_name(model: str) -> str:
    """A model's name as part of a file's: `timm/vit.pt2` -> `timm-vit.pt2`."""
    return re.sub(r"[^\w.]+", "-", model).strip("-.") or "model"


def protected_run(run: RunOptions, *, images: int, options: ReproduceOptions) -> RunOptions:
    """The run of Figs. 9 to 12: fewer images, whole trials."""
    count = options.protected_images or max(1, images // 3)
    return replace(
        run, images=min(count, images), until_width=None, batch=min(run.batch, 100), chunk=min(run.chunk, 100)
    )
