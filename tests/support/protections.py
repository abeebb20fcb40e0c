"""What tests protect: applications of every kind of matrix product, and one table of all schemes."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from radhard.machine import UNSIGNED, Clean, Gemm, Grid, Operator, Site, WriteBack, read_cost
from radhard.operators import Affine, Conv2d, Gelu, LayerNorm, Linear, Quantized, Softmax
from radhard.protection import (
    Block,
    FloatAbft,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Ranges,
    RowAbft,
    Scheme,
    StandardAbft,
    Tmr,
)
from radhard.protection.schemes.registry import entries
from radhard.protection.schemes.row_check import RowCheckAbft

BATCH = 4


@dataclass(frozen=True, kw_only=True)
class Case:
    """An operator on a batch of 4 images; `carries` are the inputs that have the batch, on the site's axis."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    site: Site
    carries: tuple[int, ...] = (0,)

    def part(self, image: int) -> tuple[Tensor | None, ...]:
        """The inputs of one image."""
        axis, own, blocks = self.site.batch_axis, self.site.rows_per_image, self.site.blocks
        assert axis is not None
        step = own // blocks
        return tuple(
            x.unflatten(axis, (blocks, -1, step)).narrow(axis + 1, image, 1).flatten(axis, axis + 2)
            if place in self.carries and x is not None
            else x
            for place, x in enumerate(self.inputs)
        )

    @property
    def costs(self) -> dict:
        return {self.site: read_cost(self.operator, self.inputs, self.site)}

    def clean(self) -> Tensor:
        return Clean().apply(self.operator, self.inputs, self.site)


def int8s(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))


def uint8s(*shape: int, seed: int = 0) -> Tensor:
    return int8s(*shape, seed=seed).view(torch.uint8)


def int32s(n: int, seed: int = 9) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-(2**14), 2**14, (n,), dtype=torch.int32, generator=generator)


