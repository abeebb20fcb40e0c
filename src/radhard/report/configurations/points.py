"""The data of the figure of configurations: paired differences and overheads (Figs. 9 to 12 of Xue et al.)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from radhard.analysis.configurations import Evaluation
from radhard.hardware import event_of, read_fault_model
from radhard.report.band import Band
from radhard.report.configurations.quality import SHORT, labelled_in, quality
from radhard.report.configurations.record import ConfigurationsRecord, compared_record
from radhard.report.fault_amount import RATE, amount_of, amount_told, unit_of
from radhard.report.subtitle import answers_line, fault_line
from radhard.words import Words

UNPROTECTED = "unprotected"
_FAR_APART = 30.0  # overheads further apart than so many times have a logarithmic scale


@dataclass(frozen=True, kw_only=True)
class ConfigurationLine:
    """A configuration at each BER > 0 (or number of flips an inference) in rising order.

    Its accuracy, or of images without labels its agreement (`quality`), overhead and difference to the baseline.

    `overhead` is weighted, `mul` that of multiplications in it: shares of the model's own operations, by the same
    weights. What is not known, or of no protection, is NaN. `clean`: its least quality without faults. `guarded`: it
    has a protection. `difference`: its quality minus that of the baseline, NaN where they were not paired.
    `relation`: `better`, `worse`, `equivalent` or `cannot tell` at each rate; empty where there is no pair.
    """

    configuration: str
    ber: tuple[float, ...]
    quality: Band
    overhead: Band
    mul: tuple[float, ...]
    clean: float
    guarded: bool
    difference: Band
    relation: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ConfigurationsPanel:
    """A model's lines, and its accuracy or agreement with no fault and no protection."""

    model: str
    lines: tuple[ConfigurationLine, ...]
    clean: float


@dataclass(frozen=True, kw_only=True)
class ConfigurationsData:
    """What the figure shows: a panel a model and rate, a row a configuration, differences to the `baseline`.

    `margin`: within it two are equivalent, a share; None where nothing was tested for that.
    """

    title: str
    subtitle: str
    names: tuple[str, ...]
    panels: tuple[ConfigurationsPanel, ...]
    baseline: str
    margin: float | None
    unit: str = RATE
    labelled: bool = True

    @property
    def rates(self) -> tuple[float, ...]:
        """The bit error rates of all panels, or numbers of flips an inference, in rising order."""
        return tuple(sorted({ber for panel in self.panels for line in panel.lines for ber in line.ber}))


def configurations_data(evaluations: Sequence[Evaluation]) -> ConfigurationsData:
    """Models evaluated alike -> what to draw. Points of no answers are left out."""
    return configurations_drawn([compared_record(one) for one in evaluations])


