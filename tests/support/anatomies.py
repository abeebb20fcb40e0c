"""What the anatomy of an architecture of timm, torchvision or torch must be: derived by hand from its paper and names.

Patterns are of site names, with the number of a repetition (`#2`) or without; the load of an operand is stated with
the product that reads it. The first pattern that matches a name decides, and each name must match one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Patterns = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Stated:
    """The layers in their order, the matrix products of each category, and the category of every site."""

    layers: tuple[str, ...]
    products: Mapping[str, int]
    sites: Patterns


def between_ends(*layers: str) -> tuple[str, ...]:
    return ("stem", *layers, "head")


def numbered(prefix: str, count: int, first: int = 0) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in range(first, first + count))


def stages(prefix: str, depths: tuple[int, ...], first: int = 0, inner: str = ".") -> tuple[str, ...]:
    """A block's path: prefix, number of its stage, inner, its number in the stage."""
    numbered_depths = enumerate(depths, first)
    return tuple(f"{prefix}{stage}{inner}{block}" for stage, depth in numbered_depths for block in range(depth))


_VIT_BLOCK = {
    "blocks*.norm?": "NLF",
    "blocks*.softmax": "NLF",
    "blocks*.attn.*": "MHA-LF",
    "blocks*.mlp.act": "NLF",
    "blocks*.mlp.*": "FF-LF",
    "blocks*.add": "Residual",
}
_VIT_ENDS = {"patch_embed.proj": "Embed", "add": "Embed", "norm": "NLF", "head": "Head"}
_VIT = _VIT_BLOCK | _VIT_ENDS
_VIT_PRODUCTS = {"Embed": 1, "MHA-LF": 12, "FF-LF": 6, "Head": 1}

_DEEPVIT = {
    "blocks.?.mul": "Residual",  # the branch scale
    "patch_embed.conv?": "Embed",
} | _VIT

_CAIT = {
    "blocks*.?.mul": "Residual",  # layer scale
    "blocks_token_only.?.attn.[qkv]": "MHA-LF",
} | _VIT

_BEIT = {
    "blocks.?.mul": "Residual",  # layer scale
    "mean": "NLF",
    "fc_norm": "NLF",
} | _VIT

_SWIN = {
    "*.downsample.norm": "NLF",
    "*.downsample.reduction": "Embed",
    "layers.*.attn.softmax": "NLF",
    "layers.*.attn.*": "MHA-LF",
    "layers.*.norm?": "NLF",
    "layers.*.mlp.act": "NLF",
    "layers.*.mlp.*": "FF-LF",
    "layers.*.add": "Residual",
    "patch_embed.proj": "Embed",
    "patch_embed.norm": "NLF",
    "norm": "NLF",
    "head.global_pool.pool": "NLF",
    "head.fc": "Head",
}
SWIN_PRODUCTS = {"Embed": 2, "MHA-LF": 16, "FF-LF": 8, "Head": 1}

_RESNET = {
    "conv1": "Embed",
    "layer?.?.conv?": "Conv",
    "layer?.?.downsample.0": "Conv",
    "layer?.?.add": "Residual",
    "global_pool.pool": "NLF",
    "avgpool": "NLF",
    "fc": "Head",
}
_RESNET18_LAYERS = between_ends(*stages("layer", (2, 2, 2, 2), first=1))
_RESNET18_PRODUCTS = {"Embed": 1, "Conv": 19, "Head": 1}

_PVT_V2 = {
    "stages.?.downsample.proj": "Embed",
    "stages.?.downsample.norm": "NLF",
    "stages.?.blocks.?.attn.norm": "NLF",
    "stages.?.blocks.?.attn.softmax": "NLF",
    "stages.?.blocks.?.attn.*": "MHA-LF",
    "stages.?.blocks.?.norm?": "NLF",
    "stages.?.blocks.?.mlp.act": "NLF",
    "stages.?.blocks.?.mlp.dwconv": "Conv",
    "stages.?.blocks.?.mlp.fc?": "FF-LF",
    "stages.?.blocks.?.add": "Residual",
    "stages.?.norm": "NLF",
    "patch_embed.proj": "Embed",
    "patch_embed.norm": "NLF",
    "mean": "NLF",
    "head": "Head",
}

