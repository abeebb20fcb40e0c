"""Which block sizes are fastest for the products of ViT-B at batch 256, beside torch's own products.

`python -m benchmarks.gpu.tune` prints a table; `radhard.kernels.cuda.configs` holds what was fastest.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmarks.gpu.clock import laps
from benchmarks.gpu.journal import Record
from radhard.kernels.cuda.configs import TINY, Config
from radhard.kernels.cuda.layout import layout_of
from radhard.kernels.cuda.product_proof import Variant, Writes
from radhard.kernels.cuda.products import launch, variants_of
from radhard.kernels.octets import as_signed
from radhard.kernels.write import WriteBack

ROUNDS, THREADS = 12, 12


def config(
    rows: int,
    columns: int,
    depth: int,
    *,
    warps: int,
    stages: int,
    described: bool = False,
    registers: int | None = None,
    persistent: int = 0,
) -> Config:
    sizes = {"rows": rows, "columns": columns, "depth": depth, "warps": warps, "stages": stages}
    return Config(**sizes, described=described, registers=registers, persistent=persistent)


LARGE = (
    config(128, 128, 128, warps=4, stages=3),
    config(128, 128, 128, warps=4, stages=2, registers=168),
    config(128, 128, 64, warps=4, stages=4, registers=168),
    config(128, 128, 64, warps=4, stages=6),
    config(128, 128, 64, warps=4, stages=3, registers=168),
    config(256, 128, 128, warps=8, stages=3),
    config(128, 128, 128, warps=4, stages=3, described=True),
    config(128, 128, 128, warps=4, stages=2, described=True, registers=168),
    config(128, 128, 64, warps=4, stages=4, described=True, registers=168),
    config(128, 256, 128, warps=8, stages=4, described=True),
    config(128, 128, 128, warps=4, stages=3, described=True, persistent=2),
    config(128, 128, 64, warps=4, stages=4, described=True, persistent=2),
    config(128, 128, 64, warps=4, stages=6, described=True, persistent=2),
    config(128, 256, 128, warps=8, stages=3, described=True, persistent=1),
)
FEW = (
    config(64, 64, 64, warps=4, stages=3),
    config(64, 64, 128, warps=4, stages=4),
    config(64, 64, 256, warps=4, stages=3),
    config(64, 128, 128, warps=4, stages=4),
    config(128, 128, 128, warps=4, stages=4),
)
SCORES = (
    config(64, 256, 64, warps=4, stages=1),
    config(64, 128, 64, warps=4, stages=1),
    config(128, 128, 64, warps=8, stages=1),
    config(128, 128, 64, warps=4, stages=1),
    config(128, 256, 64, warps=8, stages=1),
    config(256, 64, 64, warps=4, stages=1),
)
VALUES = (
    config(128, 64, 256, warps=4, stages=1),
    config(128, 64, 256, warps=8, stages=1),
    config(256, 64, 256, warps=8, stages=1),
    config(64, 64, 256, warps=4, stages=1),
    config(64, 64, 128, warps=4, stages=1),
    config(128, 64, 64, warps=4, stages=3),
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """g products of m x k and k x n, the left words of `left`; `by_columns`: b lies so, as V does."""

    size: tuple[int, int, int, int]
    configs: tuple[Config, ...]
    left: torch.dtype = torch.int8
    by_columns: bool = False


SHAPES = {
    "qkv": Shape(size=(1, 256 * 197, 768, 2304), configs=LARGE),
    "projection": Shape(size=(1, 256 * 197, 768, 768), configs=LARGE),
    "fc1": Shape(size=(1, 256 * 197, 768, 3072), configs=LARGE),
    "fc2": Shape(size=(1, 256 * 197, 3072, 768), configs=LARGE),
    "qk": Shape(size=(3072, 197, 64, 197), configs=SCORES),
    "av": Shape(size=(3072, 197, 197, 64), configs=VALUES, left=torch.uint8, by_columns=True),
    "fc1 of one image": Shape(size=(1, 197, 768, 3072), configs=FEW),
    "fc2 of one image": Shape(size=(1, 197, 3072, 768), configs=FEW),
}


def measure(device: torch.device, *, tiny: bool) -> Iterator[Record]:
    """For each shape the seconds of each config, the fastest first, and of torch's products."""
    for name, shape in SHAPES.items():
        if tiny:
            g, _, k, _ = shape.size
            shape = replace(shape, size=(min(g, 2), 5, min(k, 40), 7), configs=(TINY,))
        yield {"shape": name, "size": shape.size, "cases": _cases(shape, device)}


