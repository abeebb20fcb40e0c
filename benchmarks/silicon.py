"""What protection makes of faults that it did not foresee, `python -m benchmarks.silicon`: fault class by scheme.

A stand-in for faulty silicon: upsets of stored words, words read wrong, strikes on accumulators, stuck bits, wrong
multipliers, whole rows and tiles. Each trial is one product with one fault of its class, the same one for every scheme.
Checks and repairs run on units of their own, which are sound; they read the same memory as the product.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from radhard.analysis.verdict import Trial, count_verdicts, judge
from radhard.hardware import FAULT_MODELS, FaultyArray, HardwareFault, multi_bit, products_of, sample_fault, single_bit
from radhard.hardware.machine import Copies
from radhard.hardware.memory import sample_upset
from radhard.machine import Clean, Gemm, Machine, Site, WriteBack, read_cost
from radhard.operators import Conv2d, Linear
from radhard.protection import (
    Block,
    Calibrating,
    HuangAbraham,
    IntensityGuided,
    LbAbft,
    Protected,
    RowAbft,
    Scheme,
    StandardAbft,
    Tmr,
    cube,
    observed_range,
)
from radhard.report.verdicts import Cell, cells_record, draw_verdicts, verdict_table, verdicts_data, write_cells

RESULTS = Path(__file__).parent.parent / "results"
SITE = Site(name="product", operator="product", layer="-", module="-", batch_axis=0, rows_per_image=1)
DEVIATION = 32  # of the words of the factors and of the output
CALIBRATION = 50  # products from which ranges are observed
MARGIN = 0.1  # by which these are wider, as a share, on both sides
EDGE = 24  # of the cubes of LB-ABFT
UNTOUCHED = "no fault"
Inputs = tuple[Tensor, Tensor, Tensor | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Product:
    """A matrix product: `operator`, the shapes of its factors, and `trials` of it; a `weight` is the same in all."""

    name: str
    operator: Linear | Gemm | Conv2d
    left: tuple[int, ...]
    right: tuple[int, ...]
    terms: int
    trials: int
    key: int
    weight: bool = True

    def inputs(self, trial: int) -> Inputs:
        """Words of trial number `trial`; those of calibration have numbers below 0."""
        draw = np.random.default_rng((self.key, trial + CALIBRATION))
        fixed = np.random.default_rng(self.key) if self.weight else draw
        right = normal(self.right, fixed)
        columns = self.right[0]
        bias = torch.from_numpy(fixed.integers(-(2**12), 2**12, columns).astype(np.int32)) if self.weight else None
        return normal(self.left, draw), right, bias

    @property
    def bare(self) -> Linear | Gemm | Conv2d:
        """The same without a write-back."""
        return replace(self.operator, write_back=None)


def normal(shape: Sequence[int], draw: np.random.Generator) -> Tensor:
    """Words [...] int8, rounded and saturated, with the deviation of a layer's."""
    return torch.from_numpy((draw.standard_normal(shape) * DEVIATION).round().clip(-128, 127).astype(np.int8))


def back(terms: int) -> WriteBack:
    """To int8, at a scale that gives the output the same deviation."""
    return WriteBack(multiplier=torch.tensor([1 / (DEVIATION * terms**0.5)]), dtype=torch.int8)


PRODUCTS = (
    Product(
        name="linear 50 x 96 x 288", operator=Linear(write_back=back(96)),
        left=(1, 50, 96), right=(288, 96), terms=96, key=1, trials=150,
    ),
    Product(
        name="attention 3 heads of 50 x 32 x 50", operator=Gemm(write_back=back(32)),
        left=(1, 3, 50, 32), right=(1, 3, 32, 50), terms=32, key=2, trials=50, weight=False,
    ),
    Product(
        name="convolution 196 x 144 x 32", operator=Conv2d(padding=(1, 1, 1, 1), write_back=back(144)),
        left=(1, 16, 14, 14), right=(32, 16, 3, 3), terms=144, key=3, trials=50,
    ),
    Product(
        name="linear 197 x 768 x 768", operator=Linear(write_back=back(768)),
        left=(1, 197, 768), right=(768, 768), terms=768, key=4, trials=5,
    ),
)  # fmt: skip