_CONVNEXT = {
    "stem.0": "Embed",
    "stem.1": "NLF",
    "stages.?.downsample.0": "NLF",
    "stages.?.downsample.1": "Conv",
    "stages.?.blocks.?.conv_dw": "Conv",
    "stages.?.blocks.?.norm": "NLF",
    "stages.?.blocks.?.mlp.act": "NLF",
    "stages.?.blocks.?.mlp.fc?": "FF-LF",
    "stages.?.blocks.?.mul": "Residual",
    "stages.?.blocks.?.add": "Residual",
    "head.global_pool.pool": "NLF",
    "head.norm": "NLF",
    "head.fc": "Head",
}
CONVNEXT_PRODUCTS = {"Embed": 1, "Conv": 8, "FF-LF": 10, "Head": 1}


def convnext_layers(block: str, downsample: str) -> tuple[str, ...]:
    """Depths 1, 1, 2, 1 with a downsampling before each stage but the first; `{}` is the stage's number."""
    names: list[str] = []
    for stage, depth in enumerate((1, 1, 2, 1)):
        names += [downsample.format(stage)] if stage else []
        names += [f"{block.format(stage)}.{number}" for number in range(depth)]
    return between_ends(*names)


_MOBILE = {
    "conv_stem": "Embed",
    "bn1.act": "NLF",
    "bn1": "NLF",
    "blocks.*.se.conv_*": "FC",
    "blocks.*.se.mul": "FC",
    "blocks.*.se.*": "NLF",
    "blocks.*.conv*": "Conv",
    "blocks.*.act": "NLF",
    "blocks.*.add": "Residual",
    "conv_head": "Head",
    "bn2.act": "NLF",
    "act2": "NLF",
    "global_pool.pool": "NLF",
    "classifier": "Head",
}

_TORCHVISION_VIT = {
    "conv_proj": "Embed",
    "encoder.add": "Embed",
    "encoder.ln": "NLF",
    "*.ln_?": "NLF",
    "*.self_attention.softmax": "NLF",
    "*.self_attention.*": "MHA-LF",
    "*.mlp.1": "NLF",
    "*.mlp.?": "FF-LF",
    "encoder.layers.*.add": "Residual",
    "heads.head": "Head",
}
_TORCHVISION_SWIN = {
    "features.0.0": "Embed",
    "features.0.2": "NLF",
    "features.2.norm": "NLF",
    "features.2.reduction": "Embed",
    "features.?.?.norm?": "NLF",
    "features.?.?.attn.softmax": "NLF",
    "features.?.?.attn.*": "MHA-LF",
    "features.?.?.mlp.1": "NLF",
    "features.?.?.mlp.?": "FF-LF",
    "features.?.?.add": "Residual",
    "norm": "NLF",
    "avgpool": "NLF",
    "head": "Head",
}
_TORCHVISION_CONVNEXT = {
    "features.0.0": "Embed",
    "features.0.1": "NLF",
    "features.[246].0": "NLF",
    "features.[246].1": "Conv",
    "features.?.?.block.0": "Conv",
    "features.?.?.block.[24]": "NLF",
    "features.?.?.block.[35]": "FF-LF",
    "features.?.?.mul": "Residual",
    "features.?.?.add": "Residual",
    "avgpool": "NLF",
    "classifier.0": "NLF",
    "classifier.2": "Head",
}
_TORCHVISION_MOBILE_V2 = {
    "features.0.0": "Embed",
    "features.0.2": "NLF",
    "features.18.0": "Head",
    "features.18.2": "NLF",
    "features.*.conv.?.0": "Conv",
    "features.*.conv.?.2": "NLF",
    "features.*.conv.?": "Conv",
    "features.*.add": "Residual",
    "mean": "NLF",
    "classifier.1": "Head",
}
_TORCHVISION_GATED = {  # MobileNetV3 and EfficientNet: blocks with squeeze-and-excitation
    "features.0.0": "Embed",
    "features.0.2": "NLF",
    "*.block.?.fc?": "FC",
    "*.block.?.mul": "FC",
    "*.block.?.avgpool": "NLF",
    "*.block.?.*activation": "NLF",
    "*.block.?.0": "Conv",
    "*.block.?.2": "NLF",
    "features.*.add": "Residual",
    "avgpool": "NLF",
}

