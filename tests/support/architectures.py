"""One table of architectures: how each is built small enough that a capture takes a second or two.

Names are those of the libraries; widths, depths and images are cut as far as the library allows, the structure is
kept. `timm:NAME`, `torchvision:NAME`, `hf:NAME` (the class of transformers before "ForImageClassification").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from radhard.models.deepvit import DeepViT, DeepViTShape
from radhard.models.vision import import_timm, import_torchvision, import_transformers

CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A classifier of images [3, size, size]; `slow` rows take more than four seconds of one core.

    `of_sizes` are multiplications an image that depend on its size alone: a program does not expose them.
    """

    name: str
    size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    slow: bool = False
    of_sizes: int = 0

    def build(self) -> nn.Module:
        """The model in eval mode; its weights are seeded, and none is left at a value that hides what it does."""
        source, _, name = self.name.partition(":")
        torch.manual_seed(0)
        model = _SOURCES[source](name, dict(self.options)).eval().requires_grad_(False)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                nn.init.uniform_(module.running_mean, -0.2, 0.2)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
        for parameter in model.parameters():
            if bool((parameter == parameter.flatten()[0]).all()):  # as new: biases 0, scales 1 or 1e-6
                centre = 1.0 if float(parameter.flatten()[0]) else 0.0
                nn.init.uniform_(parameter, centre - 0.2, centre + 0.2)
        return model

    def images(self, number: int) -> Tensor:
        """[number, 3, size, size] float32, normal."""
        return torch.randn(number, 3, self.size, self.size, generator=torch.Generator().manual_seed(number))


def _timm(name: str, options: dict[str, Any]) -> nn.Module:
    timm = import_timm()
    if name in _TIMM:
        return _TIMM[name](timm.models, {**options, "num_classes": CLASSES})
    return timm.create_model(name, num_classes=CLASSES, **options)


def _mixer(block: str, **parts: str) -> Callable[[Any, dict[str, Any]], nn.Module]:
    def build(models: Any, options: dict[str, Any]) -> nn.Module:
        mixer = models.mlp_mixer
        chosen = {part: getattr(mixer, kind) for part, kind in parts.items()}
        return mixer.MlpMixer(**options, **chosen, block_layer=getattr(mixer, block))

    return build


# classes of timm whose named variants do not let themselves be made smaller
_TIMM: dict[str, Callable[[Any, dict[str, Any]], nn.Module]] = {
    "mixer_s32_224": _mixer("MixerBlock"),
    "resmlp_12_224": _mixer("ResBlock", norm_layer="Affine"),
    "gmlp_s16_224": _mixer("SpatialGatingBlock", mlp_layer="GatedMlp"),
    "poolformer_s12": lambda models, options: models.metaformer.MetaFormer(**options),
    "focalnet_tiny_srf": lambda models, options: models.focalnet.FocalNet(**options),
}


def _torchvision(name: str, options: dict[str, Any]) -> nn.Module:
    models = import_torchvision().models
    if name in _TORCHVISION:
        return _TORCHVISION[name](models, options)
    return models.get_model(name, weights=None, num_classes=CLASSES, **options)


def _convnext(models: Any, options: dict[str, Any]) -> nn.Module:
    widths, depths = options["widths"], options["depths"]
    pairs = zip(widths, [*widths[1:], None], depths, strict=True)
    stages = [models.convnext.CNBlockConfig(width, following, depth) for width, following, depth in pairs]
    return models.ConvNeXt(stages, num_classes=CLASSES)


def _swin_v2(models: Any, options: dict[str, Any]) -> nn.Module:
    swin = models.swin_transformer
    parts = {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2}
    return models.SwinTransformer(**options, **parts, num_classes=CLASSES)


_TORCHVISION: dict[str, Callable[[Any, dict[str, Any]], nn.Module]] = {
    "vit_b_16": lambda models, options: models.VisionTransformer(**options, num_classes=CLASSES),
    "swin_t": lambda models, options: models.SwinTransformer(**options, num_classes=CLASSES),
    "swin_v2_t": _swin_v2,
    "convnext_tiny": _convnext,
    "maxvit_t": lambda models, options: models.MaxVit(**options, num_classes=CLASSES),
}


