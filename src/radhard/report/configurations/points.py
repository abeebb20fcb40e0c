"""The data of the figure of configurations over the bit error rate (Figs. 9 to 12 of Xue et al.)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from radhard.analysis.configurations import ConfigurationOutcome, Evaluation
from radhard.analysis.intervals import Interval
from radhard.analysis.overhead import Weights
from radhard.analysis.pairs import Pair
from radhard.report.configurations.record import setting_of
from radhard.report.curve import Band
from radhard.report.subtitle import setting_lines

_FAR_APART = 30.0  # overheads further apart than so many times have a logarithmic scale


@dataclass(frozen=True, kw_only=True)
class ConfigurationLine:
    """A configuration's accuracy and overhead at each BER > 0 in rising order, and its least `clean` accuracy.

    `overhead` is weighted, `mul` that of multiplications in it: shares of the model's own operations, by the same
    weights. What is not known, or of no protection, is NaN. `guarded`: it has a protection. `difference`: its accuracy
    minus that of the reference, NaN where they were not paired; None where nothing was.
    """

    configuration: str
    ber: tuple[float, ...]
    accuracy: Band
    overhead: Band
    mul: tuple[float, ...]
    clean: float
    guarded: bool
    difference: Band | None = None


@dataclass(frozen=True, kw_only=True)
class ConfigurationsPanel:
    """A model's lines, and its accuracy with no fault and no protection."""

    model: str
    lines: tuple[ConfigurationLine, ...]
    clean: float


@dataclass(frozen=True, kw_only=True)
class ConfigurationsData:
    """What the figure shows: two panels a model, `names` of all configurations in the order of their colours.

    With a `reference` a third one: what each has more than that one.
    """

    title: str
    subtitle: str
    names: tuple[str, ...]
    panels: tuple[ConfigurationsPanel, ...]
    reference: str | None = None


def configurations_data(evaluations: Sequence[Evaluation]) -> ConfigurationsData:
    """Models evaluated alike -> what to draw. Points of no answers are left out."""
    first, setting = evaluations[0], setting_of(evaluations[0])
    sizes = {o.point.n for one in evaluations for o in one.outcomes if o.configuration.ber > 0 and o.point.n}
    w = first.weights
    return ConfigurationsData(
        title=f"{setting.model if len(evaluations) == 1 else f'{len(evaluations)} models'} under bit flips, protected",
        subtitle=(
            f"{setting_lines(setting, sizes=sizes, images=first.on.images)}; bands and bars are 95 % intervals\n"
            f"operations weighted mul {w.mul:g}, add {w.add:g}, cmp {w.cmp:g}"
        ),
        names=tuple(dict.fromkeys(name for one in evaluations for name in _names(one))),
        panels=tuple(map(_panel, evaluations)),
        reference=next((pair.reference for one in evaluations for pair in one.pairs), None),
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


def _panel(one: Evaluation) -> ConfigurationsPanel:
    known, recipe = [outcome for outcome in one.outcomes if outcome.point.n], setting_of(one).recipe
    return ConfigurationsPanel(
        model=one.bench.model,
        lines=tuple(
            _line([o for o in known if o.configuration.name == name], name, weights=one.weights, pairs=one.pairs)
            for name in _names(one)
        ),
        clean=next((o.point.accuracy for o in known if _sound(o, recipe)), math.nan),
    )


def _sound(outcome: ConfigurationOutcome, recipe: str) -> bool:
    """Whether it is that of the program of `recipe` without faults and protection."""
    return outcome.configuration.setting.reference and outcome.configuration.setting.recipe == recipe


def _line(
    outcomes: Sequence[ConfigurationOutcome], name: str, *, weights: Weights, pairs: Sequence[Pair]
) -> ConfigurationLine:
    shown = sorted((o for o in outcomes if o.configuration.ber > 0), key=lambda o: o.configuration.ber)
    clean = min((o.point.accuracy for o in outcomes if o.configuration.ber == 0), default=math.nan)

    def column(value: Callable[[ConfigurationOutcome], float]) -> tuple[float, ...]:
        return tuple(map(value, shown))

    def overhead(end: str) -> tuple[float, ...]:
        return column(lambda o: math.nan if o.spent is None else float(getattr(o.spent, end)))

    def mul(o: ConfigurationOutcome) -> float:
        if o.spent is None:
            return math.nan
        return weights.mul * o.spent.mul / (weights.mul * o.spent.own_mul + weights.add * o.spent.own_add)

    return ConfigurationLine(
        configuration=name,
        ber=column(lambda o: o.configuration.ber),
        accuracy=Band(
            rate=column(lambda o: o.point.accuracy),
            low=column(lambda o: o.point.low),
            high=column(lambda o: o.point.high),
        ),
        overhead=Band(rate=overhead("share"), low=overhead("low"), high=overhead("high")),
        mul=column(mul),
        clean=clean,
        guarded=any(o.configuration.setting.protection is not None for o in outcomes),
        difference=_difference(name, shown, pairs) if pairs else None,
    )


def _difference(name: str, shown: Sequence[ConfigurationOutcome], pairs: Sequence[Pair]) -> Band:
    """At each rate of what is shown."""
    unknown = Interval(rate=math.nan, low=math.nan, high=math.nan)
    of = {pair.ber: pair.difference for pair in pairs if pair.configuration == name}
    found = [of.get(outcome.configuration.ber, unknown) for outcome in shown]
    return Band(rate=tuple(x.rate for x in found), low=tuple(x.low for x in found), high=tuple(x.high for x in found))


def _names(evaluation: Evaluation) -> tuple[str, ...]:
    """The names of configurations with faults, in the order in which they are first met."""
    return tuple(dict.fromkeys(o.configuration.name for o in evaluation.outcomes if o.configuration.ber > 0))
