"""The verb `reproduce`: the paper's figures and claims for given models and data."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from radhard.analysis.claims.claim import ClaimJudgement
from radhard.analysis.claims.claims import claims_of, summaries_of
from radhard.campaign.rates import whole_curve
from radhard.errors import InputError
from radhard.models.zoo import ZOO
from radhard.protection import products_of
from radhard.report.claims import claim_records, verdict_text
from radhard.studies.data import Data
from radhard.studies.fault_amount import rates_of
from radhard.studies.inspection import InspectionResult, inspect
from radhard.studies.options import DataOptions, FaultOptions, ModelOptions, RunOptions
from radhard.studies.progress import Note, Report, silent
from radhard.studies.reproduction.estimate import Duration, measure_pace, passes_of, rates_of_curve, told
from radhard.studies.reproduction.measurement import Measurement, PartResult, protected_run
from radhard.studies.reproduction.paper_figures import PartName, ReproduceOptions
from radhard.studies.reproduction.part_files import write_claims, write_part
from radhard.studies.result import ResultRows
from radhard.studies.settings import settings_of
from radhard.studies.simulation import simulate_sizes

EMBEDDED = "fashion-mnist"
_IMAGES = 1000
_LARGE = 64
"""Pixels: the patches of larger images are the paper's 16 x 16 pixels."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Reproduction(ResultRows):
    """What the parts gave for each of `models`, the claims judged by it, the `files` that were written.

    `settings`: what was asked, by option.

    >>> import radhard as rh
    >>> rh.Reproduction(results={}, claims=(), files=())
    <Reproduction: 33 claims: 33 not measured>
    """

    results: Mapping[PartName, tuple[PartResult, ...]]
    claims: tuple[ClaimJudgement, ...]
    files: tuple[Path, ...]
    models: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """`33 claims: 8 reproduced, 9 not reproduced, 12 cannot tell, 4 not measured`."""
        verdicts = [verdict_text(each) for each in summaries_of(self.claims)]
        counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
        return f"{len(verdicts)} claims: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}"

    def rows(self) -> list[dict[str, object]]:
        """One row a claim and model, or product."""
        parts = ("claim", "statistic")
        return [
            {**record["claim"], **record["statistic"], **{k: v for k, v in record.items() if k not in parts}}
            for record in claim_records(self.claims)
        ]

    def records(self) -> list[dict[str, Any]]:
        """A record for each model in `radhard reproduce --json`."""
        return [
            {"model": model, **{part: dict(found[place].to_dict()) for part, found in self.results.items()}}
            for place, model in enumerate(self.models)
        ]

    def to_dict(self) -> dict[str, Any]:
        """The records of the models, the claims and the files."""
        return {"models": self.records(), **self.beside()}

    def beside(self) -> dict[str, Any]:
        """What the command says beside its models."""
        return {"claims": claim_records(self.claims), "files": list(map(str, self.files))}


def reproduce(
    models: Sequence[str] | Mapping[str, ModelOptions] = tuple(ZOO),
    data: Data | None = None,
    *,
    out: Path | str = "reproduced",
    prefix: str = "",
    ber: float | Sequence[float] | None = None,
    reproduce_options: ReproduceOptions | None = None,
    data_options: DataOptions | None = None,
    faults: FaultOptions | None = None,
    run: RunOptions | None = None,
    progress: Report | None = None,
) -> Reproduction:
    """Measure the figures of `reproduce_options` for each of `models`, and judge the paper's claims by them.

    Files go to the folder `out`, their names after `prefix`: of each part records, rows and figures, plans, the claims;
    and a store, unless `run` names one, from which the same call goes on. `ber`: the rates of Figs. 7 to 14; by default
    four over the middle of each model's curve. What will be done, and about how long it takes, is told first. Models of
    the zoo have images of their own; others need `data`: InputError without. Other errors are those of the verbs.

    >>> import tempfile
    >>> import numpy as np
    >>> import radhard as rh
    >>> folder = Path(tempfile.mkdtemp())
    >>> source = "import torch.nn as nn; build = lambda: nn.Sequential(nn.Flatten(), nn.Linear(12, 4)).eval()"
    >>> size = (folder / "tiny.py").write_text(source)
    >>> images = np.random.default_rng(0).integers(0, 256, (60, 2, 2, 3), dtype=np.uint8)
    >>> np.savez(folder / "data.npz", images=images, labels=np.arange(60) % 4)
    >>> found = rh.reproduce(
    ...     {f"{folder}/tiny.py:build": rh.ModelOptions(input_shape=(3, 2, 2), mean=(0.5,), std=(0.25,))},
    ...     folder / "data.npz",
    ...     out=folder / "out",
    ...     reproduce_options=rh.ReproduceOptions(figures=(2,)),
    ...     run=rh.RunOptions(images=10, trials=1),
    ... )
    >>> (folder / "out" / "sweep.json").is_file()
    True
    """
    options, data_options = reproduce_options or ReproduceOptions(), data_options or DataOptions()
    faults, run, report = faults or FaultOptions(), run or RunOptions(trials=1), progress or silent
    each = dict(models) if isinstance(models, Mapping) else dict.fromkeys(models, ModelOptions())
    check_data(list(each), data)
    rates = None if ber is None else rates_of(ber)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    if run.store is None:
        run = replace(run, store=folder / "reproduce.db")
    measurement, inspected = _measurement(
        each,
        data,
        options,
        data_options=data_options,
        faults=faults,
        run=run,
        rates=rates,
        folder=folder,
        report=report,
    )
    told(_durations(measurement, inspected), images=run.images or _IMAGES, models=list(each), report=report)
    settings = settings_of(options, data_options, faults, run, models=list(each), data=_name(data), ber=rates)
    results: dict[PartName, tuple[PartResult, ...]] = {}
    files: list[Path] = []
    for part in options.parts:
        results[part.name] = tuple(measurement.part(part.name, model) for model in each)
        files += write_part(part, results[part.name], folder=folder, prefix=prefix, settings=settings)
    claims = claims_of([result.to_dict() for found in results.values() for result in found])
    files += write_claims(claims, folder=folder, prefix=prefix)
    return Reproduction(results=results, claims=claims, files=tuple(files), models=tuple(each), settings=settings)