_ENCODER = {
    "patch_embed": "Embed",
    "encoder.layers.?.norm?": "NLF",
    "encoder.layers.?.self_attn.softmax": "NLF",
    "encoder.layers.?.self_attn.*": "MHA-LF",
    "encoder.layers.?.linear?": "FF-LF",
    "encoder.layers.?.add": "Residual",
    "mean": "NLF",
    "head": "Head",
}

_SWIN_STAGES = ("{}.0.blocks.0", "{}.0.blocks.1", "{}.{}.downsample", "{}.1.blocks.0", "{}.1.blocks.1")


def swin_layers(prefix: str, merging: int) -> tuple[str, ...]:
    """Two stages of two blocks; the stage numbered `merging` holds the patch merging between them."""
    return between_ends(*(name.format(prefix, merging) for name in _SWIN_STAGES))


OF_LIBRARIES: Mapping[str, Stated] = {
    "timm:vit_base_patch16_224": Stated(
        layers=between_ends(*numbered("blocks.", 3)), products=_VIT_PRODUCTS, sites=_VIT
    ),
    "timm:swin_tiny_patch4_window7_224": Stated(layers=swin_layers("layers", 1), products=SWIN_PRODUCTS, sites=_SWIN),
    "own:deepvit": Stated(
        layers=between_ends(*numbered("blocks.", 2)),
        products={"Embed": 3, "MHA-LF": 2 * 4 + 1, "FF-LF": 4, "Head": 1},
        sites=_DEEPVIT,
    ),
    "timm:cait_xxs24_224": Stated(
        layers=between_ends(*numbered("blocks.", 3), *numbered("blocks_token_only.", 2)),
        products={"Embed": 1, "MHA-LF": 3 * 6 + 2 * 6, "FF-LF": 10, "Head": 1},  # talking heads twice; q, k, v apart
        sites=_CAIT,
    ),
    "timm:resnet18": Stated(layers=_RESNET18_LAYERS, products=_RESNET18_PRODUCTS, sites=_RESNET),
    "timm:resnet50": Stated(
        layers=between_ends(*stages("layer", (3, 4, 6, 3), first=1)),
        products={"Embed": 1, "Conv": 16 * 3 + 4, "Head": 1},
        sites=_RESNET,
    ),
    "timm:deit_tiny_distilled_patch16_224": Stated(
        layers=between_ends(*numbered("blocks.", 3)),
        products=_VIT_PRODUCTS | {"Head": 2},
        sites={"add#2": "Head", "mul": "Head", "head_dist": "Head"} | _VIT,  # the mean of two classifiers
    ),
    "timm:deit3_small_patch16_224": Stated(
        layers=between_ends(*numbered("blocks.", 3)),
        products=_VIT_PRODUCTS,
        sites={"blocks.?.ls?": "Residual"} | _VIT,
    ),
    "timm:beit_base_patch16_224": Stated(
        layers=between_ends(*numbered("blocks.", 3)), products=_VIT_PRODUCTS, sites=_BEIT
    ),
    "timm:pvt_v2_b0": Stated(
        layers=between_ends(
            "stages.0.blocks.0",
            "stages.0.norm",
            "stages.1.downsample",
            "stages.1.blocks.0",
            "stages.1.norm",
            "stages.2.downsample",
            "stages.2.blocks.0",
            "stages.2.norm",
            "stages.3.downsample",
            "stages.3.blocks.0",
        ),
        products={"Embed": 4, "MHA-LF": 4 * 5 + 3, "FF-LF": 8, "Conv": 4, "Head": 1},
        sites=_PVT_V2,
    ),
    "timm:convnext_atto": Stated(
        layers=convnext_layers("stages.{}.blocks", "stages.{}.downsample"),
        products=CONVNEXT_PRODUCTS,
        sites=_CONVNEXT,
    ),
    "timm:mobilenetv2_035": Stated(
        layers=between_ends(*stages("blocks.", (1, 2, 3, 4, 3, 3, 1))),
        products={"Embed": 1, "Conv": 2 + 16 * 3, "Head": 2},
        sites=_MOBILE,
    ),
    "timm:mobilenetv3_small_050": Stated(
        layers=between_ends(*stages("blocks.", (1, 2, 3, 2, 3, 1))),
        products={"Embed": 1, "Conv": 2 + 10 * 3 + 1, "FC": 9 * 2, "Head": 2},
        sites=_MOBILE,
    ),
    "timm:efficientnet_b0": Stated(
        layers=between_ends(*stages("blocks.", (1, 2, 2, 3, 3, 4, 1))),
        products={"Embed": 1, "Conv": 2 + 15 * 3, "FC": 16 * 2, "Head": 2},
        sites=_MOBILE,
    ),
    "torchvision:vit_b_16": Stated(
        layers=between_ends(*numbered("encoder.layers.encoder_layer_", 2)),
        products={"Embed": 1, "MHA-LF": 8, "FF-LF": 4, "Head": 1},
        sites=_TORCHVISION_VIT,
    ),
    "torchvision:swin_t": Stated(
        layers=between_ends("features.1.0", "features.1.1", "features.2", "features.3.0", "features.3.1"),
        products=SWIN_PRODUCTS,
        sites=_TORCHVISION_SWIN,
    ),
    "torchvision:convnext_tiny": Stated(
        layers=between_ends(
            "features.1.0",
            "features.2",
            "features.3.0",
            "features.4",
            "features.5.0",
            "features.5.1",
            "features.6",
            "features.7.0",
        ),
        products=CONVNEXT_PRODUCTS,
        sites=_TORCHVISION_CONVNEXT,
    ),
    "torchvision:resnet18": Stated(layers=_RESNET18_LAYERS, products=_RESNET18_PRODUCTS, sites=_RESNET),
    "torchvision:mobilenet_v2": Stated(
        layers=between_ends(*numbered("features.", 17, first=1)),
        products={"Embed": 1, "Conv": 2 + 16 * 3, "Head": 2},
        sites=_TORCHVISION_MOBILE_V2,
    ),
    "torchvision:mobilenet_v3_small": Stated(
        layers=between_ends(*numbered("features.", 11, first=1)),
        products={"Embed": 1, "Conv": 2 + 10 * 3, "FC": 9 * 2, "Head": 3},
        sites={"features.12.0": "Head", "features.12.2": "NLF", "classifier.1": "NLF", "classifier.?": "Head"}
        | _TORCHVISION_GATED,
    ),
    "torchvision:efficientnet_b0": Stated(
        layers=between_ends(*stages("features.", (1, 2, 2, 3, 3, 4, 1), first=1)),
        products={"Embed": 1, "Conv": 2 + 15 * 3, "FC": 16 * 2, "Head": 2},
        sites={"features.8.0": "Head", "features.8.2": "NLF", "classifier.1": "Head"} | _TORCHVISION_GATED,
    ),
    "own:encoder": Stated(
        layers=between_ends(*numbered("encoder.layers.", 2)),
        products={"Embed": 1, "MHA-LF": 8, "FF-LF": 4, "Head": 1},
        sites=_ENCODER,
    ),
}
