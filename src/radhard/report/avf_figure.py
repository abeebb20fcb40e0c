"""The figure of AVFs: that of vulnerability factors, with one bar a component."""

from collections.abc import Sequence

from radhard.report.avf_record import AvfRecord, RateRecord
from radhard.report.subtitle import fault_line
from radhard.report.vulnerability import Bars, VulnerabilityData, VulnerabilityPanel


def avf_drawn(records: Sequence[AvfRecord]) -> VulnerabilityData:
    """Models studied alike -> what to draw, shares in percent."""
    first = records[0]
    several = len({record["model"] for record in records}) > 1
    words = f"product={first['words']['product']},accumulator={first['words']['accumulator']}"
    return VulnerabilityData(
        title=f"{'Several models' if several else first['model']}: AVF by {first['by']}",
        subtitle=(
            f"{fault_line(first['recipe'], kinds=first['kinds'], words=words)}, one an inference\n"
            f"{first['data']}, {first['images']:,} images; lines are 95 % intervals, thick for one, thin for all at "
            "once\nin brackets: the share of exposed bits"
        ),
        label="AVF: percent of single flips in the component that change the answer in silence (SDC)",
        panels=tuple(_panel(record) for record in records),
        quantity="AVF",
        unit="%",
    )


def _panel(record: AvfRecord) -> VulnerabilityPanel:
    components = record["components"]

    def column(rates: Sequence[RateRecord], end: str) -> tuple[float, ...]:
        known = [{"rate": rate["rate"], "low": rate["low"], "high": rate["high"]}[end] for rate in rates]
        return tuple(float("nan") if value is None else 100 * value for value in known)

    own, every = [one["sdc"] for one in components], [one["sdc_all"] for one in components]
    bars = Bars(
        label="one flip an inference",
        factor=column(own, "rate"),
        low=column(own, "low"),
        high=column(own, "high"),
        all_low=column(every, "low"),
        all_high=column(every, "high"),
    )
    names = tuple(
        f"{one['component'] or '-'}{' ?' if one['guessed'] else ''} ({one['bits_share']:.1%})" for one in components
    )
    return VulnerabilityPanel(model=record["model"], names=names, groups=(bars,))
