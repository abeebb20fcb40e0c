"""What the figure of protections over the bit error rate shows (Figs. 9 to 12 of Xue et al.)."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from radhard.analysis.conditions import Outcome
from radhard.report.curve import Band
from radhard.report.evaluated import Evaluated


@dataclass(frozen=True, kw_only=True)
class ConditionLine:
    """A condition's accuracy and overhead at each BER > 0 in rising order, and its `clean` accuracy.

    `overhead` is weighted, `mul` that of multiplications in it: shares of the model's own operations, by the same
    weights. What is not known, or of no protection, is NaN. `guarded`: it has a protection.
    """

    condition: str
    ber: tuple[float, ...]
    accuracy: Band
    overhead: Band
    mul: tuple[float, ...]
    clean: float
    guarded: bool


@dataclass(frozen=True, kw_only=True)
class ConditionsPanel:
    """A model's lines; `clean` is its accuracy of each recipe with no fault and no protection."""

    model: str
    lines: tuple[ConditionLine, ...]
    clean: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class ConditionsData:
    """What the figure shows: two panels a model, `names` of all conditions in the order of their colours."""

    title: str
    subtitle: str
    names: tuple[str, ...]
    panels: tuple[ConditionsPanel, ...]


def conditions_data(models: Sequence[Evaluated]) -> ConditionsData:
    """Models evaluated alike -> what to draw. Points of no answers are left out."""
    first, setting = models[0], models[0].setting
    sizes = sorted({o.point.n for one in models for o in one.outcomes if o.condition.ber > 0 and o.point.n})
    n = "no point" if not sizes else f"n = {sizes[0]:,}" if len(sizes) == 1 else f"n = {sizes[0]:,} to {sizes[-1]:,}"
    w = first.weights
    return ConditionsData(
        title=f"{first.model if len(models) == 1 else f'{len(models)} models'} under bit flips, protected",
        subtitle=(
            f"recipe {setting.recipe}, flips in {', '.join(sorted(setting.kinds)) or 'nothing'}, words "
            f"{setting.words.name}\n{setting.data}, {n} answers a point on {first.on.images:,} images; bands and "
            f"bars are 95 % intervals\noperations weighted mul {w.mul:g}, add {w.add:g}, cmp {w.cmp:g}, "
            f"{first.batch} {'image' if first.batch == 1 else 'images'} a batch"
        ),
        names=tuple(dict.fromkeys(name for one in models for name in one.names)),
        panels=tuple(map(_panel, models)),
    )


def _panel(one: Evaluated) -> ConditionsPanel:
    known = [outcome for outcome in one.outcomes if outcome.point.n]
    return ConditionsPanel(
        model=one.model,
        lines=tuple(_line([o for o in known if o.condition.name == name], name, one=one) for name in one.names),
        clean=one.clean,
    )


def _line(outcomes: Sequence[Outcome], name: str, *, one: Evaluated) -> ConditionLine:
    shown = sorted((o for o in outcomes if o.condition.ber > 0), key=lambda o: o.condition.ber)
    clean = next((o.point.accuracy for o in outcomes if o.condition.ber == 0), math.nan)
    weights = one.weights

    def column(value: Callable[[Outcome], float]) -> tuple[float, ...]:
        return tuple(map(value, shown))

    def overhead(end: str) -> tuple[float, ...]:
        return column(lambda o: math.nan if o.spent is None else float(getattr(o.spent, end)))

    def mul(o: Outcome) -> float:
        if o.spent is None:
            return math.nan
        return weights.mul * o.spent.mul / (weights.mul * o.spent.own_mul + weights.add * o.spent.own_add)

    return ConditionLine(
        condition=name,
        ber=column(lambda o: o.condition.ber),
        accuracy=Band(
            rate=column(lambda o: o.point.accuracy),
            low=column(lambda o: o.point.low),
            high=column(lambda o: o.point.high),
        ),
        overhead=Band(rate=overhead("share"), low=overhead("low"), high=overhead("high")),
        mul=column(mul),
        clean=clean,
        guarded=any(o.condition.setting.protection is not None for o in outcomes),
    )
