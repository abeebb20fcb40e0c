"""AVFs as JSON and CSV."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from radhard.analysis.avf import Avf, ComponentAvf
from radhard.analysis.intervals import Interval
from radhard.campaign.effects import EFFECTS
from radhard.report.components_record import ComponentsRecord, components_record

ALWAYS = ("sdc", "due")
"""Effects that every outcome tells."""


class RateRecord(TypedDict):
    """A share of all flips and its 95 % interval; null where it is not known."""

    rate: float | None
    low: float | None
    high: float | None


class ComponentAvfRecord(TypedDict):
    """A component: its exposed bits an image, `n` flips in `trials` of each image, and the shares of their effects.

    Of all n: `masked` flips change no word that a site writes; `benign` ones a word, but not the answer; `sdc` (SDC-1)
    the top-1 class, in silence; `sdc5` are SDCs whose class is none of the five leading ones of the fault-free answer;
    `critical` are SDCs by which a right answer became wrong (null without labels); `due` answers are NaN. Masked,
    benign, sdc and due make up all. What ends in `_all` has the interval that holds for all components together. What
    the outcomes of an older store do not say is null. `counted`: the share of all flips that were counted as masked,
    bit by bit; only the others are sampled. `part`: it is counted within another component, too.
    """

    component: str
    bits: int
    bits_share: float
    operations: int
    trials: int
    n: int
    counted: float
    masked: RateRecord | None
    masked_all: RateRecord | None
    benign: RateRecord | None
    benign_all: RateRecord | None
    sdc: RateRecord
    sdc_all: RateRecord
    sdc5: RateRecord | None
    sdc5_all: RateRecord | None
    critical: RateRecord | None
    critical_all: RateRecord | None
    due: RateRecord
    due_all: RateRecord
    part: bool
    guessed: bool


class AvfRecord(ComponentsRecord):
    """The AVFs of a model's components and of all of them together, under exactly one flip an inference."""

    n: int
    bits_share: float
    masked: RateRecord | None
    benign: RateRecord | None
    sdc: RateRecord
    sdc5: RateRecord | None
    critical: RateRecord | None
    due: RateRecord
    forward_passes: float
    components: list[ComponentAvfRecord]


def avf_record(found: Avf, *, device: str) -> AvfRecord:
    """The AVFs of a model -> JSON values."""
    study = found.study
    setting = study.whole
    shares = {effect: _known(found.shares[effect], n=found.n, always=effect in ALWAYS) for effect in EFFECTS}
    return {
        **components_record(setting, by=study.by, images=study.images, bits=setting.bits, device=device),
        "n": found.n,
        "bits_share": found.bits_share,
        **shares,  # type: ignore[typeddict-item]
        "forward_passes": found.passes,
        "components": [component_record(one) for one in found.components],
    }


def component_record(one: ComponentAvf) -> ComponentAvfRecord:
    """A component -> JSON values."""
    shares: dict[str, RateRecord | None] = {}
    for effect in EFFECTS:
        share, always = one.shares[effect], effect in ALWAYS
        shares[effect] = _known(share.own, n=one.n, always=always)
        shares[f"{effect}_all"] = _known(share.all_at_once, n=one.n, always=always)
    return {
        "component": one.name,
        "bits": one.bits,
        "bits_share": one.bits_share,
        "operations": one.operations,
        "trials": one.trials,
        "n": one.n,
        "counted": one.counted,
        **shares,  # type: ignore[typeddict-item]
        "part": one.part,
        "guessed": one.guessed,
    }


def avf_rows(found: Avf) -> list[dict[str, object]]:
    """One flat row a component."""
    setting = found.study.whole
    rows = []
    for one in found.components:
        row: dict[str, object] = {"model": setting.model, "recipe": setting.recipe, "by": found.study.by}
        for name, value in component_record(one).items():
            if name.removesuffix("_all") in EFFECTS:
                known = value if isinstance(value, dict) else dict.fromkeys(("rate", "low", "high"))
                row |= {f"{name}_{end}": known[end] for end in ("low", "high")}
                row |= {} if name.endswith("_all") else {name: known["rate"]}
            else:
                row[name] = value
        rows.append(row)
    return rows


def write_avf(found: Sequence[Avf], path: Path) -> None:
    """Write the rows of all models."""
    rows = [row for one in found for row in avf_rows(one)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _known(interval: Interval, *, n: int, always: bool) -> RateRecord | None:
    """A share of n flips; null where it is not known although there were flips."""
    if not always and n and math.isnan(interval.rate):
        return None
    return _rate(interval)


def _rate(interval: Interval) -> RateRecord:
    known = {name: getattr(interval, name) for name in ("rate", "low", "high")}
    return {name: value if math.isfinite(value) else None for name, value in known.items()}  # type: ignore[return-value]