class Defence(Protocol):
    """A way to protect a product. More of them are more entries of DEFENCES."""

    def run(self, product: Product, inputs: Inputs, fault: HardwareFault | None) -> tuple[Tensor, int]:
        """What is written back [...], on hardware with this fault, and the number of alarms."""
        ...


class Unprotected:
    """No check."""

    def run(self, product: Product, inputs: Inputs, fault: HardwareFault | None) -> tuple[Tensor, int]:
        """The product."""
        return on(fault, "same unit").apply(product.operator, inputs, SITE), 0


class Guarded:
    """A scheme of radhard.protection. Sums of a weight are made at once, while it is trusted."""

    def __init__(self, scheme: Scheme, product: Product, *, copies: Copies = "same unit") -> None:
        self.machine = Protected(Clean(), {SITE.name: scheme})
        self.copies: Copies = copies
        if product.weight:
            self.weight = product.inputs(0)[1]
            self.run(product, product.inputs(0), None)

    def run(self, product: Product, inputs: Inputs, fault: HardwareFault | None) -> tuple[Tensor, int]:
        """The product, checked and repaired."""
        if product.weight:  # the tensor whose sums are known, with what is now in memory
            inputs = (inputs[0], self.weight.copy_(inputs[1]), inputs[2])
        self.machine.inner = on(fault, self.copies)
        out = self.machine.apply(product.operator, inputs, SITE)
        return out, self.machine.accounts[SITE.name].alarms


def on(fault: HardwareFault | None, copies: Copies) -> Machine:
    """Hardware with this fault."""
    return Clean() if fault is None else FaultyArray(Clean(), fault, copies=copies)


def ranges(product: Product) -> Scheme:
    """The range of accumulators of clean products, wider by MARGIN on both sides; beyond it is clamped."""
    seen = Calibrating()
    for trial in range(-CALIBRATION, 0):
        seen.apply(product.operator, product.inputs(trial), SITE)
    return observed_range(*seen.ranges[SITE.name], margin=MARGIN, outside="clamp")


LONG = Block(m=20, k=154, n=16)
DEFENCES: Mapping[str, Callable[[Product], Defence]] = {
    "none": lambda _: Unprotected(),
    "standard ABFT": lambda product: Guarded(StandardAbft(), product),
    "intensity-guided, ideal": lambda product: Guarded(IntensityGuided(), product),
    "Huang-Abraham": lambda product: Guarded(HuangAbraham(), product),
    "LB-ABFT, leave": lambda product: Guarded(LbAbft(block=cube(EDGE), policy="leave"), product),
    "LB-ABFT, intersect": lambda product: Guarded(LbAbft(block=cube(EDGE), policy="intersect"), product),
    "LB-ABFT, 64-bit sums": lambda product: Guarded(LbAbft(block=cube(EDGE), width=64), product),
    "row ABFT": lambda product: Guarded(RowAbft(block=LONG), product),
    "row ABFT, 64-bit sums": lambda product: Guarded(RowAbft(block=LONG, width=64), product),
    "ranges": lambda product: Guarded(ranges(product), product),
    "TMR, word vote": lambda product: Guarded(Tmr(), product),
    "TMR, bitwise vote": lambda product: Guarded(Tmr(vote="bitwise"), product),
    "TMR on three units": lambda product: Guarded(Tmr(), product, copies="other units"),
}

Fault = Callable[[Product, Inputs, int], tuple[Inputs, HardwareFault | None]]


def in_memory(place: int, mask: Callable[[int, np.random.Generator], int]) -> Fault:
    """Input number `place` is hit where it is stored, before it is encoded or read."""

    def fault(product: Product, inputs: Inputs, seed: int) -> tuple[Inputs, HardwareFault | None]:
        del product
        words = inputs[place]
        assert words is not None
        struck = list(inputs)
        struck[place] = sample_upset(words, mask(32, np.random.default_rng((seed, 1))), seed=seed).apply(words)
        return (struck[0], struck[1], struck[2]), None  # type: ignore[return-value]

    return fault


def in_hardware(model: str) -> Fault:
    """Hardware is hit, memory is sound."""

    def fault(product: Product, inputs: Inputs, seed: int) -> tuple[Inputs, HardwareFault | None]:
        sizes = products_of(read_cost(product.operator, inputs, SITE), SITE)
        assert sizes is not None
        return inputs, sample_fault(model, sizes, seed=seed)

    return fault


