"""Where a site stands in the model: its module category, from the modules that enclose it within its layer.

Categories are the paper's, made complete:

* MHA-LF: what is linear in attention: qkv, QK^T, AV, projection, talking heads, re-attention, the scale, biases and
  masks that are added, the convolution that shrinks keys and values.
* FF-LF: the linear layers of a block's MLP, and the 1 x 1 convolutions that stand for them (PVTv2, ConvNeXt).
* NLF: softmax, GELU and other activations, normalisations, means and pooling.
* Conv: convolutions of CNNs, and depthwise ones of hybrids.
* FC: squeeze-and-excitation, its gate included, and linear layers that are none of the others.
* Embed: the stem, position embeddings, patch embedding and merging between blocks.
* Head: what is linear after the last block.
* Residual: residual additions, layer scale and branch scale.

Layers are found by `radhard.program.layers`. What no rule names is guessed, and says so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from radhard.program.layers import Layer, Stack, short

MODULES = ("MHA-LF", "FF-LF", "NLF", "Conv", "FC", "Embed", "Head", "Residual")
Anatomy = Mapping[str, tuple[str, str]]  # pattern of site names -> (layer, module)

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
_LEAVES: _Rules = (
    (r"^(fc|linear|pwconv)\d:|^block:", "linear", "FF-LF"),
    ("", "conv2d", "Conv"),
    ("", "add|sub|mul", "Residual"),
    ("", f"(?!({_LINEAR})$).*", "NLF"),
)
_ENDS = {"stem": "Embed", "head": "Head"}
_GUESS = "FC"


@dataclass(frozen=True, kw_only=True)
class Place:
    """The layer and module category of a site; `guessed` where no rule named them."""

    layer: str
    module: str
    guessed: bool


def place(operator: str, stack: Stack, *, layer: Layer) -> Place:
    """Operator name, enclosing modules [(path, class)] outermost first, and their layer -> where the site stands.

    For a site that only moves a word between memory and arithmetic (load, quantise ...), `operator` is the name of
    the one that it stands beside.
    """
    module = _fitting(operator, stack, layer)
    if layer.kind in _ENDS and module != "NLF":
        module = _ENDS[layer.kind]
    return Place(layer=layer.name, module=module or _GUESS, guessed=layer.guessed or module is None)


def _fitting(operator: str, stack: Stack, layer: Layer) -> str | None:
    """The category of the first rule that fits; the class of a block says nothing of its parts."""
    inside = [(path, kind) for path, kind in reversed(stack) if path and (path != layer.name or layer.kind != "block")]
    names = [f"{path.rsplit('.', 1)[-1]}:{short(kind)}".lower() for path, kind in inside if _within(path, layer)]
    for rules in (_PARTS, _LEAVES):
        for name in names or [""]:
            for pattern, operators, module in rules:
                if re.search(pattern, name) and re.fullmatch(operators, operator):
                    return module
    return None


def _within(path: str, layer: Layer) -> bool:
    return layer.kind in _ENDS or path == layer.name or path.startswith(layer.name + ".")


def overridden(name: str, found: Place, anatomy: Anatomy) -> Place:
    """`found`, unless a pattern of the user's `anatomy` matches the site's name; the first match wins."""
    for pattern, (layer, module) in anatomy.items():
        if fnmatchcase(name, pattern):
            return Place(layer=layer, module=module, guessed=False)
    return found
