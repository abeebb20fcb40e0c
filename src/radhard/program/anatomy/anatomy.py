"""The layer and the module category of a site, from the user, known families, the graph or a guess.

Categories are the paper's, made complete:

* MHA-LF: what is linear in attention: qkv, QK^T, AV, projection, talking heads, re-attention, the scale, biases and
  masks that are added, the convolution that shrinks keys and values.
* FF-LF: the linear layers of a block's MLP, and the 1 x 1 convolutions that stand for them (PVTv2, ConvNeXt).
* NLF: softmax, GELU and other activations, normalisations, means and pooling.
* Conv: convolutions of CNNs, and depthwise ones of hybrids.
* FC: squeeze-and-excitation, its gate included, and linear layers that are none of the others.
* Embed: the stem, position embeddings, patch embedding and merging between blocks.
* Head: what is linear after the last block, attention apart.
* Residual: residual additions, layer scale and branch scale.

Three sources say it, in this order: the user's override, the names of the enclosing modules within the layer, as known
families have them, and the graph (`radhard.program.anatomy.claims`). Where names and graph differ the graph decides,
and the site says so. What no source names is guessed. Layers are found by `radhard.program.anatomy.model_blocks`.
"""

import re
from dataclasses import dataclass

from radhard.machine import Site, Source
from radhard.program.anatomy.claims import Claim
from radhard.program.anatomy.flow import LINEAR
from radhard.program.anatomy.layers import Layer, Stack, short

BESIDE = frozenset({"quantize", "dequantize", "requantize", "load"})
"""Operators that only move a word between memory and arithmetic: they stand where the one does that they serve."""
MODULES = ("MHA-LF", "FF-LF", "NLF", "Conv", "FC", "Embed", "Head", "Residual")

_PRODUCTS = "linear|matmul|conv2d"
_LINEAR = f"{_PRODUCTS}|add|sub|mul"
_Rules = tuple[tuple[str, str, str], ...]  # (enclosing module as "name:class", operators, category)

# Read in order for each enclosing module, from the innermost out: the first that fits decides.
_PARTS: _Rules = (
    (r"norm|:.*activation|pool|:.*(elu|silu|swish|sigmoid|softmax)$|^act\d?:", r"(?!linear$|conv2d$).*", "NLF"),
    (r"squeeze_?excit|^se:|:se(module|layer)?$", _LINEAR, "FC"),
    (r"layer_?scale|^ls\d?:|^gamma", _LINEAR, "Residual"),
    (r"attn|attention|selfoutput|:xca$|^(q|k|v|kv|qkv|to_qkv|query|key|value):", _LINEAR, "MHA-LF"),
    (r"dw_?conv|conv_?dw|depth_?wise", "conv2d", "Conv"),
    (r"mlp|ffn|feed_?forward|intermediate|^output:", f"{_PRODUCTS}|mul", "FF-LF"),
    (r"patch_?(embed|merging)|embedding|^pos_", _LINEAR, "Embed"),
)
# Read where none of these fits: a linear layer in a block and outside of its attention is of its MLP.
_LEAVES: _Rules = ((r"^(fc|linear|pwconv)\d:|^block:", "linear", "FF-LF"),)
_ENDS = {"stem": "Embed", "head": "Head"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The layer and module category of a site, and what says each."""

    layer: str
    module: str
    layer_source: Source = "name"
    module_source: Source = "name"


def place_of(site: Site) -> Place:
    """Where a site of another program stands."""
    return Place(layer=site.layer, module=site.module, layer_source=site.layer_source, module_source=site.module_source)


def place(operator: str, stack: Stack, *, layer: Layer, claim: Claim) -> Place:
    """Operator, enclosing modules [(path, class)] outermost first, their layer, and what the graph says -> Place."""
    module, source = _module(operator, _named(operator, stack, layer), layer=layer, claim=claim)
    return Place(layer=layer.name, module=module, layer_source=layer.source, module_source=source)


def _module(operator: str, named: str | None, *, layer: Layer, claim: Claim) -> tuple[str, Source]:
    """The category that names and graph make together, and the source that decides."""
    elementwise = operator in ("add", "sub", "mul")
    if operator not in LINEAR or (elementwise and named == "NLF"):
        return "NLF", "name"
    if elementwise and claim.module == "NLF" and (claim.strong or named is None):
        return "NLF", "graph" if named is None else "disputed"
    if layer.kind in _ENDS and claim.module != "MHA-LF":
        return _ENDS[layer.kind], "guess" if layer.source == "guess" else "name"
    if claim.shared:
        return "MHA-LF", "guess"
    if claim.module is not None and (claim.strong or named is None):
        ends = layer.kind in _ENDS
        return claim.module, "name" if named == claim.module else "graph" if named is None or ends else "disputed"
    if named is not None:
        return named, "guess" if named == "MHA-LF" and not claim.attends else "name"
    if operator == "conv2d":
        return "Conv", "name"
    if operator in ("add", "sub", "mul"):
        return "Residual", "guess"
    return "MHA-LF" if claim.of_activations else "FC", "guess"


def _named(operator: str, stack: Stack, layer: Layer) -> str | None:
    """The category of the first rule that fits; the class of a block says nothing of its parts."""
    inside = [(path, kind) for path, kind in reversed(stack) if path and (path != layer.name or layer.kind != "block")]
    names = [f"{path.rsplit('.', 1)[-1]}:{short(kind)}".lower() for path, kind in inside if _within(path, layer)]
    for rules in (_PARTS, _LEAVES):
        for name in names:
            for pattern, operators, module in rules:
                if re.search(pattern, name) and re.fullmatch(operators, operator):
                    return module
    return None


def _within(path: str, layer: Layer) -> bool:
    return layer.kind in _ENDS or path == layer.name or path.startswith(layer.name + ".")