class _Logits(nn.Module):
    """A classifier of transformers that returns its logits alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images).logits


def _hugging_face(name: str, options: dict[str, Any]) -> nn.Module:
    pytest.importorskip("transformers", reason="transformers is an extra: pip install 'radhard[hf]'")
    transformers = import_transformers()
    config = getattr(transformers, f"{name}Config")(**options, num_labels=CLASSES)
    return _Logits(getattr(transformers, f"{name}ForImageClassification")(config))


class EncoderViT(nn.Module):
    """A vision transformer around torch's own nn.TransformerEncoder."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, 8, stride=8)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(width, 2, 2 * width, batch_first=True, norm_first=True),
            depth,
            enable_nested_tensor=False,
        )
        self.head = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patch_embed(images).flatten(2).transpose(1, 2)
        return self.head(self.encoder(tokens).mean(1))


_OWN: dict[str, Callable[..., nn.Module]] = {
    "deepvit": lambda **options: DeepViT(DeepViTShape(classes=CLASSES, **options)),
    "encoder": EncoderViT,
}

_SOURCES: dict[str, Callable[[str, dict[str, Any]], nn.Module]] = {
    "timm": _timm,
    "torchvision": _torchvision,
    "hf": _hugging_face,
    "own": lambda name, options: _OWN[name](**options),
}

_VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 3, "num_heads": 2}
_WINDOWS = {"img_size": 32, "embed_dim": 16, "depths": (2, 2), "num_heads": (1, 2), "window_size": 4}
_FOUR = {"embed_dims": (8, 16, 24, 32)}
_ONES = (1, 1, 1, 1)
_HF_VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
_HF_SWIN = {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [2, 2], "num_heads": [1, 2], "window_size": 4}
_HF_FOUR = {"image_size": 64, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
_HF_HEADS = {"num_attention_heads": [1, 1, 2, 2]}
_HF_CONVNEXT = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
_HF_RESNET = {"embedding_size": 8, "hidden_sizes": [16, 24, 32, 40], "depths": [1, 2, 1, 1]}


def _row(name: str, size: int, **options: Any) -> Architecture:
    return Architecture(name=name, size=size, options=options)


def _slow(name: str, size: int, *, of_sizes: int = 0, **options: Any) -> Architecture:
    return Architecture(name=name, size=size, options=options, slow=True, of_sizes=of_sizes)


ARCHITECTURES: tuple[Architecture, ...] = (
    # the paper's six
    _row("timm:vit_base_patch16_224", 32, **_VIT),
    _row("timm:swin_tiny_patch4_window7_224", 32, **_WINDOWS),
    _row(
        "own:deepvit",
        32,
        image=32,
        width=24,
        heads=3,
        re_attention=(False, True),
        convolutional_stem=True,
        scaled_maps=True,
        branch_scale=0.5,
    ),
    _row("timm:cait_xxs24_224", 32, **_VIT),
    _row("timm:resnet18", 32),
    _row("timm:resnet50", 32),
    # other families of timm whose anatomy is stated
    _row("timm:deit_tiny_distilled_patch16_224", 32, **_VIT),
    _row("timm:deit3_small_patch16_224", 32, **_VIT),
    _row("timm:beit_base_patch16_224", 32, **_VIT),
    _row("timm:pvt_v2_b0", 64, depths=_ONES, num_heads=(1, 1, 2, 2), **_FOUR),
    _row("timm:convnext_atto", 32, depths=(1, 1, 2, 1), dims=(8, 16, 24, 32)),
    _row("timm:mobilenetv2_035", 32),
    _row("timm:mobilenetv3_small_050", 32),
    _row("timm:efficientnet_b0", 32),
    # torchvision
    _row(
        "torchvision:vit_b_16",
        32,
        image_size=32,
        patch_size=8,
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        mlp_dim=64,
    ),
    _row(
        "torchvision:swin_t",
        32,
        patch_size=[4, 4],
        embed_dim=16,
        depths=[2, 2],
        num_heads=[1, 2],
        window_size=[4, 4],
    ),
    _row("torchvision:convnext_tiny", 32, widths=(8, 16, 24, 32), depths=(1, 1, 2, 1)),
    _row("torchvision:resnet18", 32),
    _slow("torchvision:mobilenet_v2", 32),
    _slow("torchvision:mobilenet_v3_small", 32),
    _slow("torchvision:efficientnet_b0", 32),
    # Hugging Face
    _row("hf:ViT", 32, **_HF_VIT),
    _row("hf:DeiT", 32, **_HF_VIT),
    _row("hf:Beit", 32, **_HF_VIT, use_relative_position_bias=True),
    _row("hf:Swin", 32, **_HF_SWIN),
    _row("hf:Pvt", 64, **_HF_FOUR, **_HF_HEADS),
    _row("hf:PvtV2", 64, **_HF_FOUR, **_HF_HEADS),
    _row("hf:ConvNext", 32, **_HF_CONVNEXT),
    _row("hf:ResNet", 32, **_HF_RESNET, layer_type="basic"),
    _slow("hf:MobileNetV2", 32, depth_multiplier=0.35),
    _slow("hf:EfficientNet", 32, width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=640),
    # torch itself
    _row("own:encoder", 32, width=32, depth=2),
    # beyond the families whose anatomy is stated
    _row("timm:convnextv2_atto", 32, depths=_ONES, dims=(8, 16, 24, 32)),
    _slow("timm:swinv2_tiny_window8_256", 32, **_WINDOWS),
    _row("timm:eva02_tiny_patch14_224", 32, **_VIT),
    _slow("timm:xcit_nano_12_p16_224", 32, embed_dim=32, depth=2, num_heads=2),
    _row("timm:mixer_s32_224", 64, img_size=64, embed_dim=32, num_blocks=2),
    _row("timm:resmlp_12_224", 64, mlp_ratio=4, patch_size=16, img_size=64, embed_dim=32, num_blocks=2),
    _row("timm:gmlp_s16_224", 32, mlp_ratio=6, patch_size=16, img_size=32, embed_dim=32, num_blocks=2),
    _row("timm:poolformer_s12", 64, depths=_ONES, dims=(8, 16, 24, 32)),
    _slow("timm:focalnet_tiny_srf", 64, depths=_ONES, embed_dim=8),
    _slow("timm:twins_svt_small", 64, img_size=64, depths=_ONES, num_heads=_ONES, wss=(2, 2, 2, 2), **_FOUR),
    _row("timm:visformer_tiny", 64, img_size=64, depth=(1, 1, 1), embed_dim=24, num_heads=2),
    _slow("timm:crossvit_tiny_240", 240, embed_dim=(16, 32), depth=((1, 1, 0),), num_heads=(2, 2)),
    _row("timm:tnt_s_patch16_224", 32, img_size=32, embed_dim=32, inner_dim=8, depth=2, num_heads_outer=2),
    _slow("timm:levit_128s", 64, img_size=64, embed_dim=(16, 24, 32), num_heads=(1, 2, 2), depth=(1, 1, 1)),
    # its position embedding, of 8 x 8 places, is a 1 x 1 convolution of 64 waves to 16 channels
    _slow("timm:edgenext_xx_small", 64, of_sizes=8 * 8 * 64 * 16, depths=(1, 2, 2, 2), dims=(8, 16, 24, 32)),
    _slow("timm:fastvit_t8", 64, layers=_ONES, embed_dims=(16, 32, 64, 128)),
    _slow("timm:maxvit_tiny_tf_224", 64, img_size=64, depths=(1, 1), embed_dim=(32, 64), stem_width=8),
    _slow("timm:coatnet_nano_rw_224", 64, img_size=64, depths=_ONES, embed_dim=(32, 32, 32, 32), stem_width=8),
    _slow("timm:mobilevit_xxs", 64),
    _row("timm:densenet121", 32, growth_rate=8, block_config=(2, 2, 2, 2)),
    _slow("timm:regnety_002", 32),
    _slow("timm:repvgg_a0", 32),
    _slow("timm:ghostnet_050", 32),
    _row("timm:seresnet18", 32),
    _slow("timm:res2net50_14w_8s", 32),
    _slow("timm:efficientformer_l1", 224, depths=_ONES, embed_dims=(8, 16, 24, 32)),
    _slow("timm:davit_tiny", 64, depths=_ONES, embed_dims=(8, 16, 24, 32), num_heads=_ONES, num_groups=None),
    _slow("timm:hiera_tiny_224", 64, img_size=(64, 64), stages=(1, 1, 1, 1), embed_dim=8),
    _slow("torchvision:swin_v2_t", 32, patch_size=[4, 4], embed_dim=16, depths=[2], num_heads=[1], window_size=[4, 4]),
    _slow("torchvision:vgg11_bn", 224),
    _slow("torchvision:alexnet", 224),
    _row("torchvision:squeezenet1_1", 32),
    _slow("torchvision:shufflenet_v2_x0_5", 32),
    _slow("torchvision:googlenet", 32, aux_logits=False, init_weights=False),
    _slow("torchvision:inception_v3", 96, aux_logits=False, init_weights=False),
    _slow("torchvision:mnasnet0_5", 32),
    _row("hf:Dinov2", 32, **{key: value for key, value in _HF_VIT.items() if key != "intermediate_size"}),
    _slow("hf:Levit", 64, image_size=64, hidden_sizes=[16, 24, 32], num_attention_heads=[1, 2, 2], depths=[1, 1, 1]),
)

BY_NAME: Mapping[str, Architecture] = {row.name: row for row in ARCHITECTURES}
