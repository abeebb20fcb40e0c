"""The verb `sample_size`: how many injections a wanted interval takes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from radhard.analysis.sample_size import Stratum, WantedInterval, strata_of
from radhard.errors import InputError
from radhard.report.sample_size import SampleSizeRecord, StratumRecord
from radhard.studies.avf import AvfResult
from radhard.studies.inspection import inspect
from radhard.studies.model import Model
from radhard.studies.options import FaultOptions, ModelOptions
from radhard.studies.progress import Report
from radhard.studies.result import Result

Before = AvfResult | Mapping[str, Any] | str | Path
"""What was measured before: a result of `avf`, its record, or a file of `radhard avf --json`."""


@dataclass(frozen=True, kw_only=True, repr=False)
class SampleSizes(Result):
    """How many injections an interval takes, of the whole and of each component; `found` is the record.

    >>> import radhard as rh
    >>> rh.sample_size(10**9, margin=5)
    <SampleSizes: 385 injections ...>
    """

    found: SampleSizeRecord

    @property
    def headline(self) -> str:
        """`9,604 injections of 1,000,000,000 possible faults for +-1 points at 95 %`."""
        found = self.found
        after = "" if found["stratified"] is None else f", {found['stratified']:,} in strata"
        return (
            f"{found['simple']:,} injections of {found['population']:,} possible faults for +-{found['margin']:g} "
            f"points at {found['confidence']:g} %{after}"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row a component; one of the whole where there are none."""
        whole: StratumRecord = {
            "component": "",
            "population": self.found["population"],
            "injections": self.found["simple"],
            "allocated": self.found["stratified"],
        }
        return [dict(one) for one in self.found["components"] or [whole]]

    def to_dict(self) -> SampleSizeRecord:
        """The record in `radhard sample-size --json`."""
        return self.found


def sample_size(
    model: Model | int | None = None,
    *,
    by: Literal["site", "layer", "module", "operator"] = "layer",
    images: int = 1,
    margin: float = 1.0,
    confidence: float = 95.0,
    rate: float = 50.0,
    after: Before | None = None,
    model_options: ModelOptions | None = None,
    faults: FaultOptions | None = None,
    progress: Report | None = None,
) -> SampleSizes:
    """Compute how many single faults to inject for an interval of +-`margin` at `confidence`, if a `rate` is expected.

    All three are percentages. The population of faults is one of three: every exposed bit of a `model` in each of
    `images` inferences; a number; or the population of an earlier AVF study, whose rates then show how many injections
    strata save. Errors are those of `inspect`; InputError for none or several of these, for numbers out of range, and
    for a file that is no AVF study.

    >>> import radhard as rh
    >>> rh.sample_size(1000, margin=5).rows()[0]["injections"]  # of so few, fewer than the 385 of many
    278
    """
    wanted = WantedInterval(margin=margin / 100, confidence=confidence / 100, rate=rate / 100)
    if (model is None) == (after is None):
        raise InputError("give a model, a number of possible faults (--population) or a study of AVFs (--after): one")
    if images < 1:
        raise InputError(f"--images {images}: give at least 1")
    name, population, strata, seen = "", 0, dict[str, int](), dict[str, tuple[int, int]]()
    if isinstance(model, int):
        population = model
    else:
        if model is None:
            assert after is not None
            name, strata, seen = _measured(after)
        else:
            study = inspect(model, by=by, model_options=model_options, faults=faults, progress=progress)
            name = study.anatomy.model
            strata = {row.name: images * row.exposed_bits for row in study.anatomy.rows if row.exposed_bits}
        if not strata:
            raise InputError(f"{name}: no bit is exposed, so nothing can be injected; expose more --kinds or sites")
        population = sum(strata.values())
    known = strata_of(strata, seen=seen) if seen else ()
    stratified = wanted.stratified(known) if known else None
    return SampleSizes(
        found={
            "model": name,
            "population": population,
            "margin": margin,
            "confidence": confidence,
            "rate": rate,
            "simple": wanted.injections(population),
            "stratified": stratified,
            "each": sum(map(wanted.injections, strata.values())) if strata else None,
            "components": _components(strata, wanted, known, stratified),
        }
    )


def _components(
    strata: Mapping[str, int], wanted: WantedInterval, known: tuple[Stratum, ...], stratified: int | None
) -> list[StratumRecord]:
    spread = sum(one.population * one.deviation for one in known)
    share = {one.name: one.population * one.deviation / spread for one in known} if spread else {}
    return [
        {
            "component": name,
            "population": population,
            "injections": wanted.injections(population),
            "allocated": None if stratified is None else round(stratified * share.get(name, 0.0)),
        }
        for name, population in strata.items()
    ]


def _measured(after: Before) -> tuple[str, dict[str, int], dict[str, tuple[int, int]]]:
    """What a study of AVFs says: its model, the faults of each component, and of those (SDCs, flips)."""
    record: Any = after.to_dict() if isinstance(after, AvfResult) else after
    where = "--after"
    if isinstance(record, str | Path):
        where = f"--after {record}"
        try:
            record = json.loads(Path(record).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{where}: {error}; give a file of `radhard avf MODEL --json`") from error
    try:
        if "models" in record:
            (record,) = record["models"]
        whole = [one for one in record["components"] if not one["part"]] or list(record["components"])
        strata = {str(one["component"]): int(one["bits"]) * int(record["images"]) for one in whole}
        seen = {
            str(one["component"]): (round(int(one["n"]) * float(one["sdc"]["rate"] or 0)), int(one["n"]))
            for one in whole
        }
        return str(record["model"]), strata, seen
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{where}: it is not the study of AVFs of one model ({error!r}); give a file of `radhard avf MODEL --json`"
        ) from error
