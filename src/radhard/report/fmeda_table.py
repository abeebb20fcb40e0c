"""An FMEDA as a table, with what it adds up to, whether the target is met, and what is not modelled."""

from rich.table import Table

from radhard.analysis.safety_target import Reached, target_of
from radhard.report.avf_record import RateRecord
from radhard.report.fit_record import FitRecord, FitStudyRecord, FmedaPartRecord
from radhard.report.fitted import FittedTable

_COLUMNS = (
    "part",
    "bits",
    "raw FIT",
    "duty",
    "safe share",
    "interval, %",
    "DC",
    "interval, %",
    "residual FIT",
    "limits",
)

_WHY: dict[Reached, str] = {
    "met": "the upper limit of the residual rate is within the target",
    "not met": "the lower limit of the residual rate is beyond the target",
    "cannot tell": "the target is within the limits of the residual rate: more --images or --trials narrow them",
}


def fmeda_table(found: FitStudyRecord) -> Table:
    """One row a part, and their sum; shares in percent."""
    table = FittedTable(f"{found['model']}, recipe {found['recipe']}, on {found['hardware']}: FMEDA, transient faults")
    for heading in _COLUMNS:
        table.add_column(heading, justify="left" if heading == "part" else "right")
    for part in found["parts"]:
        table.add_row(
            part["part"],
            f"{part['bits']:,}",
            _number(part["raw"]),
            _grounded(f"{100 * part['duty']:.3g}", part["duty_from"]),
            *_safe(part),
            *_dc(part),
            *_fit(part["residual"]),
        )
    bits = sum(part["bits"] for part in found["parts"])
    table.add_row("all", f"{bits:,}", _number(found["raw"]), "", "", "", "", "", *_fit(found["residual"]))
    return table


def fit_summary(found: FitStudyRecord) -> list[str]:
    """The metrics, the verdict, what is needed, what numbers mean and are from, and what is not modelled."""
    target = found["target"]
    spfm, fit = target_of(target["name"]).metrics
    residual, limits = _fit(found["residual"])
    lines = [
        f"{spfm} {_percent(found['spfm'])}, target at least {100 * target['spfm']:g} %; residual "
        f"{residual} FIT ({limits}), {fit} at most {target['fit']:g} FIT "
        f"for a whole item: the upper limit is {100 * target['share']:.3g} % of it",
        f"{target['name'].upper()} ({target['standard']}): {target['verdict']} for what is modelled; "
        f"{_WHY[target['verdict']]}",
    ]
    need = target["needed"]
    if need is not None:
        lines.append(
            f"needed for {target['name'].upper()}: cover {' and '.join(need['parts'])} with a DC of at least "
            f"{100 * need['dc']:.4g} % of what is left of {'it' if len(need['parts']) == 1 else 'them'} now, so that "
            f"at most {_number(target['budget'])} FIT are left"
        )
    lines += _work(found)
    lines += [_meaning(rate["name"], rate["fit_per_mbit"], rate["ber"], found) for rate in found["rates"]]
    lines += [
        f"{rate['name']}: {rate['source']}" + (f"; assumes {rate['assumes']}" if rate["assumes"] else "")
        for rate in found["rates"]
    ]
    lines += [f"{found['hardware']}: {found['source']}", *(f"assumed: {each}" for each in found["assumes"])]
    if found["plan_ber"] is not None and found["plan_fit_per_mbit"] is not None:
        lines.append(_meaning("the plan", found["plan_fit_per_mbit"], found["plan_ber"], found))
    lines += ["not modelled:", *(f"- {each}" for each in found["not_modelled"])]
    return lines


def _work(found: FitStudyRecord) -> list[str]:
    injected = sum(part["upsets"] or 0 for part in found["parts"])
    never = found["inferences_per_second"] is None
    busy = "the array never idles" if never else f"the array works {found['busy']:.2%} of the time"
    return [
        f"n = {injected:,} inferences with one upset at a useful cycle: {found['images']:,} images, in each "
        f"{found['trials']} a register; intervals are clustered by image and hold for the whole table at once "
        "(Bonferroni)",
        f"{found['cycles']:,} cycles an inference, {found['cycles'] / found['clock']:.3g} s at "
        f"{found['clock'] / 1e9:g} GHz; {busy}",
    ]


def _meaning(name: str, fit_per_mbit: float, ber: float, found: FitStudyRecord) -> str:
    return f"{name}: BER {ber:.2g} a bit and cycle is {fit_per_mbit:.3g} FIT/Mbit at {found['clock'] / 1e9:g} GHz"


def _safe(part: FmedaPartRecord) -> tuple[str, str]:
    safe = part["safe"]
    if part["safe_from"] != "measured":
        return _grounded(_share(safe["rate"]), part["safe_from"]), "-"
    return _share(safe["rate"]), _between(safe)


def _dc(part: FmedaPartRecord) -> tuple[str, str]:
    if part["dc_from"] == "none":
        covered = part["coverage"]
        return (f"{100 * covered:g} (ECC)" if covered else "none"), "-"
    return _share(part["dc"]["rate"]), _between(part["dc"])


def _grounded(text: str, ground: str) -> str:
    return f"{text} {ground}" if ground in ("assumed", "stated") else text


def _fit(rate: FitRecord) -> tuple[str, str]:
    """The estimate; where no answer was wrong, the upper limit, which is never 0."""
    known = _number(rate["value"]) if rate["value"] or not rate["high"] else f"< {_number(rate['high'])}"
    return known, _limits(rate)


def _limits(rate: FitRecord) -> str:
    return f"{_number(rate['low'])} - {_number(rate['high'])}"


def _number(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _percent(rate: RateRecord) -> str:
    return f"{_share(rate['rate'])} % ({_between(rate)})"


def _between(rate: RateRecord) -> str:
    return f"{_share(rate['low'])} - {_share(rate['high'])}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
