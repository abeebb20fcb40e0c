"""What the anatomy of an architecture of Hugging Face must be; stated as in `tests.support.anatomies`, which is joined
in."""

from collections.abc import Mapping

from tests.support.anatomies import (
    CONVNEXT_PRODUCTS,
    OF_LIBRARIES,
    SWIN_PRODUCTS,
    Stated,
    between_ends,
    convnext_layers,
    numbered,
    stages,
    swin_layers,
)

_HF_VIT = {
    "*.embeddings.*": "Embed",
    "*.layers.?.layernorm_*": "NLF",
    "*.attention.softmax": "NLF",
    "*.attention.*": "MHA-LF",
    "*.mlp.activation_fn": "NLF",
    "*.mlp.fc?": "FF-LF",
    "*.layers.?.mul": "Residual",  # BEiT's layer scale
    "*.layers.?.add": "Residual",
    "*.pooler.*": "NLF",
    "model.*.layernorm": "NLF",
    "model.classifier": "Head",
}
_HF_PRODUCTS = {"Embed": 1, "MHA-LF": 12, "FF-LF": 4, "Head": 1}
_HF_SWIN = {
    "*.embeddings.norm": "NLF",
    "*.embeddings.*": "Embed",
    "*.downsample.norm": "NLF",
    "*.downsample.reduction": "Embed",
    "*.layernorm_*": "NLF",
    "*.attention.*softmax": "NLF",
    "*.attention.*": "MHA-LF",
    "*.intermediate.intermediate_act_fn": "NLF",
    "*.intermediate.dense": "FF-LF",
    "*.output.dense": "FF-LF",
    "*.mlp.activation_fn": "NLF",
    "*.mlp.fc?": "FF-LF",
    "*.blocks.?.add": "Residual",
    "model.swin.layernorm": "NLF",
    "model.swin.pooler": "NLF",
    "model.classifier": "Head",
}
_HF_PVT = {
    "*.patch_embed*.layer_norm": "NLF",
    "*.patch_embed*": "Embed",
    "*.layer_norm*": "NLF",
    "*.attention.*softmax": "NLF",
    "*.attention.*": "MHA-LF",
    "*.mlp.intermediate_act_fn": "NLF",
    "*.mlp.dwconv.dwconv": "Conv",
    "*.mlp.dense?": "FF-LF",
    "*.add": "Residual",
    "model.pvt_v2.mean": "NLF",
    "model.mean": "NLF",
    "model.classifier": "Head",
}
_HF_CONVNEXT = {
    "*.embeddings.patch_embeddings": "Embed",
    "*.layernorm": "NLF",
    "*.downsampling_layer.0": "NLF",
    "*.downsampling_layer.1": "Conv",
    "*.dwconv": "Conv",
    "*.act": "NLF",
    "*.pwconv?": "FF-LF",
    "*.layers.?.mul": "Residual",
    "*.layers.?.add": "Residual",
    "model.convnext.mean": "NLF",
    "model.classifier": "Head",
}
_HF_RESNET = {
    "*.embedder.convolution": "Embed",
    "*.layers.?.*.convolution": "Conv",
    "*.layers.?.add": "Residual",
    "model.resnet.pooler": "NLF",
    "model.classifier.1": "Head",
}
_HF_MOBILE = {
    "*.conv_stem.*.convolution": "Embed",
    "model.mobilenet_v2.conv_1x1.convolution": "Head",
    "*.activation": "NLF",
    "*.layer.*.convolution": "Conv",
    "*.layer.*.add": "Residual",
    "model.mobilenet_v2.pooler": "NLF",
    "model.classifier": "Head",
}
_HF_EFFICIENT = {
    "*.embeddings.convolution": "Embed",
    "*.embeddings.activation": "NLF",
    "*.squeeze_excite.squeeze": "NLF",
    "*.squeeze_excite.act_*": "NLF",
    "*.squeeze_excite.*": "FC",
    "*.*_act": "NLF",
    "*.blocks.*_conv": "Conv",
    "*.blocks.*.projection.add": "Residual",
    "*.encoder.top_conv": "Head",
    "*.encoder.top_activation": "NLF",
    "model.efficientnet.pooler": "NLF",
    "model.classifier": "Head",
}
_HF_PVT_V2_LAYERS = tuple(  # the first patch embedding is the stem, the last normalisation is of the head
    f"model.pvt_v2.encoder.layers.{stage}.{part}"
    for stage in range(4)
    for part in ("patch_embedding", "blocks.0", "layer_norm")
)[1:-1]

OF_HUGGING_FACE: Mapping[str, Stated] = {
    "hf:ViT": Stated(layers=between_ends(*numbered("model.vit.layers.", 2)), products=_HF_PRODUCTS, sites=_HF_VIT),
    "hf:DeiT": Stated(layers=between_ends(*numbered("model.deit.layers.", 2)), products=_HF_PRODUCTS, sites=_HF_VIT),
    "hf:Beit": Stated(layers=between_ends(*numbered("model.beit.layers.", 2)), products=_HF_PRODUCTS, sites=_HF_VIT),
    "hf:Swin": Stated(
        layers=swin_layers("model.swin.encoder.layers", 0),
        products=SWIN_PRODUCTS | {"MHA-LF": 4 * 6},  # q, k, v apart
        sites=_HF_SWIN,
    ),
    "hf:Pvt": Stated(
        layers=between_ends(
            "model.pvt.encoder.block.0.0",
            "model.pvt.encoder.patch_embeddings.1",
            "model.pvt.encoder.block.1.0",
            "model.pvt.encoder.patch_embeddings.2",
            "model.pvt.encoder.block.2.0",
            "model.pvt.encoder.patch_embeddings.3",
            "model.pvt.encoder.block.3.0",
        ),
        products={"Embed": 4, "MHA-LF": 4 * 6 + 3, "FF-LF": 8, "Head": 1},
        sites=_HF_PVT,
    ),
    "hf:PvtV2": Stated(
        layers=between_ends(*_HF_PVT_V2_LAYERS),
        products={"Embed": 4, "MHA-LF": 4 * 6 + 3, "FF-LF": 8, "Conv": 4, "Head": 1},
        sites=_HF_PVT,
    ),
    "hf:ConvNext": Stated(
        layers=convnext_layers(
            "model.convnext.encoder.stages.{}.layers", "model.convnext.encoder.stages.{}.downsampling_layer"
        ),
        products=CONVNEXT_PRODUCTS,
        sites=_HF_CONVNEXT,
    ),
    "hf:ResNet": Stated(
        layers=between_ends(*stages("model.resnet.encoder.stages.", (1, 2, 1, 1), inner=".layers.")),
        products={"Embed": 1, "Conv": 5 * 2 + 4, "Head": 1},
        sites=_HF_RESNET,
    ),
    "hf:MobileNetV2": Stated(
        layers=between_ends(*numbered("model.mobilenet_v2.layer.", 16)),  # its stem holds the first block
        products={"Embed": 3, "Conv": 16 * 3, "Head": 2},
        sites=_HF_MOBILE,
    ),
    "hf:EfficientNet": Stated(
        layers=between_ends(*numbered("model.efficientnet.encoder.blocks.", 10)),
        products={"Embed": 1, "Conv": 2 + 9 * 3, "FC": 10 * 2, "Head": 2},
        sites=_HF_EFFICIENT,
    ),
}

STATED: Mapping[str, Stated] = {**OF_LIBRARIES, **OF_HUGGING_FACE}
