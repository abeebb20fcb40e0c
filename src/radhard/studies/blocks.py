"""The verb `blocks`: the block size of LB-ABFT that costs least for one matrix product."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from radhard.errors import InputError
from radhard.protection import Exact, Printed, Shape, Volume, cube, optimal_block
from radhard.protection.cost.models import CostModel
from radhard.report.blocks import BlockRow, BlocksRecord, block_row, blocks_record
from radhard.studies.fault_amount import rates_of
from radhard.studies.result import DrawnResult, FigureTarget
from radhard.words import Words

ModelName = Literal["all", "printed", "volume", "exact"]


@dataclass(frozen=True, kw_only=True, repr=False)
class BlocksResult(DrawnResult):
    """Blocks of one product of `shape` and what they cost, one for each rate and cost model; `chosen` says how.

    >>> import radhard as rh
    >>> from radhard.protection import Shape
    >>> rh.blocks(Shape(m=197, k=768, n=3072), ber=1e-8)
    <BlocksResult: ...>
    """

    shape: Shape
    blocks: tuple[BlockRow, ...]
    chosen: str

    @property
    def headline(self) -> str:
        """`LB-ABFT of 197 x 768 x 768: at BER 1e-09 block 64x64x64, overhead 1.9 % (exact)`."""
        shape, row = self.shape, self.blocks[-1]
        return (
            f"LB-ABFT of {shape.m} x {shape.k} x {shape.n}: at BER {row.ber:.3g} block {row.block}, overhead "
            f"{row.overhead:.2%} ({row.model})"
        )

    def rows(self) -> list[dict[str, object]]:
        """One row a rate and cost model."""
        return [asdict(row) for row in self.blocks]

    def to_dict(self) -> BlocksRecord:
        """The record of the product in `radhard blocks --json`."""
        return blocks_record(self.blocks, shape=self.shape)

    def plot(self, target: FigureTarget) -> None:
        """Draw block, overhead and error probabilities over the rate; on axes the overhead."""
        from radhard.report.optimal_blocks import draw_optimal_blocks, draw_optimal_blocks_on, optimal_blocks_data

        data = optimal_blocks_data(self.blocks, shape=self.shape, chosen=self.chosen)
        if isinstance(target, str | Path):
            draw_optimal_blocks(data, Path(target))
        else:
            draw_optimal_blocks_on(data, target)


def blocks(
    shape: Shape,
    *,
    ber: float | Sequence[float] = (1e-9, 1e-8, 1e-7),
    model: ModelName = "all",
    block: int | None = None,
    most_flips: float = 1.0,
    bits: int | None = None,
    words: Words | None = None,
) -> BlocksResult:
    """The cube that costs least for a product at each rate by each cost model, or what the cube of edge `block` costs.

    `most_flips`: only blocks that expect at most so many flips. `bits`: exposed bits of a multiply-accumulate, for the
    models "printed" (default: 1) and "volume" (default: those of `words`). InputError for `bits` with "exact".

    >>> import radhard as rh
    >>> from radhard.protection import Shape
    >>> len(rh.blocks(Shape(m=197, k=768, n=3072), ber=[1e-9, 1e-8]).rows()) > 0
    True
    """
    if bits is not None and model == "exact":
        raise InputError(f"--bits {bits} with --model exact: it counts the bits of --words one by one; leave one out")
    exposed = words or Words()
    models: dict[str, CostModel] = {
        "printed": Printed(bits=bits or 1),
        "volume": Volume(bits=bits or exposed.product.exposed + exposed.accumulator.exposed),
        "exact": Exact(words=exposed),
    }
    found = []
    for rate in rates_of(ber):
        for name in models if model == "all" else (model,):
            if block is None:
                choice = optimal_block(shape, ber=rate, model=models[name], most_flips=most_flips)
            else:
                choice = optimal_block(shape, ber=rate, model=models[name], candidates=(cube(block),))
            found.append(block_row(choice, shape=shape, ber=rate, model=name))
    chosen = f"the cube that costs least, of those with at most {most_flips:g} expected flips"
    return BlocksResult(shape=shape, blocks=tuple(found), chosen=chosen if block is None else f"cubes of {block}")
