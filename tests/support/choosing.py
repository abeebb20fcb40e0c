"""Choosers whose steps are in a table, for tests of what is chosen and judged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from radhard.analysis.configurations import Configuration, ConfigurationOutcome
from radhard.analysis.intervals import Interval
from radhard.analysis.judging import ProtectionStep
from radhard.analysis.ordering import Candidate, Grain
from radhard.analysis.overhead import Spent, Weights
from radhard.protection import Method, Protectable, products_of
from radhard.studies.choosing import Chooser, Target
from radhard.words import Words
from tests.support.campaigns import setting
from tests.support.models import tiny_program
from tests.support.outcomes import losing
from tests.support.sweeps import point


def candidate(
    site: str, layer: str, factor: float, *, of_layer: float = 0.0, operations: float = 1e6, low: float = -1.0
) -> Candidate:
    return Candidate(
        site=site, layer=layer, factor=Interval(rate=factor, low=low, high=1.0), layer_factor=of_layer,
        operations=operations,
    )  # fmt: skip


def names(candidates: Iterable[Candidate]) -> str:
    return " ".join(c.site for c in candidates)


Row = tuple[float, float]  # loss, overhead


def step_of(products: tuple[str, ...], *, ranges: bool, row: Row) -> ProtectionStep:
    loss, overhead = row
    spent = Spent(
        mul=0, add=0, cmp=0, hidden=0, own_mul=1, own_add=1, share=overhead, low=0, high=1, alarms=0, repaired=0,
        recomputed=0, left=0, residual=0, images=1,
    )  # fmt: skip
    outcome = ConfigurationOutcome(
        configuration=Configuration(name=f"{len(products)} {ranges}", setting=setting()),
        point=point(1e-7, 0.9 - loss),
        loss=Interval(rate=loss, low=loss - 0.1, high=loss + 0.1),
        gain=None,
        spent=None if not products and not ranges else spent,
        differing=losing(loss, 1000),
    )
    return ProtectionStep(products=products, ranges=ranges, outcome=outcome)


@dataclass(frozen=True, kw_only=True)
class Given:
    """Stands for an ordering whose candidates are known."""

    order: tuple[Candidate, ...]

    @property
    def plain(self) -> Any:
        return setting(1e-7)

    def candidates(self, linear: Mapping[str, Any], *, weights: Weights, grain: Grain) -> tuple[Candidate, ...]:
        assert weights == Weights()
        assert grain in ("site", "layer")
        return tuple(c for c in self.order if c.site in linear)


@dataclass(frozen=True, kw_only=True)
class Tabled(Chooser):
    """A chooser whose steps are in a table by the number of products: without ranges, and with them.

    A row says by how much the limit of the loss is, and the overhead.
    """

    without: tuple[Row, ...]
    also: tuple[Row, ...]
    surely_worse: frozenset[int] = frozenset()

    def run_together(self, steps: Any) -> None:
        """They are in the table."""

    def step(self, products: Any, *, ranges: bool) -> ProtectionStep:
        row = (self.also if ranges else self.without)[len(products)]
        return step_of(tuple(products), ranges=ranges, row=row)

    def _limit(self, step: ProtectionStep) -> float:
        return step.outcome.loss.rate

    def _foreseen(self, products: Any, *, chosen: ProtectionStep, order: Any) -> float:
        assert chosen.products != products
        assert len(order) >= len(products)
        return 0.0

    def _gain(self, step: ProtectionStep, *, over: ProtectionStep) -> Interval:
        assert step.products == over.products
        assert (step.ranges, over.ranges) == (True, False)
        worse = len(step.products) in self.surely_worse
        return Interval(rate=-0.1, low=-0.2, high=-0.01 if worse else 0.01)


def protectable() -> Protectable:
    program = tiny_program("int8")
    limits = {"norm": (-1.0, 1.0)}
    return Protectable(program=program, products=products_of(program), limits=limits, words=Words())


PROTECTABLE = protectable()
SITES = ("blocks.0.attn.qkv", "blocks.1.attn.qkv", "blocks.0.mlp.fc1", "blocks.1.mlp.fc1")
LAYERS = ("blocks.0", "blocks.1", "blocks.0", "blocks.1")


def chooser(without: list[Row], also: list[Row] | None = None, **options: Any) -> Tabled:
    """Four products at most, in the order of SITES when each is as good as its place (gain)."""
    count = len(without) - 1
    order = tuple(
        candidate(site, layer, 0.9 - 0.1 * k, low=0.8 - 0.1 * k)
        for k, (site, layer) in enumerate(zip(SITES[:count], LAYERS, strict=False))
    )
    method = Method(scheme="standard-abft", ranges="none" if also is None else "observed")
    return Tabled(
        ordering=Given(order=order),  # type: ignore[arg-type]
        protectable=PROTECTABLE,
        method=method,
        without=tuple(without),
        also=tuple(also or ()),
        weights=Weights(),
        **{"strategy": "gain", "target": Target(loss=0.02, overhead=0.1), **options},
    )
