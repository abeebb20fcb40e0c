"""The targets of a run, and whether they are met: from the records alone."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.gpu.journal import Record


@dataclass(frozen=True, kw_only=True)
class Target:
    """A number that shall be at most `most` (or, of a share, at least); None: not measured."""

    what: str
    most: float
    found: float | None
    unit: str = ""
    least: bool = False

    def cells(self) -> list[str]:
        """A row of the table of targets."""
        bound = f"at {'least' if self.least else 'most'} {_number(self.most, self.unit)}"
        if self.found is None:
            return [self.what, bound, "-", "not measured"]
        met = self.found >= self.most if self.least else self.found <= self.most
        return [self.what, bound, _number(self.found, self.unit), f"**{'met' if met else 'missed'}**"]


def _number(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.2f} %"
    return f"{value:.1f} {unit}" if unit else f"{value:.2f}"


def targets(records: Sequence[Record]) -> Iterator[Target]:
    """Each target with what was found."""
    clean = ratio(records, "clean", "int8", over="bfloat16")
    yield Target(what="clean int8 ViT-B/16 over eager bfloat16, batch 256", most=0.8, found=clean)
    yield Target(what="the same, aim", most=0.5, found=clean)
    for case, most in (("1e-08", 1.10), ("1e-07", 1.5)):
        found = ratio(records, "faulty", case, over="clean")
        yield Target(what=f"faulty over clean int8, ViT-B/16, batch 256, {case}", most=most, found=found)
    yield Target(
        what="a fused check of a product, n = 768, batch 64, beside the product",
        most=0.03,
        found=fused(records),
        unit="%",
    )
    seconds = [r["seconds"] for r in records if r["part"] == "sweep" and "rates" in r]
    what = "a sweep of ViT-B/16, 1,000 images at 9 rates, the whole command"
    yield Target(what=what, most=60, found=seconds[-1] if seconds else None, unit="s")
    known = answers(records)
    of = "" if known is None else f" ({', '.join(known[2])}, {known[1]:,} answers)"
    what = f"equal answers of the zoo under faults{of}"
    yield Target(what=what, most=0.999, found=equal_answers(records), unit="%", least=True)


def ratio(records: Sequence[Record], part: str, case: str, *, over: str) -> float | None:
    """The median ratio of a case at the largest batch size."""
    found = [r for r in records if r["part"] == part and case in r.get("cases", {})]
    if not found:
        return None
    largest = max(found, key=lambda record: record["batch"])
    median: float = largest["cases"][case][f"over_{over}"]["median"]
    return median


def fused(records: Sequence[Record]) -> float | None:
    """The share of time that a fused check adds, as its part finds it."""
    found = [r for r in records if r["part"] == "detection" and "error" not in r]
    if not found:
        return None
    share: float | None = importlib.import_module("benchmarks.gpu.detection").overhead(found)
    return share


def equal_answers(records: Sequence[Record]) -> float | None:
    """The share of answers under faults that are those of the CPU, of all models together."""
    found = answers(records)
    return None if found is None else found[0] / found[1]


def answers(records: Sequence[Record]) -> tuple[int, int, list[str]] | None:
    """How many answers under faults are those of the CPU, of how many, and of which models."""
    found = [r for r in records if r.get("ber", 0) > 0 and "equal_answers" in r]
    if not found:
        return None
    models = list(dict.fromkeys(r["model"] for r in found))
    return sum(r["equal_answers"] for r in found), sum(r["images"] for r in found), models