def floats(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def scales(n: int) -> Tensor:
    return torch.linspace(1e-4, 9e-4, n)


def here(*, axis: int = 0, own: int = 1, blocks: int = 1) -> Site:
    return Site(
        name="here", operator="x", layer="l", module="m", batch_axis=axis, rows_per_image=own, blocks=blocks
    )  # fmt: skip


PRODUCTS: dict[str, Case] = {
    "linear": Case(
        operator=Linear(write_back=WriteBack(multiplier=scales(5), dtype=torch.int8)),
        inputs=(int8s(BATCH, 7, 11), int8s(5, 11, seed=1), int32s(5)),
        site=here(),
    ),
    "linear left as float": Case(
        operator=Linear(write_back=WriteBack(multiplier=torch.tensor([2e-4]), dtype=torch.float32)),
        inputs=(int8s(BATCH, 7, 11), int8s(5, 11, seed=1), None),
        site=here(),
    ),
    "linear in windows": Case(
        operator=Linear(),
        inputs=(int8s(BATCH * 3, 4, 6), int8s(5, 6, seed=1), int32s(5)),
        site=here(own=3),
    ),
    "linear of tokens before the batch": Case(
        operator=Linear(write_back=WriteBack(multiplier=scales(4), dtype=torch.int8)),
        inputs=(int8s(3, BATCH, 6), int8s(4, 6, seed=1), int32s(4)),
        site=here(axis=1),
    ),
    "linear of tokens folded with the batch": Case(
        operator=Linear(),
        inputs=(int8s(3 * BATCH * 2, 6), int8s(4, 6, seed=1), None),
        site=here(own=6, blocks=3),
    ),
    "attention": Case(
        operator=Gemm(write_back=WriteBack(multiplier=torch.tensor([3e-4]), dtype=torch.int8)),
        inputs=(int8s(BATCH, 3, 7, 5), int8s(BATCH, 3, 9, 5, seed=1).mT),
        site=here(),
        carries=(0, 1),
    ),
    "attention with heads before the batch": Case(
        operator=Gemm(write_back=WriteBack(multiplier=scales(8), dtype=torch.int8)),
        inputs=(int8s(2, BATCH, 7, 5), int8s(2, BATCH, 5, 8, seed=1)),
        site=here(axis=1),
        carries=(0, 1),
    ),
    "convolution": Case(
        operator=Conv2d(
            stride=(2, 1), padding=(1, 1, 0, 2), write_back=WriteBack(multiplier=scales(6), dtype=torch.int8)
        ),
        inputs=(int8s(BATCH, 4, 7, 5), int8s(6, 4, 3, 3, seed=1), int32s(6)),
        site=here(),
    ),
    "linear of unsigned words": Case(
        operator=Linear(write_back=WriteBack(multiplier=scales(5), dtype=torch.uint8, grid=UNSIGNED)),
        inputs=(uint8s(BATCH, 7, 11), int8s(5, 11, seed=1), int32s(5)),
        site=here(),
    ),
    "attention of unsigned words": Case(
        operator=Gemm(write_back=WriteBack(multiplier=torch.tensor([3e-4]), dtype=torch.int8)),
        inputs=(uint8s(BATCH, 3, 7, 5), int8s(BATCH, 3, 5, 9, seed=1)),
        site=here(),
        carries=(0, 1),
    ),
    "convolution of unsigned words": Case(
        operator=Conv2d(
            stride=(2, 1),
            padding=(1, 1, 0, 2),
            pad=130,
            groups=2,
            write_back=WriteBack(
                multiplier=scales(6),
                dtype=torch.uint8,
                grid=Grid(zero=9, low=9, high=200, dtype=torch.uint8),
            ),
        ),
        inputs=(uint8s(BATCH, 4, 7, 5), int8s(6, 2, 3, 3, seed=1), int32s(6)),
        site=here(),
    ),
    "convolution in groups": Case(
        operator=Conv2d(groups=2, write_back=WriteBack(multiplier=scales(6), dtype=torch.float32)),
        inputs=(int8s(BATCH * 2, 4, 5, 5), int8s(6, 2, 2, 3, seed=1), int32s(6)),
        site=here(own=2),
    ),
}

FLOATS: dict[str, Case] = {
    "float linear": Case(
        operator=Linear(), inputs=(floats(BATCH, 7, 11), floats(5, 11, seed=1), floats(5, seed=2)), site=here()
    ),
    "float linear in windows": Case(
        operator=Linear(), inputs=(floats(BATCH * 3, 4, 6), floats(5, 6, seed=1), None), site=here(own=3)
    ),
    "float attention": Case(
        operator=Gemm(), inputs=(floats(BATCH, 3, 7, 5), floats(BATCH, 3, 9, 5, seed=1).mT), site=here(), carries=(0, 1)
    ),
    "float convolution in groups": Case(
        operator=Conv2d(groups=2, stride=(2, 1), padding=(1, 1, 0, 2)),
        inputs=(floats(BATCH * 2, 4, 5, 5), floats(6, 2, 2, 3, seed=1), floats(6, seed=2)),
        site=here(own=2),
    ),
}
BFLOATS: dict[str, Case] = {
    name.replace("float", "bfloat16"): replace(
        case, inputs=tuple(None if x is None else x.to(torch.bfloat16) for x in case.inputs)
    )
    for name, case in FLOATS.items()
}

_TO = Affine(scale=1.0 / 127)
_FROM = Affine(scale=0.03)
OTHERS: dict[str, Case] = {
    "softmax": Case(operator=Softmax(), inputs=(floats(BATCH, 3, 7),), site=here()),
    "softmax between words": Case(
        operator=Quantized(inner=Softmax(), reads=(_FROM,), writes=_TO), inputs=(int8s(BATCH, 3, 7),), site=here()
    ),
    "softmax to unsigned words": Case(
        operator=Quantized(inner=Softmax(), reads=(_FROM,), writes=Affine(scale=1.0 / 255, grid=UNSIGNED)),
        inputs=(int8s(BATCH, 3, 7),),
        site=here(),
    ),
    "gelu of unsigned words": Case(
        operator=Quantized(
            inner=Gelu(), reads=(Affine(scale=0.03, grid=UNSIGNED),), writes=Affine(scale=0.02, grid=UNSIGNED)
        ),
        inputs=(uint8s(BATCH, 20),),
        site=here(),
    ),
    "gelu": Case(operator=Gelu(), inputs=(floats(BATCH, 20),), site=here()),
    "gelu between words": Case(
        operator=Quantized(inner=Gelu(), reads=(_FROM,), writes=_FROM), inputs=(int8s(BATCH, 20),), site=here()
    ),
    "layer norm": Case(
        operator=Quantized(inner=LayerNorm(shape=(9,)), reads=(_FROM, None, None), writes=_FROM),
        inputs=(int8s(BATCH, 3, 9), floats(9, seed=3), floats(9, seed=4)),
        site=here(),
    ),
}

# of matrix products
ABFT: dict[str, Scheme] = {
    "standard": StandardAbft(),
    "full checksums": HuangAbraham(),
    "intensity-guided, ideal": IntensityGuided(),
    "intensity-guided, measured": IntensityGuided(hides="measured", operations_per_byte=3.0),
    "lb-abft": LbAbft(block=Block(m=3, k=4, n=3)),
    "lb-abft in one slab": LbAbft(block=Block(m=2, k=99, n=4), policy="row", retries=2),
    "lb-abft as in the paper": LbAbft(block=Block(m=4, k=4, n=4), policy="leave", retries=0),
    "row check": RowCheckAbft(),
    "row abft": RowAbft(block=Block(m=2, k=5, n=4)),
    "row abft in one slab": RowAbft(block=Block(m=3, k=99, n=3), retries=0),
    "lb-abft in 64 bits": LbAbft(block=Block(m=3, k=4, n=3), width=64),
    "row abft in 64 bits": RowAbft(block=Block(m=2, k=5, n=4), width=64),
    "lb-abft of what is seen": LbAbft(block=Block(m=4, k=3, n=2), policy="block", repair="visible"),
}
# of float products
FLOAT: dict[str, Scheme] = {
    "float abft": FloatAbft(),
    "float abft in pieces": FloatAbft(width=2, lanes=4, retries=0),
}
# of any operator
ANY: dict[str, Scheme] = {
    "tmr": Tmr(),
    "tmr, bit by bit": Tmr(vote="bitwise"),
    "ranges": Ranges(low=-1e9, high=1e9),
    "ranges, clamped": Ranges(low=-1e9, high=1e9, outside="clamp"),
}
# schemes that need no option, as they are: a new one is in every test below by its file alone
for _entry in entries():
    if _entry.spellings and not any(option.required for option in _entry.options):
        _table = {"int8 products": ABFT, "float products": FLOAT, "any operator": ANY}[_entry.takes]
        if not any(type(scheme) is _entry.kind for scheme in _table.values()):
            _table[_entry.name] = _entry.kind()
ALL = {**ABFT, **FLOAT, **ANY}
TABLE = [
    *((case, scheme) for case in PRODUCTS for scheme in {**ABFT, **ANY}),
    *((case, scheme) for case in FLOATS for scheme in {**FLOAT, **ANY}),
    *((case, scheme) for case in OTHERS for scheme in ANY),
]
# without faults: chains of bfloat16 words are not known to the machine with faults
CLEAN_TABLE = [*TABLE, *((case, scheme) for case in BFLOATS for scheme in {**FLOAT, **ANY})]
CASES = {**PRODUCTS, **FLOATS, **BFLOATS, **OTHERS}