def configurations_drawn(records: Sequence[ConfigurationsRecord]) -> ConfigurationsData:
    """The same from the records of models, as `--json` prints them."""
    first: Mapping[str, Any] = records[0]
    faulty = [o for one in records for o in one["configurations"] if amount_of(o) > 0 and o["n"]]
    pairs = [pair for one in records for pair in one.get("pairs", [])]  # type: ignore[attr-defined]
    rates, w, unit = sorted({amount_of(o) for o in faulty}), first["weights"], unit_of(faulty)
    baseline = pairs[0]["reference"] if pairs else UNPROTECTED
    margin = pairs[0]["equivalence"]["margin"] if pairs else None
    interval = "95 % intervals of paired differences" + (", for all pairs at a rate together" if pairs else "")
    words = Words.from_dict(first["words"]).name
    model, labelled = first.get("fault_model"), labelled_in(first)
    faults = fault_line(first["recipe"], kinds=first["kinds"], words=words, fault_model=model)
    under = "bit flips" if model is None else f"{event_of(read_fault_model(model))}s"
    return ConfigurationsData(
        title=f"{first['model'] if len(records) == 1 else f'{len(records)} models'} under {under}, protected"
        + (f", at {amount_told(rates[0], unit=unit)}" if len(rates) == 1 else ""),
        subtitle=(
            f"{faults}\n{first['data']}, "
            f"{answers_line({o['n'] for o in faulty}, images=first['images'])}; bars are {interval}\n"
            f"operations weighted mul {w['mul']:g}, add {w['add']:g}, cmp {w['cmp']:g}"
            + ("" if labelled else f"; {SHORT}")
        ),
        names=tuple(dict.fromkeys(name for one in records for name in _names(one))),
        panels=tuple(_panel(one, baseline=baseline) for one in records),
        baseline=baseline,
        margin=margin,
        unit=unit,
        labelled=labelled,
    )


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The ends of all panels of overhead, and whether they are on a linear or logarithmic scale."""

    kind: str
    bottom: float
    top: float


def overhead_scale(data: ConfigurationsData) -> Scale:
    """One for all models, from the overheads and, as far as they are not negligible, their multiplications."""
    lines = [line for panel in data.panels for line in panel.lines]
    totals = [x for line in lines for x in line.overhead.rate if x > 0]
    if not totals:
        return Scale(kind="linear", bottom=0.0, top=0.01)
    high = [x for line in lines for x in line.overhead.high if math.isfinite(x)]
    top = max(totals + [x for x in high if x < 3 * max(totals)])
    if top <= _FAR_APART * min(totals):
        return Scale(kind="linear", bottom=0.0, top=1.08 * top)
    least = min([*totals, *(x for line in lines for x in line.mul if x > 1e-2 * min(totals))])
    return Scale(kind="log", bottom=0.6 * least, top=1.6 * top)


def clean_told(panel: ConfigurationsPanel) -> str:
    """`without faults: 90.00 %, protected 89.50 - 89.90 %`."""
    known = [f"{panel.clean:.2%}"] if math.isfinite(panel.clean) else []
    values = [round(line.clean, 4) for line in panel.lines if line.guarded and math.isfinite(line.clean)]
    if values:
        least, most = min(values), max(values)
        known.append(f"protected {f'{100 * least:.2f} - {most:.2%}' if least < most else f'{most:.2%}'}")
    return f"without faults: {', '.join(known) or 'not measured'}"


def _panel(one: ConfigurationsRecord, *, baseline: str) -> ConfigurationsPanel:
    known: list[dict[str, Any]] = [outcome for outcome in one["configurations"] if outcome["n"]]
    labelled = labelled_in(one)
    clean = (
        quality(o, labelled=labelled).rate for o in known if amount_of(o) == 0 and o["configuration"] == UNPROTECTED
    )
    return ConfigurationsPanel(
        model=one["model"],
        lines=tuple(
            _line([o for o in known if o["configuration"] == name], name, record=one, baseline=baseline)
            for name in _names(one)
        ),
        clean=next(clean, math.nan),
    )


def _line(
    outcomes: Sequence[Mapping[str, Any]], name: str, *, record: ConfigurationsRecord, baseline: str
) -> ConfigurationLine:
    shown = sorted((o for o in outcomes if amount_of(o) > 0), key=amount_of)
    weights, labelled = record["weights"], labelled_in(record)
    pairs: list[dict[str, Any]] = list(record.get("pairs", []))  # type: ignore[call-overload]

    def column(value: Callable[[Mapping[str, Any]], float]) -> tuple[float, ...]:
        return tuple(map(value, shown))

    def overhead(end: str, unknown: float) -> tuple[float, ...]:
        def value(o: Mapping[str, Any]) -> float:
            if o["overhead"] is None:
                return math.nan
            return unknown if o["overhead"][end] is None else float(o["overhead"][end])

        return column(value)

    def mul(o: Mapping[str, Any]) -> float:
        spent = o["overhead"]
        if spent is None:
            return math.nan
        own = weights["mul"] * spent["own_mul"] + weights["add"] * spent["own_add"]
        return float(weights["mul"] * spent["mul"] / own)

    differences = [_difference(o, name, pairs=pairs, baseline=baseline) for o in shown]
    return ConfigurationLine(
        configuration=name,
        ber=column(amount_of),
        quality=Band(
            rate=column(lambda o: quality(o, labelled=labelled).rate),
            low=column(lambda o: quality(o, labelled=labelled).low),
            high=column(lambda o: quality(o, labelled=labelled).high),
        ),
        overhead=Band(
            rate=overhead("share", math.nan), low=overhead("low", -math.inf), high=overhead("high", math.inf)
        ),
        mul=column(mul),
        clean=min((quality(o, labelled=labelled).rate for o in outcomes if amount_of(o) == 0), default=math.nan),
        guarded=any(o["sites"] for o in outcomes),
        difference=Band(**{end: tuple(float(d[end]) for d, _ in differences) for end in ("rate", "low", "high")}),
        relation=tuple(relation for _, relation in differences),
    )


def _difference(
    outcome: Mapping[str, Any], name: str, *, pairs: Sequence[Mapping[str, Any]], baseline: str
) -> tuple[Mapping[str, float], str]:
    """The paired difference to the baseline and its verdict; without pairs the gain over no protection."""
    nothing = dict.fromkeys(("rate", "low", "high"), math.nan)
    if name == baseline:
        return nothing, ""
    if pairs:
        found = (pair for pair in pairs if (pair["configuration"], amount_of(pair)) == (name, amount_of(outcome)))
        return next(((pair["difference"], str(pair["relation"])) for pair in found), (nothing, ""))
    gain = outcome["gain"]
    if gain is None:
        return nothing, ""
    return gain, "better" if gain["low"] > 0 else "worse" if gain["high"] < 0 else "cannot tell"


def _names(record: ConfigurationsRecord) -> tuple[str, ...]:
    """The names of configurations with faults, in the order in which they are first met."""
    outcomes: list[dict[str, Any]] = record["configurations"]
    return tuple(dict.fromkeys(o["configuration"] for o in outcomes if amount_of(o) > 0))
