"""One table of all operators: an application of each, what PyTorch makes of it, and what it executes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from radhard.machine import SPECIALS, Grid, Operator, Site
from radhard.operators import (
    Add,
    Affine,
    AvgPool2d,
    BatchNorm,
    Clamp,
    Conv2d,
    Div,
    Function,
    Gelu,
    Gemm,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    LayerNorm,
    Linear,
    Load,
    Mean,
    Mul,
    Power,
    Quantized,
    RealPower,
    RmsNorm,
    Sigmoid,
    Silu,
    Softmax,
    Sum,
    WriteBack,
)
from radhard.operators.log_add_exp import LogAddExp

BATCH = 8


@dataclass(frozen=True, kw_only=True)
class Case:
    """`inputs` of a batch of 8; `of_images` are those that carry it, in axis `axis`. `count` is of one image."""

    operator: Operator
    inputs: tuple[Tensor | None, ...]
    torch: Callable[..., Tensor]
    count: dict[str, int]
    of_images: tuple[int, ...] = (0,)
    axis: int = 0
    step: float = 0.0  # of a quantised output: text and kernel may differ by this, rarely
    exact: bool = field(default=False)

    @property
    def site(self) -> Site:
        return Site(name="here", batch_axis=self.axis, rows_per_image=1)

    def part(self, first: int, last: int) -> tuple[Tensor | None, ...]:
        return tuple(
            x.narrow(self.axis, first, last - first) if place in self.of_images and x is not None else x
            for place, x in enumerate(self.inputs)
        )


def floats(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def int8s(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(-128, 128, shape, dtype=torch.int8, generator=torch.Generator().manual_seed(seed))


def int32s(n: int) -> Tensor:
    return torch.randint(-(2**14), 2**14, (n,), dtype=torch.int32, generator=torch.Generator().manual_seed(9))


def exact_linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    out = functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    return out.to(torch.int32)


def as_int8(value: Tensor) -> Tensor:
    return value.round().clamp(-128, 127).to(torch.int8)


def conv(*arguments: object) -> Callable[..., Tensor]:
    return lambda x, w, b: functional.conv2d(x, w, b, *arguments)


def padded(x: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    top, left, bottom, right = padding
    return functional.pad(x, (left, right, top, bottom))


SCALES = torch.linspace(1e-4, 3e-4, 5)
WRITTEN = WriteBack(multiplier=SCALES, dtype=torch.int8)
LEFT = WriteBack(multiplier=torch.tensor([2e-4]), dtype=torch.float32)
X = floats(BATCH, 3, 7)
IMAGES = floats(BATCH, 4, 9, 8)
WORDS = int8s(BATCH, 4, 9, 8)

BARE: dict[str, Case] = {
    # GEMM of m x k and k x n: m n k products, m n (k - 1) additions, m n k with a bias
    "linear": Case(
        operator=Linear(),
        inputs=(X, floats(5, 7, seed=1), None),
        torch=functional.linear,
        count={"mul": 3 * 5 * 7, "add": 3 * 5 * 6},
    ),
    "linear bias": Case(
        operator=Linear(),
        inputs=(X, floats(5, 7, seed=1), floats(5, seed=2)),
        torch=functional.linear,
        count={"mul": 3 * 5 * 7, "add": 3 * 5 * 7},
    ),
    "linear int8": Case(
        operator=Linear(),
        inputs=(int8s(BATCH, 3, 40), int8s(5, 40, seed=1), int32s(5)),
        torch=exact_linear,
        count={"mul": 3 * 5 * 40, "add": 3 * 5 * 40},
        exact=True,
    ),
    "linear written back": Case(
        operator=Linear(write_back=WRITTEN),
        inputs=(int8s(BATCH, 3, 40), int8s(5, 40, seed=1), int32s(5)),
        torch=lambda x, w, b: as_int8(exact_linear(x, w, b).float() * SCALES),
        count={"mul": 3 * 5 * 40, "add": 3 * 5 * 40, "scale": 3 * 5},
        exact=True,
    ),
    "linear left float": Case(
        operator=Linear(write_back=LEFT),
        inputs=(int8s(BATCH, 3, 40), int8s(5, 40, seed=1), None),
        torch=lambda x, w, b: exact_linear(x, w, b).float() * np.float32(2e-4),
        count={"mul": 3 * 5 * 40, "add": 3 * 5 * 39, "scale": 3 * 5},
        exact=True,
    ),
    "matmul": Case(
        operator=Gemm(),
        inputs=(floats(BATCH, 2, 3, 6), floats(BATCH, 2, 6, 4, seed=1)),
        torch=torch.matmul,
        of_images=(0, 1),
        count={"mul": 2 * 3 * 4 * 6, "add": 2 * 3 * 4 * 5},
    ),
    "matmul broadcast": Case(
        operator=Gemm(),
        inputs=(int8s(BATCH, 1, 3, 6), int8s(2, 6, 4, seed=1)),
        torch=lambda a, b: (a.double() @ b.double()).to(torch.int32),
        count={"mul": 2 * 3 * 4 * 6, "add": 2 * 3 * 4 * 5},
        exact=True,
    ),
    "matmul written back": Case(
        operator=Gemm(write_back=WriteBack(multiplier=torch.tensor([3e-3]), dtype=torch.int8)),
        inputs=(int8s(BATCH, 2, 3, 6), int8s(BATCH, 2, 6, 4, seed=1)),
        torch=lambda a, b: as_int8((a.double() @ b.double()).float() * np.float32(3e-3)),
        of_images=(0, 1),
        count={"mul": 2 * 3 * 4 * 6, "add": 2 * 3 * 4 * 5, "scale": 2 * 3 * 4},
        exact=True,
    ),
    "conv2d": Case(
        operator=Conv2d(stride=(2, 1), padding=(1, 2, 1, 2), dilation=(1, 2)),
        inputs=(IMAGES, floats(6, 4, 3, 2, seed=1), floats(6, seed=2)),
        torch=conv((2, 1), (1, 2), (1, 2)),  # 5 x 10 positions
        count={"mul": 5 * 10 * 6 * 24, "add": 5 * 10 * 6 * 24},
    ),
    "conv2d groups, uneven padding": Case(
        operator=Conv2d(stride=(1, 3), padding=(0, 1, 2, 0), groups=2),
        inputs=(IMAGES, floats(6, 2, 3, 3, seed=1), None),
        torch=lambda x, w, b: conv((1, 3), 0, 1, 2)(padded(x, (0, 1, 2, 0)), w, b),  # 9 x 3 positions
        count={"mul": 9 * 3 * 6 * 18, "add": 9 * 3 * 6 * 17},
    ),
    "conv2d depthwise int8": Case(
        operator=Conv2d(padding=(1, 1, 1, 1), groups=4),
        inputs=(WORDS, int8s(4, 1, 3, 3, seed=1), int32s(4)),
        torch=lambda x, w, b: conv(1, 1, 1, 4)(x.double(), w.double(), b.double()).to(torch.int32),
        count={"mul": 9 * 8 * 4 * 9, "add": 9 * 8 * 4 * 9},
        exact=True,
    ),
    "conv2d written back": Case(
        operator=Conv2d(stride=(3, 2), write_back=WRITTEN),
        inputs=(WORDS, int8s(5, 4, 3, 2, seed=1), None),
        torch=lambda x, w, b: as_int8(
            conv((3, 2))(x.double(), w.double(), b).float() * SCALES.view(1, 5, 1, 1)
        ),  # 3 x 4 positions
        count={"mul": 3 * 4 * 5 * 24, "add": 3 * 4 * 5 * 23, "scale": 3 * 4 * 5},
        exact=True,
    ),
    "conv2d wide groups int8": Case(
        operator=Conv2d(groups=2),
        inputs=(int8s(BATCH, 600, 3, 3), int8s(4, 300, 2, 2, seed=1), None),
        torch=lambda x, w, b: conv(1, 0, 1, 2)(x.double(), w.double(), b).to(torch.int32),
        count={"mul": 2 * 2 * 4 * 1200, "add": 2 * 2 * 4 * 1199},
        exact=True,
    ),
    # softmax of R rows of N: x - max, sum; e r; exp, 1 / s
    "softmax": Case(
        operator=Softmax(),
        inputs=(X,),
        torch=lambda x: x.softmax(-1),
        count={"add": 3 * (7 + 6), "mul": 3 * 7, "special": 3 * (7 + 1)},
    ),
    "softmax inner": Case(
        operator=Softmax(dim=1),
        inputs=(X,),
        torch=lambda x: x.softmax(1),
        count={"add": 7 * (3 + 2), "mul": 7 * 3, "special": 7 * (3 + 1)},
    ),
    "gelu": Case(operator=Gelu(), inputs=(X,), torch=functional.gelu, count={"mul": 3 * 21, "add": 21, "special": 21}),
    "gelu tanh": Case(
        operator=Gelu(form="tanh"),
        inputs=(X,),
        torch=lambda x: functional.gelu(x, approximate="tanh"),
        count={"mul": 6 * 21, "add": 2 * 21, "special": 21},
    ),
    # layer norm of R rows of N: sum N - 1, d N, sum N - 1, + eps 1; mean 1, d^2 N, variance 1, d r N
    "layer_norm": Case(
        operator=LayerNorm(shape=(7,), eps=1e-6),
        inputs=(X, floats(7, seed=1), floats(7, seed=2)),
        torch=lambda x, w, b: functional.layer_norm(x, (7,), w, b, 1e-6),
        count={"add": 3 * (6 + 7 + 6 + 1 + 7), "mul": 3 * (1 + 7 + 1 + 7 + 7), "special": 3},
    ),
    "layer_norm plain": Case(
        operator=LayerNorm(shape=(7,)),
        inputs=(X, None, None),
        torch=lambda x, _, __: functional.layer_norm(x, (7,)),
        count={"add": 3 * (6 + 7 + 6 + 1), "mul": 3 * (1 + 7 + 1 + 7), "special": 3},
    ),
    "layer_norm of two axes": Case(
        operator=LayerNorm(shape=(3, 7)),
        inputs=(X, floats(3, 7, seed=1), None),
        torch=lambda x, w, _: functional.layer_norm(x, (3, 7), w),
        count={"add": 20 + 21 + 20 + 1, "mul": 1 + 21 + 1 + 21 + 21, "special": 1},
    ),
    "add": Case(operator=Add(), inputs=(X, floats(3, 1, seed=1)), torch=torch.add, count={"add": 21}),
    "sub": Case(
        operator=Add(sign=-1),
        inputs=(X, floats(BATCH, 3, 7, seed=1)),
        torch=torch.sub,
        of_images=(0, 1),
        count={"add": 21},
    ),
    "mul": Case(operator=Mul(), inputs=(X, torch.tensor(0.37)), torch=torch.mul, count={"mul": 21}),
    "div": Case(
        operator=Div(),
        inputs=(X, floats(3, 7, seed=1) + 3),
        torch=torch.div,
        count={"mul": 21, "special": 21},
    ),
    "log_add_exp": Case(
        operator=LogAddExp(),
        inputs=(X, floats(3, 7, seed=1)),
        torch=torch.logaddexp,
        count={"add": 2 * 21, "special": 2 * 21},
    ),
    "load": Case(operator=Load(), inputs=(X,), torch=lambda x: x, count={"load": 21}, exact=True),
    "load int8": Case(operator=Load(), inputs=(WORDS,), torch=lambda x: x, count={"load": 288}, exact=True),
    "sum": Case(operator=Sum(dims=(1,)), inputs=(X,), torch=lambda x: x.sum(1, keepdim=True), count={"add": 7 * 2}),
    "mean of axes": Case(
        operator=Mean(dims=(2, 3)),
        inputs=(IMAGES,),
        torch=lambda x: x.mean((2, 3), keepdim=True),
        count={"add": 4 * 71, "mul": 4},
    ),
    "mean, batch in the middle": Case(
        operator=Mean(dims=(0,)),
        inputs=(floats(3, BATCH, 7),),
        torch=lambda x: x.mean(0, keepdim=True),
        axis=1,
        count={"add": 7 * 2, "mul": 7},
    ),
    "avg_pool2d": Case(
        operator=AvgPool2d(size=(3, 2), stride=(2, 1), padding=(1, 0, 1, 0)),
        inputs=(IMAGES,),
        torch=lambda x: functional.avg_pool2d(x, (3, 2), (2, 1), (1, 0)),  # 5 x 7 positions
        count={"add": 4 * 5 * 7 * 5, "mul": 4 * 5 * 7},
    ),
    "avg_pool2d of what is inside": Case(
        operator=AvgPool2d(size=(3, 3), stride=(2, 2), padding=(1, 1, 1, 1), counted="inside"),
        inputs=(IMAGES,),
        torch=lambda x: functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False),  # 5 x 4 positions
        count={"add": 4 * 5 * 4 * 8, "mul": 4 * 5 * 4},
    ),
    "avg_pool2d beyond the padding": Case(
        operator=AvgPool2d(size=(2, 3), stride=(2, 3), padding=(0, 1, 0, 1), beyond=(1, 0)),
        inputs=(IMAGES,),
        torch=lambda x: functional.avg_pool2d(x, (2, 3), (2, 3), (0, 1), ceil_mode=True),  # 5 x 3 positions
        count={"add": 4 * 5 * 3 * 5, "mul": 4 * 5 * 3},
    ),
    "batch_norm": Case(
        operator=BatchNorm(),
        inputs=(IMAGES, floats(4, 1, 1, seed=1), floats(4, 1, 1, seed=2)),
        torch=lambda x, f, o: functional.batch_norm(x, torch.zeros(4), torch.ones(4) - 1e-5, f.flatten(), o.flatten()),
        count={"mul": 288, "add": 288},
    ),
    # group norm of R groups of N words: as layer norm
    "group_norm": Case(
        operator=GroupNorm(groups=2, eps=1e-6),
        inputs=(IMAGES, floats(4, seed=1), floats(4, seed=2)),
        torch=lambda x, w, b: functional.group_norm(x, 2, w, b, 1e-6),
        count={"add": 2 * (143 + 144 + 143 + 1 + 144), "mul": 2 * (1 + 144 + 1 + 144 + 144), "special": 2},
    ),
    "group_norm plain": Case(
        operator=GroupNorm(groups=4),
        inputs=(IMAGES, None, None),
        torch=lambda x, _, __: functional.group_norm(x, 4),
        count={"add": 4 * (71 + 72 + 71 + 1), "mul": 4 * (1 + 72 + 1 + 72), "special": 4},
    ),
    "rms_norm": Case(
        operator=RmsNorm(shape=(7,), eps=1e-6),
        inputs=(X, floats(7, seed=1)),
        torch=lambda x, w: functional.rms_norm(x, (7,), w, 1e-6),
        count={"add": 3 * (6 + 1), "mul": 3 * (7 + 1 + 7 + 7), "special": 3},
    ),
    "clamp": Case(operator=Clamp(low=0.0, high=0.5), inputs=(X,), torch=lambda x: x.clamp(0, 0.5), count={}),
    "sigmoid": Case(operator=Sigmoid(), inputs=(X,), torch=torch.sigmoid, count={"add": 21, "special": 42}),
    "silu": Case(operator=Silu(), inputs=(X,), torch=functional.silu, count={"mul": 21, "add": 21, "special": 42}),
    "hard_sigmoid": Case(
        operator=HardSigmoid(), inputs=(3 * X,), torch=functional.hardsigmoid, count={"mul": 21, "add": 21}
    ),
    "hard_swish": Case(operator=HardSwish(), inputs=(3 * X,), torch=functional.hardswish, count={"mul": 42, "add": 21}),
    "real_power": Case(
        operator=RealPower(exponent=0.75),
        inputs=(X.abs() + 0.1,),
        torch=lambda x: x**0.75,
        count={"mul": 21, "special": 42},
    ),
    "power": Case(operator=Power(exponent=3), inputs=(X,), torch=lambda x: x**3, count={"mul": 42}),
    **{
        name: Case(
            operator=Function(function=name), inputs=(X.abs() + 0.1,), torch=getattr(torch, name), count={"special": 21}
        )
        for name in SPECIALS
    },
    "hard_swish quantised to zero points": Case(
        operator=Quantized(
            inner=HardSwish(),
            reads=(Affine(scale=0.04, grid=Grid(zero=20)),),
            writes=Affine(scale=0.02, grid=Grid(zero=-110, low=-120, high=100)),
        ),
        inputs=(WORDS,),
        torch=lambda x: (functional.hardswish((x.float() - 20) * 0.04) / 0.02).round().sub(110).clamp(-120, 100).char(),
        count={"mul": 576, "add": 288, "scale": 576},
        step=1,
    ),
    "conv2d padded with a zero point, written to another": Case(
        operator=Conv2d(
            padding=(1, 0, 1, 0), pad=7, write_back=WriteBack(multiplier=SCALES, dtype=torch.int8, grid=Grid(zero=-9))
        ),
        inputs=(WORDS, int8s(5, 4, 3, 2, seed=1), int32s(5)),
        torch=lambda x, w, b: (
            (
                conv()(functional.pad(x.double(), (0, 0, 1, 1), value=7), w.double(), b.double()).float()
                * SCALES.view(1, 5, 1, 1)
            )
            .round()
            .sub(9)
            .clamp(-128, 127)
            .char()
        ),  # 9 x 7 positions
        count={"mul": 9 * 7 * 5 * 24, "add": 9 * 7 * 5 * 24, "scale": 9 * 7 * 5},
        exact=True,
    ),
    "softmax quantised": Case(
        operator=Quantized(inner=Softmax(), reads=(Affine(scale=0.05),), writes=Affine(scale=1 / 127)),
        inputs=(int8s(BATCH, 3, 7),),
        torch=lambda x: as_int8((x.float() * 0.05).softmax(-1) * 127),
        count={"add": 3 * 13, "mul": 21, "special": 24, "scale": 42},
        step=1,
    ),
    "gelu quantised": Case(
        operator=Quantized(inner=Gelu(), reads=(Affine(scale=0.03),), writes=Affine(scale=0.02)),
        inputs=(WORDS,),
        torch=lambda x: as_int8(functional.gelu(x.float() * 0.03) / 0.02),
        count={"add": 288, "mul": 3 * 288, "special": 288, "scale": 2 * 288},
        step=1,
    ),
    "gelu quantised, float out": Case(
        operator=Quantized(inner=Gelu(), reads=(Affine(scale=0.03),), writes=None),
        inputs=(WORDS,),
        torch=lambda x: functional.gelu(x.float() * 0.03),
        count={"add": 288, "mul": 3 * 288, "special": 288, "scale": 288},
    ),
    "layer_norm quantised": Case(
        operator=Quantized(inner=LayerNorm(shape=(7,)), reads=(None, None, None), writes=Affine(scale=0.02)),
        inputs=(X, floats(7, seed=1), floats(7, seed=2)),
        torch=lambda x, w, b: as_int8(functional.layer_norm(x, (7,), w, b) / 0.02),
        count={"add": 3 * 27, "mul": 3 * 23, "special": 3, "scale": 21},
        step=1,
    ),
    "add of two scales": Case(
        operator=Quantized(inner=Add(), reads=(Affine(scale=0.1), Affine(scale=0.02)), writes=Affine(scale=0.09)),
        inputs=(int8s(BATCH, 3, 7), int8s(BATCH, 3, 7, seed=1)),
        torch=lambda x, y: as_int8((x.float() * 0.1 + y.float() * 0.02) / 0.09),
        of_images=(0, 1),
        count={"add": 21, "scale": 63},
        step=1,
    ),
    "mul by a number, quantised": Case(
        operator=Quantized(inner=Mul(), reads=(Affine(scale=0.1), None), writes=Affine(scale=0.07)),
        inputs=(int8s(BATCH, 3, 7), torch.tensor(0.25)),
        torch=lambda x, y: as_int8(x.float() * 0.1 * y / 0.07),
        count={"mul": 21, "scale": 42},
        step=1,
    ),
    "quantize": Case(
        operator=Quantized(inner=Identity(), reads=(None,), writes=Affine(scale=0.02)),
        inputs=(X,),
        torch=lambda x: as_int8(x / 0.02),
        count={"scale": 21},
        step=1,
    ),
    "dequantize": Case(
        operator=Quantized(inner=Identity(), reads=(Affine(scale=0.02),), writes=None),
        inputs=(WORDS,),
        torch=lambda x: x.float() * 0.02,
        count={"scale": 288},
    ),
    "requantize": Case(
        operator=Quantized(inner=Identity(), reads=(Affine(scale=0.02),), writes=Affine(scale=0.03)),
        inputs=(WORDS,),
        torch=lambda x: as_int8(x.float() * 0.02 / 0.03),
        count={"scale": 576},
        step=1,
    ),
}
