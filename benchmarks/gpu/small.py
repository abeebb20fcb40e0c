"""A vision transformer of one block for images of Fashion-MNIST: what the script is tried on without a GPU."""

from torch import nn

from radhard.models.vision import import_timm


def vit() -> nn.Module:
    """Patches of 14 x 14 pixels, an embedding of 16, 2 heads."""
    import_timm()
    from timm.models.vision_transformer import VisionTransformer

    module: nn.Module = VisionTransformer(
        img_size=28, patch_size=14, in_chans=1, num_classes=10, embed_dim=16, depth=1, num_heads=2, mlp_ratio=2
    )
    return module.eval()
