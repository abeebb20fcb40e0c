"""Every architecture of the table: the same logits, PyTorch's own count, every node accounted for, the stated anatomy.

PyTorch's counter knows matrix products and convolutions alone, and sees neither fused attention on CPU nor the fast
path of nn.MultiheadAttention: the eager model runs without them. What a model computes once a batch (SwinV2's position
biases) is a constant of its program: an image's share is what a second image adds.
"""

import re
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from radhard.program import Program, capture, quantize, run
from radhard.program.anatomy.anatomy import MODULES
from tests.support.anatomies import Stated
from tests.support.anatomies_hugging_face import STATED
from tests.support.architectures import ARCHITECTURES, BY_NAME, Architecture

PRODUCTS = {"linear", "conv2d", "matmul"}
# names of ATen operations that multiply, add or evaluate a function: none of them may pass without a site
ARITHMETIC = re.compile(
    r"aten\.(linear|conv|matmul|mm|bmm|addmm|baddbmm|einsum|scaled_dot_product|add|sub|rsub|mul|div|addcmul|mean|sum|var"
    r"|_?softmax|\w*_norm|gelu|silu|\w*sigmoid|hardswish|tanh|exp\b|log\b|pow|r?sqrt|reciprocal|\w*avg_pool|upsample_bi|cumsum)"
    r"\w*\."
)
EVERY = [pytest.param(row, id=row.name, marks=[pytest.mark.slow] if row.slow else []) for row in ARCHITECTURES]


@pytest.mark.parametrize("row", EVERY)
def test_architecture(row: Architecture) -> None:
    """One capture, all that must hold of it."""
    model = row.build()
    program = capture(model, row.images(1))
    logits_and_multiplications_are_those_of(model, program, row)
    every_node_is_accounted_for(program)
    if row.name in STATED:
        anatomy_is(STATED[row.name], program)


def test_every_anatomy_that_is_stated_is_of_a_row() -> None:
    assert set(STATED) <= set(BY_NAME)


def logits_and_multiplications_are_those_of(model: nn.Module, program: Program, row: Architecture) -> None:
    images = row.images(2)
    wanted, twice = counted(model, images)
    _, once = counted(model, images[:1])
    assert wanted.std() > 1e-3  # or else agreement says little
    torch.testing.assert_close(run(program, images).logits, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
    ours = sum(cost.operations("mul") for site, cost in program.costs.items() if site.operator in PRODUCTS)
    assert ours + row.of_sizes == pytest.approx((twice - once) / 2, rel=5e-3)


def counted(model: nn.Module, images: Tensor) -> tuple[Tensor, int]:
    """Logits of the eager model, and the floating point operations that PyTorch counts for them."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            return model(images), counter.get_total_flops()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def every_node_is_accounted_for(program: Program) -> None:
    """Each has its account; each site is of one of them; what has none does no arithmetic."""
    nodes = [node for node in program.graph.graph.nodes if node.op == "call_function"]
    assert len(program.accounts) == len(nodes)
    sites = [site.name for site in program.sites]
    assert Counter(name for account in program.accounts for name in account.sites) == Counter(sites)
    assert len(set(sites)) == len(sites)
    silent = {account.op for account in program.accounts if account.role in {"moves", "stays"}}
    assert [op for op in silent if ARITHMETIC.match(op)] == []
    assert {site.module for site in program.sites} <= set(MODULES)


def anatomy_is(stated: Stated, program: Program) -> None:
    assert tuple(dict.fromkeys(site.layer for site in program.sites)) == stated.layers
    found = {site.name: site.module for site in program.sites}
    assert found == {name: category(name, stated.sites) for name in found}
    assert [site.name for site in program.sites if site.guessed] == []
    products = Counter(site.module for site in program.sites if site.operator in PRODUCTS)
    assert products == stated.products


BESIDE = {  # quantisations, where nothing else is inside them: as what reads them, or at the end what they read
    "timm:vit_base_patch16_224": {
        "patch_embed.*": "Embed",
        "blocks.?.attn.*": "MHA-LF",
        "head.quantize": "Head",
        "dequantize": "Head",
    },
    "timm:resnet18": {
        "conv1.quantize": "Embed",
        "layer?.?.conv?.*": "Conv",
        "layer?.?.downsample.0.*": "Conv",
        "fc.quantize": "Head",
        "dequantize": "Head",
    },
}


@pytest.mark.parametrize("name", BESIDE)
def test_anatomy_of_an_int8_program(name: str) -> None:
    row, stated = BY_NAME[name], STATED[name]
    sites = quantize(capture(row.build(), row.images(1)), [row.images(2)]).sites
    beside = [site for site in sites if site.operator in {"quantize", "requantize", "dequantize"}]
    assert tuple(dict.fromkeys(site.layer for site in sites)) == stated.layers
    found = {site.name: site.module for site in sites}
    added = {site.name for site in beside}
    assert found == {site: category(site, BESIDE[name] if site in added else stated.sites) for site in found}
    assert beside != []
    assert not any(site.guessed for site in sites)


def category(name: str, patterns: Mapping[str, str]) -> str:
    """Of the first pattern that matches a site's name, with its number or without."""
    name = re.sub(r"\.load(#\d+)?$", "", name)
    names = (name, re.sub(r"#\d+$", "", name))
    fitting = (module for pattern, module in patterns.items() if any(fnmatchcase(each, pattern) for each in names))
    return next(fitting, "not stated")
