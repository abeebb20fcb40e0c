"""What records hold that claims are judged by: records of commands of now and of before, sorted by what they are."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]
"""A record of a model as a command prints it by --json, or all that a command prints."""

_RENAMED = {"conditions": "configurations", "condition": "configuration"}
_OF_PLANS = {"ranges only", "products only", "both"}
_KINDS = {"transformer": "deepvit|vit|swin|cait|deit", "ResNet": "resnet"}


@dataclass(frozen=True, kw_only=True)
class MeasuredRecords:
    """Records by model: sweeps; points of vulnerability studies by what components are; configurations of plans and
    of schemes; mean error probabilities; `shares` of detection and recovery. By product: simulated block sizes. Rows of
    `blocks`, a record a product, which says the model that it is `of`; `times` of detection and recovery on a GPU.
    """

    sweeps: dict[str, Record] = field(default_factory=dict)
    factors: dict[str, dict[str, list[Record]]] = field(default_factory=dict)
    plans: dict[str, Record] = field(default_factory=dict)
    schemes: dict[str, Record] = field(default_factory=dict)
    products: dict[str, Record] = field(default_factory=dict)
    probabilities: dict[str, list[Record]] = field(default_factory=dict)
    simulated: dict[str, list[Record]] = field(default_factory=dict)
    shares: dict[str, list[Record]] = field(default_factory=dict)
    times: list[Record] = field(default_factory=list)

    def models_of(self, kind: str, *, by: str) -> dict[str, list[Record]]:
        """The vulnerability points of the models of a kind, such as "ResNet", by model."""
        return {model: points for model, points in self.factors.get(by, {}).items() if kind_of(model) == kind}


def kind_of(model: str) -> str:
    """`transformer` or `ResNet` by the model's name, "" for others: claims that set the two apart leave these out.

    The name has a word that begins so: `activity_net` is none, nor is a hybrid such as `mobilevit`.
    """
    return next((kind for kind, words in _KINDS.items() if re.search(rf"(?<![a-z])({words})", model.lower())), "")


def measured_of(records: Iterable[Record]) -> MeasuredRecords:
    """Sort records. Of two of one model and kind the later one counts; what no claim needs is left aside."""
    found = MeasuredRecords()
    each = [_now(record) for given in records for record in _records(given)]
    recipes: dict[str, set[str]] = {}
    for record in each:
        if "model" in record and "recipe" in record:
            recipes.setdefault(record["model"], set()).add(record["recipe"])
    for record in each:
        name = str(record.get("model", ""))
        if len(recipes.get(name, ())) > 1:  # of several recipes, the name says which
            name = f"{name}, {record.get('recipe', '')}"
        _put(found, record, name=name)
    return found


def _records(given: Record) -> Iterator[Record]:
    """The records of an envelope or of a file of before, or the record itself."""
    if isinstance(given.get("models"), Sequence):
        beside = {key: value for key, value in given.items() if key in ("times",)}
        yield from given["models"]
        if beside:
            yield beside
    elif "points" in given and "by" not in given and "model" not in given:
        if all("by" in point for point in given["points"]):
            yield from _regrouped(given["points"])
        else:
            yield given
    else:
        yield given


def _regrouped(points: Sequence[Record]) -> list[Record]:
    """Points that say their model themselves -> a record a model."""
    models = dict.fromkeys(point["model"] for point in points)
    grouped = {model: [point for point in points if point["model"] == model] for model in models}
    return [{**found[0], "points": found} for found in grouped.values()]


def _now(record: Record) -> dict[str, Any]:
    """A record with the names of now."""
    found = {_RENAMED.get(name, name): value for name, value in record.items()}
    if "configurations" in found:
        found["configurations"] = [_now(row) for row in found["configurations"]]
    return found


def _put(found: MeasuredRecords, record: Record, *, name: str) -> None:
    if "loses_half" in record:
        found.sweeps[name] = record
    elif "by" in record and "points" in record:  # no AVF: claims are of bit error rates
        shared = {key: value for key, value in record.items() if key != "points"}
        points: list[Record] = [{**shared, **point} for point in record["points"]]
        found.factors.setdefault(_components(record), {})[name] = points
    elif "configurations" in record and record.get("labelled") is False:
        return  # claims on plans and schemes are of accuracy
    elif "configurations" in record:
        names = {row["configuration"] for row in record["configurations"]}
        (found.plans if names & _OF_PLANS else found.schemes)[name] = record
    elif "rows" in record and "k" in record:
        own = str(record.get("product") or f"{record['m']} x {record['k']} x {record['n']}")
        found.products[own] = {**record, "product": own}
    elif "shares" in record:
        found.shares[name] = record["shares"]
        found.probabilities[name] = record.get("probabilities", [])
        found.products.update(
            {f"{name} {each['product']}": {**each, "of": name} for each in record.get("products", ())}
        )
    elif "times" in record:
        found.times.extend(record["times"])
    _simulated(found, record, name=name)


def _simulated(found: MeasuredRecords, record: Record, *, name: str) -> None:
    """Points of block sizes, by product."""
    points = record.get("simulated", record.get("points", ()))
    for point in points:
        if "gemm" in point and "mse" in point:
            product = str(point["gemm"]).split(",")[0]
            found.simulated.setdefault(f"{name} {product}".strip(), []).append(point)


def _components(record: Record) -> str:
    """`layer`, `module`, `patch`, or `patch operations`: patches with faults elsewhere than in the image's words."""
    return "patch operations" if record["by"] == "patch" and set(record["kinds"]) != {"load"} else str(record["by"])


def most_lost(points: Sequence[Record]) -> Record:
    """The point at the greatest loss that was searched for, else at the highest rate: there most is told apart."""

    def lost(point: Record) -> tuple[float, float]:
        searched = point.get("operating_point")
        return (searched["loss"] if searched else 0.0, point["ber"])

    return max(points, key=lost)


def component(point: Record, name: str) -> Record | None:
    """A component of a point; None if there is none."""
    return next((one for one in point["components"] if one["name"] == name), None)


def at_rates(record: Record) -> dict[float, dict[str, Record]]:
    """Each rate above 0 in rising order, and the configurations there by name."""
    rows = record["configurations"]
    rates = sorted({row["ber"] for row in rows if (row["ber"] or 0) > 0})
    return {ber: {row["configuration"]: row for row in rows if row["ber"] == ber} for ber in rates}
