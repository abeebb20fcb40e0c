"""Where a site stands in the model: its layer and its module category, from the modules that enclose it.

Layers are transformer or residual blocks, with the stem and the head apart. Module categories are the paper's:
MHA-LF (qkv, QK^T, AV, projection), FF-LF (the MLP's linear layers), NLF (softmax, GELU, normalisation), and Conv,
FC, Embed, Head, Residual. What no rule names is guessed, and says so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

MODULES = ("MHA-LF", "FF-LF", "NLF", "Conv", "FC", "Embed", "Head", "Residual")
Anatomy = Mapping[str, tuple[str, str]]  # pattern of site names -> (layer, module)

_BLOCK = re.compile(r"^(?:.*\.)?(?:blocks|layers|layer|stages|h)\.\d+(?:\.(?:blocks|layers|layer)\.\d+)?")
_HEAD = re.compile(r"(^|\.)(head|fc_norm|norm|classifier|fc|layernorm|heads)(\.|$)")
_STEM = re.compile(r"embed|norm_pre|stem|conv1$|conv_proj|pos_drop|cls_token")
_NON_LINEAR = {"softmax", "gelu", "layer_norm", "mean", "avg_pool2d", "div"}
_GEMMS = {"linear", "matmul", "conv2d"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The layer and module category of a site; `guessed` where no rule named them."""

    layer: str
    module: str
    guessed: bool


def place(operator: str, stack: Sequence[tuple[str, str]], *, inside_block: str | None) -> Place:
    """Operator name and enclosing modules [(path, class)], outermost first -> where the site stands.

    `inside_block` is the layer of the site before: operations of the model's own forward after the last block
    belong to the head, those before the first to the stem.
    """
    path, kinds = (
        (stack[-1][0] if stack else ""),
        " ".join(kind.rsplit(".", 1)[-1].lower() for _, kind in stack),
    )
    block = _BLOCK.match(path)
    if block is not None:
        return _in_block(block.group(0), operator, kinds)
    after = inside_block is not None and inside_block != "stem"
    linear = operator not in _NON_LINEAR
    if _STEM.search(path) or (path == "" and not after):
        guess = path == "" and operator in _GEMMS
        return Place(layer="stem", module="Embed" if linear else "NLF", guessed=guess)
    if _HEAD.search(path) or path == "":
        return Place(layer="head", module="Head" if linear else "NLF", guessed=False)
    return replace(_in_block(path.rsplit(".", 1)[0], operator, kinds), guessed=True)


def _in_block(layer: str, operator: str, kinds: str) -> Place:
    attention = "attention" in kinds or "attn" in kinds
    feed_forward = "mlp" in kinds or "feedforward" in kinds or "ffn" in kinds
    if operator in _NON_LINEAR:
        return Place(layer=layer, module="NLF", guessed=False)
    if attention:
        return Place(layer=layer, module="MHA-LF", guessed=False)
    if feed_forward:
        return Place(layer=layer, module="FF-LF", guessed=False)
    if operator == "conv2d":
        return Place(layer=layer, module="Conv", guessed=False)
    if operator == "add":
        return Place(layer=layer, module="Residual", guessed=False)
    return Place(layer=layer, module="FC" if operator in _GEMMS else "NLF", guessed=True)


def overridden(name: str, found: Place, anatomy: Anatomy) -> Place:
    """`found`, unless a pattern of the user's `anatomy` matches the site's name; the first match wins."""
    for pattern, (layer, module) in anatomy.items():
        if fnmatchcase(name, pattern):
            return Place(layer=layer, module=module, guessed=False)
    return found
