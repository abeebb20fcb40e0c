"""Claims 7 and 12: the cheapest blocks of LB-ABFT over the bit error rate, by cost models; nothing is sampled."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from radhard.analysis.claims.claim import Finding, PaperClaim
from radhard.analysis.claims.evidence import all_of, counted
from radhard.analysis.claims.measured import MeasuredRecords, Record

_NEEDS = "blocks, or reproduce --figures 8,14"
SHRINKS = PaperClaim(
    number="7a",
    says="The best block shrinks as the bit error rate grows",
    source="Sec. IV-A, Fig. 8",
    measured="edge at the greatest rate over that at the least; it never grows between, by the cost model",
    needs=_NEEDS,
    unit="",
)
DEARER = PaperClaim(
    number="7b",
    says="The overhead of the best block grows with the bit error rate",
    source="Sec. IV-A, Fig. 8",
    measured="overhead at the greatest rate over that at the least; it never falls between, by the cost model",
    needs=_NEEDS,
    unit="",
)
SHORTER = PaperClaim(
    number="7c",
    says="Multiplications are a much larger share of the overhead for products with a shorter second matrix",
    source="Sec. IV-A, Fig. 8",
    measured="products with fewer rows of the second matrix and the greater share (mean over rates, exact model), of "
    "all pairs of products of unlike rows",
    needs=_NEEDS,
    unit="",
)
LOW = PaperClaim(
    number="12a",
    says="The error probability of sub-products is very low",
    source="Sec. IV-C, Fig. 14",
    measured="greatest probability, over the rates, that the cheapest block is in error; at most 1 %",
    needs=_NEEDS,
    unit="%",
)
FAR = PaperClaim(
    number="12b",
    says="It is much lower than that of whole products",
    source="Sec. IV-C, Fig. 14",
    measured="error probability of the product over that of its cheapest block, least over the rates; at least 10",
    needs=_NEEDS,
    unit="times",
)
VERY_LOW, MUCH = 0.01, 10.0


def shrinks(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 7a for each product, or all products of a model, and cost model."""
    for subject, lines in _lines(measured).items():
        parts = []
        for rows in lines:
            edges = [int(row["block"].partition("x")[0]) for row in rows]
            holds = all(a >= b for a, b in pairwise(edges)) and edges[-1] < edges[0]
            parts.append(counted(edges[-1] / edges[0], holds=holds))
        yield Finding(subject=subject, evidence=all_of(parts), n=0)


def dearer(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 7b for each product, or all products of a model, and cost model."""
    for subject, lines in _lines(measured).items():
        parts = []
        for rows in lines:
            spent = [row["overhead"] for row in rows]
            holds = all(a <= b for a, b in pairwise(spent)) and spent[-1] > spent[0]
            parts.append(counted(spent[-1] / spent[0], holds=holds))
        yield Finding(subject=subject, evidence=all_of(parts), n=0)


def shorter(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 7c over the products of a model, or over those that stand alone."""
    groups: dict[str, list[tuple[int, float]]] = {}
    for record in measured.products.values():
        shares = [row["mul_share"] for row in record["rows"] if row["model"] == "exact"]
        if shares:
            groups.setdefault(record.get("of", ""), []).append((record["k"], sum(shares) / len(shares)))
    for name, group in groups.items():
        pairs = [(one, other) for one in group for other in group if one[0] < other[0]]
        if pairs:
            more = sum(one[1] > other[1] for one, other in pairs)
            evidence = counted(more / len(pairs), holds=more == len(pairs))
            yield Finding(subject=name or f"{len(group)} products", evidence=evidence, n=0)


def low(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 12a for each product, or the mean over those of a model, and cost model."""
    for subject, rows in _probabilities(measured).items():
        most = max(row["block_faulty"] for row in rows)
        yield Finding(subject=subject, evidence=counted(100 * most, holds=most <= VERY_LOW), n=0)


def far(measured: MeasuredRecords) -> Iterator[Finding]:
    """Claim 12b for each product, or the mean over those of a model, and cost model."""
    for subject, rows in _probabilities(measured).items():
        least = min(row["faulty"] / row["block_faulty"] for row in rows)
        yield Finding(subject=subject, evidence=counted(least, holds=least >= MUCH), n=0)


def _lines(measured: MeasuredRecords) -> dict[str, list[list[Record]]]:
    """Of each subject a line a product, its rows in the order of their rates; of one rate there is nothing to say."""
    found: dict[str, list[list[Record]]] = {}
    for record in measured.products.values():
        for model in dict.fromkeys(row["model"] for row in record["rows"]):
            rows = _by_rate(row for row in record["rows"] if row["model"] == model)
            if len(rows) > 1:
                found.setdefault(f"{record.get('of') or record['product']} ({model})", []).append(rows)
    return found


def _probabilities(measured: MeasuredRecords) -> dict[str, list[Record]]:
    """The probabilities of products that stand alone, and the means over those of models."""
    alone = [record for record in measured.products.values() if "of" not in record]
    given = {record["product"]: record["rows"] for record in alone} | measured.probabilities
    found: dict[str, list[Record]] = {}
    for name, rows in given.items():
        for model in dict.fromkeys(row["model"] for row in rows):
            found[f"{name} ({model})"] = _by_rate(row for row in rows if row["model"] == model)
    return {subject: rows for subject, rows in found.items() if rows}


def _by_rate(rows: Iterable[Record]) -> list[Record]:
    return sorted((row for row in rows if row["ber"] > 0), key=lambda row: float(row["ber"]))