def untouched(product: Product, inputs: Inputs, seed: int) -> tuple[Inputs, HardwareFault | None]:
    """No fault."""
    del product, seed
    return inputs, None


@dataclass(frozen=True, kw_only=True)
class Class:
    """A class of faults; `stored` says that it hits a weight, which an attention product has not."""

    fault: Fault = field(repr=False)
    stored: bool = False


HARDWARE = {
    "a misread, one bit": "word of A misread after encoding, one bit",
    "a misread, MBU": "word of A misread after encoding, MBU",
    "b misread, one bit": "word of B misread after encoding, one bit",
    "b misread, MBU": "word of B misread after encoding, MBU",
    "sum, one bit": "accumulator, one bit",
    "sum, MBU": "accumulator, MBU",
    "sum, stuck bit": "accumulator of one cell, stuck bit",
    "multiplier, stuck bit": "multiplier of one cell, stuck bit",
    "multiplier of weights, stuck bit": "multiplier of one weight cell, stuck bit",
    "dead multiplier": "multiplier of one cell, dead",
    "row garbled": "a row of C garbled",
    "tile garbled": "a tile of C garbled",
    "tile lost": "a tile of C lost",
    "rows exchanged": "two rows exchanged",
    "a register, output stationary": "register of A in one cell, output stationary",
    "b register, output stationary": "register of B in one cell, output stationary",
    "sum register, output stationary": "register of a sum in one cell, output stationary",
    "a register, weight stationary": "register of A in one cell, weight stationary",
    "weight register": "register of a weight in one cell",
    "sum register, weight stationary": "register of a sum in one cell, weight stationary",
}
CLASSES: Mapping[str, Class] = {
    UNTOUCHED: Class(fault=untouched),
    "weight in memory, one bit": Class(fault=in_memory(1, single_bit), stored=True),
    "weight in memory, MBU": Class(fault=in_memory(1, multi_bit), stored=True),
    "activation in memory before encoding, one bit": Class(fault=in_memory(0, single_bit)),
    "activation in memory before encoding, MBU": Class(fault=in_memory(0, multi_bit)),
    **{HARDWARE[model]: Class(fault=in_hardware(model)) for model in FAULT_MODELS},
}


def measure(product: Product, *, classes: Mapping[str, Class], schemes: Sequence[str]) -> Iterator[Cell]:
    """A cell for each class of faults that the product can have, and each scheme."""
    defences = {scheme: DEFENCES[scheme](product) for scheme in schemes}
    seen: dict[tuple[str, str], list[Trial]] = {}
    for trial in range(product.trials):
        inputs = product.inputs(trial)
        total, clean = (Clean().apply(operator, inputs, SITE) for operator in (product.bare, product.operator))
        for name, kind in classes.items():
            if kind.stored and not product.weight:
                continue
            struck, fault = kind.fault(product, inputs, trial)
            machine = on(fault, "same unit")
            changed = not torch.equal(machine.apply(product.bare, struck, SITE), total)
            bare = machine.apply(product.operator, struck, SITE)
            for scheme, defence in defences.items():
                out, alarms = defence.run(product, struck, fault)
                verdict = judge(clean=clean, bare=bare, out=out, changed=changed, alarms=alarms)
                seen.setdefault((name, scheme), []).append(verdict)
    for (name, scheme), trials in seen.items():
        yield Cell(fault=name, scheme=scheme, product=product.name, tally=count_verdicts(trials))


def main() -> None:
    cells: list[Cell] = []
    for product in PRODUCTS:
        begun = time.monotonic()
        cells += measure(product, classes=CLASSES, schemes=list(DEFENCES))
        print(f"{product.name}: {product.trials} trials of each class in {time.monotonic() - begun:.0f} s")
    record = {"command": "python -m benchmarks.silicon", "cells": cells_record(cells)}
    (RESULTS / "silicon.json").write_text(json.dumps(record, indent=1) + "\n")
    write_cells(cells, RESULTS / "silicon.csv")
    data = verdicts_data(cells)
    draw_verdicts(data, RESULTS / "silicon.png")
    print(verdict_table(data))


if __name__ == "__main__":
    main()