def check_data(models: Sequence[str], data: Data | None) -> None:
    """Raise InputError for none of the models, and for one that is not the zoo's without data."""
    if not models:
        raise InputError("--models is empty: name one or more, such as fashion-vit")
    if data is None and (others := [model for model in models if model not in ZOO]):
        raise InputError(
            f"{', '.join(others)}: images are embedded for the zoo's models alone. The paper's figures are of "
            "ImageNet, which is not shipped: give its validation images (--data FOLDER, a folder for each class) and "
            "weights (--checkpoint NAME=FILE)"
        )


def _measurement(
    models: Mapping[str, ModelOptions],
    data: Data | None,
    options: ReproduceOptions,
    *,
    data_options: DataOptions,
    faults: FaultOptions,
    run: RunOptions,
    rates: tuple[float, ...] | None,
    folder: Path,
    report: Report,
) -> tuple[Measurement, dict[str, InspectionResult]]:
    """What is to be measured, and each model's anatomy by layer."""
    inspected = {
        model: inspect(model, by="layer", model_options=own, faults=faults, progress=report)
        for model, own in models.items()
    }
    measurement = Measurement(
        models=models,
        data=data,
        data_options=data_options,
        faults=faults,
        run=run,
        protected=protected_run(run, images=run.images or _IMAGES, options=options),
        options=options,
        rates={model: rates or middle_rates(found) for model, found in inspected.items()},
        grids={model: options.grid or patches_of(found) for model, found in inspected.items()},
        plans=folder / "plans",
        report=report,
    )
    return measurement, inspected


def middle_rates(inspected: InspectionResult) -> tuple[float, ...]:
    """Four rates over the middle of a model's curve: from where it begins to lose to where half is lost and more."""
    bits = sum(row.exposed_bits for row in inspected.anatomy.rows)
    return tuple(float(f"{rate:.2g}") for rate in whole_curve(bits, recipe=inspected.program.recipe, points=9)[3:7])


def patches_of(inspected: InspectionResult) -> tuple[int, int]:
    """Patches of 16 x 16 pixels; 7 x 7 of small images."""
    height, width = inspected.program.input_shape[-2:]
    return (7, 7) if min(height, width) < _LARGE else (height // 16, width // 16)


def _durations(measurement: Measurement, inspected: Mapping[str, InspectionResult]) -> list[Duration]:
    """About how long each part takes, for all models."""
    options, run = measurement.options, measurement.run
    seconds: dict[str, float] = {part.name: 0.0 for part in options.parts}
    passes: dict[str, int] = dict.fromkeys(seconds, 0)
    names = {part.name for part in options.parts}
    for model, found in inspected.items():
        measurement.report(Note(model=model, line=f"{model}: timing a few images"))
        pace = None
        if names - {"blocks"}:
            pace = measure_pace(
                model, measurement.data, ber=measurement.rates[model][1], protected=bool(names & {"plans", "schemes"}),
                model_options=measurement.models[model], data_options=measurement.data_options,
                faults=measurement.faults, run=run,
            )  # fmt: skip
        for part in options.parts:
            if part.name == "blocks":
                seconds["blocks"] += _simulating(found, measurement, model=model)
                continue
            grid = measurement.grids[model]
            count = {"patch": grid[0] * grid[1], "module": len({row.module for row in found.anatomy.rows}) + 4}
            of_part = passes_of(
                part.name,
                images=run.images or _IMAGES,
                trials=run.trials,
                protected_images=measurement.protected.images or 1,
                components=count.get(part.name, len(found.anatomy.rows)),
                rates=len(measurement.rates[model]),
                curve=len(rates_of_curve(found)),
            )
            passes[part.name] += of_part
            assert pace is not None
            seconds[part.name] += of_part * (pace.protected if part.name in ("plans", "schemes") else pace.faulty)
    return [Duration(part=part, passes=passes[part.name], seconds=seconds[part.name]) for part in options.parts]


def _simulating(found: InspectionResult, measurement: Measurement, *, model: str) -> float:
    """Seconds of the simulation of Fig. 7: of two products at the lowest rate, times as many as there will be."""
    if 7 not in measurement.options.figures:
        return 1.0
    shapes = {product.shape for product in products_of(found.program).found.values()}
    if not shapes:
        return 0.0
    largest = max(shapes, key=lambda shape: shape.volume)
    began = time.perf_counter()
    simulate_sizes("timed", largest, ber=min(measurement.rates[model]), products=2, edges=(22, 64))
    each = (time.perf_counter() - began) / 2 / 5
    return each * measurement.options.products * 25 * len(measurement.rates[model]) * min(2, len(shapes))


def _name(data: Data | None) -> str:
    if data is None:
        return EMBEDDED
    return str(data) if isinstance(data, str | Path) else "in memory"