def _cases(shape: Shape, device: torch.device) -> list[Record]:
    steps = _steps(shape, device)
    with ThreadPoolExecutor(THREADS) as pool:  # compilers run beside each other
        served = dict(zip(steps, pool.map(_tried, steps.values()), strict=True))
    lasting = {name: step for name, step in steps.items() if served[name] is None}
    times = laps(lasting, device=device, rounds=ROUNDS)
    g, m, k, n = shape.size
    found: list[Record] = [
        {"case": name, "seconds": float(each.min()), "tops": 2e-12 * g * m * k * n / float(each.min())}
        for name, each in times.items()
    ]
    found.sort(key=lambda record: float(record["seconds"]))
    return [*found, *({"case": name, "error": error} for name, error in served.items() if error is not None)]


def _tried(step: Callable[[], object]) -> str | None:
    try:
        step()
    except Exception as error:  # a config that the device has no room for
        return f"{type(error).__name__}: {error}"[:200]
    return None


def _steps(shape: Shape, device: torch.device) -> dict[str, Callable[[], object]]:
    g, m, k, n = shape.size
    low = 0 if shape.left == torch.uint8 else -128
    heads = 12 if g % 12 == 0 else 1
    groups = (g // heads, heads)
    if shape.by_columns:  # after softmax, which fills up its rows
        a = torch.randint(low, low + 256, (*groups, m, k + -k % 16), dtype=shape.left, device=device)[..., :k]
        b = _heads(groups, k, n, device=device).mT
    else:
        a, b = (_heads(groups, rows, k, device=device) for rows in (m, n))
    bias = torch.randint(-1000, 1000, (n,), dtype=torch.int32, device=device) if g == 1 else None
    multiplier = torch.full((1 if g > 1 else n,), 1e-4, device=device)  # a weight has one for each of its rows
    x, y = as_signed(a), b
    layout = layout_of((*groups, m, n), y, spread=True)
    out = layout.empty(torch.int8, device)
    unsigned = shape.left == torch.uint8
    writes = Writes(biased=bias is not None, centred=True, one=g > 1, dtype=torch.int8)
    variant, *_ = variants_of(x, y, layout.steps, unsigned=unsigned, writes=writes)
    back = WriteBack(multiplier=multiplier, dtype=torch.int8)

    def fused(config: Config) -> Callable[[], object]:
        own: Variant = replace(variant, config=config, whole=k % config.depth == 0)
        return lambda: launch(own, x, y, out, bias, back)

    steps = {_name(c): fused(c) for c in shape.configs}
    steps |= _torch(a.flatten(0, 1), b.flatten(0, 1))
    return steps


def _heads(groups: tuple[int, int], rows: int, columns: int, *, device: torch.device) -> Tensor:
    """[B, h, rows, columns] int8, the heads side by side in a row, as a linear layer leaves them."""
    images, heads = groups
    words = torch.randint(-128, 128, (images, rows, heads, columns), dtype=torch.int8, device=device)
    return words.transpose(1, 2)


def _name(config: Config) -> str:
    described = " described" * config.described + f" persistent {config.persistent}" * bool(config.persistent)
    registers = "" if config.registers is None else f" r{config.registers}"
    return f"{config.rows}x{config.columns}x{config.depth} w{config.warps} s{config.stages}{registers}{described}"


def _torch(a: Tensor, b: Tensor) -> dict[str, Callable[[], object]]:
    """torch's product in bfloat16, and, of one product, its own of integers."""
    x, y = a.to(torch.bfloat16), b.to(torch.bfloat16).mT
    steps: dict[str, Callable[[], object]] = {"bfloat16": lambda: x @ y}
    if len(a) == 1:
        steps["int_mm"] = lambda: torch._int_mm(a[0], b[0].T)
    return steps


def main() -> None:
    """Print the table."""
    device = torch.device("cuda")
    for record in measure(device, tiny=False):
        print(f"\n{record['shape']} {record['size']}")
        for case in record["cases"]:
            told = case.get("error") or f"{1e6 * case['seconds']:9.1f} us {case['tops']:7.0f} TOPS"
            print(f"  {case['case']:24} {told}", flush=True)


if __name__ == "__main__":
    main()
